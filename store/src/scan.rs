//! Walking a directory of the host into a changeset: what [`import_dir`](crate::import_dir) and
//! [`capture`](crate::capture) have in common.
//!
//! First everything is looked at, then the bodies are hashed by several threads. Only after the
//! last look may files be turned into objects in place, since that takes their metadata away.

use std::collections::HashMap;
use std::fs::{File, Metadata as Stat};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{Mode, OFlags};
use walkdir::WalkDir;

use crate::changeset::Changeset;
use crate::error::{At as _, Error, Result};
use crate::id::ObjectId;
use crate::path::components;
use crate::store::Store;
use crate::tree::{Content, Inode, InodeId, Metadata, PathBytes, Time, Xattrs};
use crate::{ids, xattr};

/// How a directory is read.
#[derive(Debug, Default)]
pub(crate) struct Rules<'a> {
    /// Marks of an overlay mean something, and sockets are left out.
    pub(crate) overlay: bool,
    pub(crate) ids: ids::Map,
    pub(crate) move_files: bool,
    pub(crate) exclude: &'a [PathBytes],
    pub(crate) clamp: Option<i64>,
}

/// A regular file to be made an object.
struct Job {
    inode: InodeId,
    path: PathBuf,
    /// Names that the file has, and those that were seen.
    links: u64,
    names: u64,
}

pub(crate) fn scan(store: &Store, root: &Path, rules: &Rules<'_>) -> Result<Changeset> {
    store.writable()?;
    let mut scan = Scan {
        rules,
        changeset: Changeset::default(),
        seen: HashMap::new(),
        jobs: Vec::new(),
    };
    let mut walk = WalkDir::new(root)
        .same_file_system(true)
        .sort_by_file_name()
        .into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            Error::Io {
                action: "walk",
                path,
                source: error.into(),
            }
        })?;
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let path = relative.as_os_str().as_bytes();
        if rules
            .exclude
            .iter()
            .any(|exclude| !path.is_empty() && components(exclude).eq(components(path)))
        {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        let stat = entry
            .path()
            .symlink_metadata()
            .at("look at", entry.path())?;
        scan.entry(entry.path(), path, &stat)?;
    }
    let Scan {
        mut changeset,
        jobs,
        ..
    } = scan;
    let bodies = jobs
        .par_iter()
        .map(|job| Ok((job.inode, body(store, job, rules.move_files)?)))
        .collect::<Result<Vec<_>>>()?;
    for (inode, (object, size)) in bodies {
        changeset.inode_mut(inode).content = Content::File {
            object: (size > 0).then_some(object),
            size,
        };
    }
    Ok(changeset)
}

struct Scan<'a> {
    rules: &'a Rules<'a>,
    changeset: Changeset,
    /// Files with several names, and their job if they have one.
    seen: HashMap<(u64, u64), (InodeId, Option<usize>)>,
    jobs: Vec<Job>,
}

impl Scan<'_> {
    fn entry(&mut self, host: &Path, path: &[u8], stat: &Stat) -> Result<()> {
        let kind = stat.file_type();
        if self.rules.overlay && kind.is_char_device() && stat.rdev() == 0 {
            return self.changeset.whiteout(path);
        }
        if self.rules.overlay && kind.is_socket() {
            return Ok(());
        }
        let several = stat.nlink() > 1 && !kind.is_dir();
        if several && let Some((inode, job)) = self.seen.get(&(stat.dev(), stat.ino())) {
            if let Some(job) = job {
                self.jobs[*job].names += 1;
            }
            return self.changeset.name(path, *inode);
        }
        let mut metadata = self.metadata(host, stat)?;
        let mut opaque = false;
        for (name, value) in xattr::read_all(host)? {
            if self.rules.overlay {
                match overlay_mark(&name, &value) {
                    Mark::None => {}
                    Mark::Opaque => opaque = true,
                    Mark::Whiteout => return self.changeset.whiteout(path),
                    Mark::Refused(reason) => {
                        return Err(Error::Capture {
                            path: host.into(),
                            reason: reason.into(),
                        });
                    }
                }
            }
            let refused = |reason: &str| Error::Capture {
                path: host.into(),
                reason: reason.into(),
            };
            let value = self.rules.ids.xattr(&name, value).map_err(refused)?;
            xattr::add(&mut metadata.xattrs, &name, &value)?;
        }
        let content = if kind.is_dir() {
            self.changeset.directory(path, metadata)?;
            return if opaque {
                self.changeset.opaque(path)
            } else {
                Ok(())
            };
        } else if kind.is_symlink() {
            let target = std::fs::read_link(host).at("read", host)?;
            Content::Symlink(target.as_os_str().as_bytes().into())
        } else if kind.is_file() {
            Content::EMPTY
        } else {
            let (major, minor) = (
                rustix::fs::major(stat.rdev()),
                rustix::fs::minor(stat.rdev()),
            );
            match () {
                () if kind.is_char_device() => Content::CharDevice { major, minor },
                () if kind.is_block_device() => Content::BlockDevice { major, minor },
                () if kind.is_fifo() => Content::Fifo,
                () => Content::Socket,
            }
        };
        let inode = self.changeset.file(path, Inode { metadata, content })?;
        let mut job = None;
        if kind.is_file() && stat.len() > 0 {
            job = Some(self.jobs.len());
            self.jobs.push(Job {
                inode,
                path: host.into(),
                links: stat.nlink(),
                names: 1,
            });
        }
        if several {
            self.seen.insert((stat.dev(), stat.ino()), (inode, job));
        }
        Ok(())
    }

    fn metadata(&self, host: &Path, stat: &Stat) -> Result<Metadata> {
        let id = |id| {
            let outside = || Error::Capture {
                path: host.into(),
                reason: format!("owner {id} is outside the map of ids"),
            };
            self.rules.ids.inside(id).ok_or_else(outside)
        };
        let mut mtime = Time {
            seconds: stat.mtime(),
            nanoseconds: stat.mtime_nsec() as u32,
        };
        if let Some(clamp) = self.rules.clamp {
            mtime = mtime.min(Time::seconds(clamp));
        }
        let mode = stat.mode() & 0o7777;
        Ok(Metadata {
            mode,
            uid: id(stat.uid())?,
            gid: id(stat.gid())?,
            mtime,
            xattrs: Xattrs::new(),
        })
    }
}

enum Mark {
    None,
    Opaque,
    Whiteout,
    Refused(&'static str),
}

/// What an overlay says in an attribute. Anything that points elsewhere would lose data.
fn overlay_mark(name: &[u8], value: &[u8]) -> Mark {
    let Some(name) = name
        .strip_prefix(b"trusted.overlay.")
        .or_else(|| name.strip_prefix(b"user.overlay."))
    else {
        return Mark::None;
    };
    match (name, value) {
        (b"opaque", b"y") => Mark::Opaque,
        (b"whiteout", _) => Mark::Whiteout,
        (b"metacopy", _) => Mark::Refused("its data was not copied up (metacopy)"),
        (b"redirect", _) => Mark::Refused("it points to another path (redirect)"),
        _ => Mark::None,
    }
}

fn body(store: &Store, job: &Job, move_files: bool) -> Result<(ObjectId, u64)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file: File = rustix::fs::open(&job.path, flags, Mode::empty())
        .at("read", &job.path)?
        .into();
    if !move_files || job.names < job.links {
        return store.put_object(&file);
    }
    let mut hash = blake3::Hasher::new();
    hash.update_reader(&file).at("read", &job.path)?;
    let (id, size) = (
        ObjectId::from_bytes(*hash.finalize().as_bytes()),
        hash.count(),
    );
    if store.has_whole(id, size) {
        return Ok((id, size));
    }
    if adopt(store, &file, job, id, size).is_err() {
        // Another file system, too many links, or not ours: a copy does as well.
        let file = File::open(&job.path).at("read", &job.path)?;
        return store.put_object(file);
    }
    Ok((id, size))
}

/// Makes the file itself the object.
fn adopt(store: &Store, file: &File, job: &Job, id: ObjectId, size: u64) -> Result<()> {
    let objects = store.objects();
    let device = |file: std::io::Result<Stat>| file.map(|stat| stat.dev());
    if device(objects.metadata()).at("look at", &objects)?
        != device(file.metadata()).at("look at", &job.path)?
    {
        return Err(Error::missing("object", id));
    }
    let change = || -> std::io::Result<()> {
        rustix::fs::fchown(
            file,
            Some(rustix::process::geteuid()),
            Some(rustix::process::getegid()),
        )?;
        rustix::fs::fchmod(file, Mode::from_raw_mode(0o444))?;
        let mut names = Vec::with_capacity(4096);
        rustix::fs::flistxattr(file, rustix::buffer::spare_capacity(&mut names))?;
        for name in names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
        {
            rustix::fs::fremovexattr(file, name)?;
        }
        Ok(())
    };
    change().at("turn into an object", &job.path)?;
    store.link_file(file, id, size)
}
