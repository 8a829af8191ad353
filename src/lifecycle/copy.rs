//! Files into and out of a container, as a tar archive in between.
//!
//! Every path of the container is resolved inside its root (`openat2(2)`, RESOLVE_IN_ROOT), and
//! what an archive brings is put in place by descriptors alone, so that no link in the container,
//! nor one that is made meanwhile, leads out of it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chownat, fchmod, fchown,
    fstat, fstatfs, futimens, linkat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat,
    unlinkat,
};
use tar::{Archive, Builder, EntryType, Header};

use crate::container::Root;

/// How owners are translated between a root and an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// The id of the root's own root; ids in archives count from here.
    pub base: u32,
    /// Whether owners are kept; else everything belongs to root.
    pub kept: bool,
}

impl Owners {
    fn out(self, id: u32) -> u64 {
        if self.kept {
            u64::from(id.saturating_sub(self.base))
        } else {
            0
        }
    }

    fn inward(self, id: u64) -> u32 {
        if self.kept {
            self.base.saturating_add(u32::try_from(id).unwrap_or(0))
        } else {
            self.base
        }
    }
}

/// Writes what is at `path` of the root into an archive, under `name`; an empty name stands for
/// what is in the directory alone. `follow` has a link at `path` itself followed. What the kernel
/// shows of itself in file systems of its own (/proc, /sys) is left out, and what vanishes meanwhile.
pub fn pack(
    root: &Root,
    path: &str,
    name: &str,
    follow: bool,
    owners: Owners,
    out: impl Write,
) -> io::Result<()> {
    let mut builder = Builder::new(out);
    builder.mode(tar::HeaderMode::Complete);
    let path = path.trim_end_matches('/');
    let (parent, last) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = if parent.is_empty() { "/" } else { parent };
    if follow || last.is_empty() || matches!(last, "." | "..") {
        let file = root.file(if path.is_empty() { "/" } else { path }, OFlags::PATH)?;
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let directory = root.file(
                if path.is_empty() { "/" } else { path },
                OFlags::RDONLY | OFlags::DIRECTORY,
            )?;
            add_directory(&mut builder, &directory, Path::new(name), owners)?;
        } else {
            let file = File::from(root.file(path, OFlags::RDONLY)?);
            add_file(&mut builder, file, Path::new(name), owners)?;
        }
    } else {
        let parent = root.file(parent, OFlags::PATH | OFlags::DIRECTORY)?;
        add(
            &mut builder,
            &parent,
            last.as_bytes(),
            Path::new(name),
            owners,
        )?;
    }
    builder.finish()
}

fn add(
    builder: &mut Builder<impl Write>,
    parent: &OwnedFd,
    entry: &[u8],
    name: &Path,
    owners: Owners,
) -> io::Result<()> {
    let stat = statat(parent, entry, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = openat(parent, entry, flags, Mode::empty())?;
            if fstat(parent)?.st_dev != stat.st_dev && is_kernels(fstatfs(&directory)?.f_type) {
                return add_head(builder, &directory, name, owners);
            }
            add_directory(builder, &directory, name, owners)
        }
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = openat(parent, entry, flags, Mode::empty())?;
            add_file(builder, File::from(file), name, owners)
        }
        FileType::Symlink => {
            let target = readlinkat(parent, entry, Vec::new())?;
            let mut header = header(&stat, EntryType::Symlink, owners);
            header.set_size(0);
            let target = PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes()));
            builder.append_link(&mut header, name, target)
        }
        FileType::Fifo => {
            let mut header = header(&stat, EntryType::Fifo, owners);
            header.set_size(0);
            builder.append_data(&mut header, name, io::empty())
        }
        // A socket is of no use elsewhere, and a device is the machine's.
        _ => Ok(()),
    }
}

fn add_directory(
    builder: &mut Builder<impl Write>,
    directory: &OwnedFd,
    name: &Path,
    owners: Owners,
) -> io::Result<()> {
    add_head(builder, directory, name, owners)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let entry = entry.file_name().to_bytes();
        if entry != b"." && entry != b".." {
            names.push(entry.to_vec());
        }
    }
    names.sort();
    for entry in names {
        let inner = name.join(std::ffi::OsStr::from_bytes(&entry));
        match add(builder, directory, &entry, &inner, owners) {
            // It vanished since.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Adds a directory without what is in it.
fn add_head(
    builder: &mut Builder<impl Write>,
    directory: &OwnedFd,
    name: &Path,
    owners: Owners,
) -> io::Result<()> {
    if name.as_os_str().is_empty() {
        return Ok(());
    }
    let mut header = header(&fstat(directory)?, EntryType::Directory, owners);
    header.set_size(0);
    builder.append_data(&mut header, name, io::empty())
}

/// Whether a file system of this kind shows the kernel's state, not files. Source: `statfs(2)`.
fn is_kernels(kind: rustix::fs::FsWord) -> bool {
    const KINDS: [(&str, u32); 15] = [
        ("binfmt_misc", 0x4249_4e4d),
        ("bpf", 0xcafe_4a11),
        ("cgroup", 0x0027_e0eb),
        ("cgroup2", 0x6367_7270),
        ("configfs", 0x6265_6570),
        ("debugfs", 0x6462_6720),
        ("devpts", 0x0000_1cd1),
        ("efivarfs", 0xde5e_81e4),
        ("fusectl", 0x6573_5543),
        ("mqueue", 0x1980_0202),
        ("proc", 0x0000_9fa0),
        ("pstore", 0x6165_676c),
        ("securityfs", 0x7363_6673),
        ("sysfs", 0x6265_6572),
        ("tracefs", 0x7472_6163),
    ];
    u32::try_from(kind).is_ok_and(|kind| KINDS.iter().any(|(_, it)| *it == kind))
}

fn add_file(
    builder: &mut Builder<impl Write>,
    file: File,
    name: &Path,
    owners: Owners,
) -> io::Result<()> {
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut header = header(&stat, EntryType::Regular, owners);
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    header.set_size(size);
    // It may grow meanwhile; a shorter one is filled up.
    let body = file.take(size).chain(io::repeat(0)).take(size);
    builder.append_data(&mut header, name, body)
}

fn header(stat: &rustix::fs::Stat, kind: EntryType, owners: Owners) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(owners.out(stat.st_uid));
    header.set_gid(owners.out(stat.st_gid));
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header
}

/// Puts what is in an archive into the directory `at` of the root, over what is there.
///
/// Errors: an entry leads out of it; a directory is where a file should go, or the reverse.
pub fn unpack(root: &Root, at: &str, owners: Owners, input: impl Read) -> io::Result<()> {
    let mut archive = Archive::new(input);
    // The times of directories are set when nothing more comes into them.
    let mut times = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = clean(&entry.path()?)?;
        let kind = entry.header().entry_type();
        let mode = Mode::from_raw_mode(entry.header().mode()? & 0o7777);
        let uid = Uid::from_raw(owners.inward(entry.header().uid()?));
        let gid = Gid::from_raw(owners.inward(entry.header().gid()?));
        let mtime = i64::try_from(entry.header().mtime()?).unwrap_or(0);
        let Some(name) = path.file_name() else {
            continue;
        };
        let directory = directory(root, at, path.parent().unwrap_or(Path::new("")), owners)?;
        let taken = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let taken = taken.map(|it| FileType::from_raw_mode(it.st_mode));
        if kind == EntryType::Directory {
            match taken {
                Some(FileType::Directory) => {}
                Some(FileType::Symlink) | None => {
                    if taken.is_none() {
                        mkdirat(&directory, name, Mode::from_raw_mode(0o755))?;
                        let made = open_directory(&directory, name)?;
                        fchown(&made, Some(uid), Some(gid))?;
                        fchmod(&made, mode)?;
                        times.push((made, mtime));
                    }
                }
                Some(_) => return Err(clash(&path, "there is a file where a directory should go")),
            }
            continue;
        }
        match taken {
            Some(FileType::Directory) => {
                return Err(clash(&path, "cannot overwrite a directory with a file"));
            }
            Some(_) => unlinkat(&directory, name, AtFlags::empty())?,
            None => {}
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = openat(&directory, name, flags, Mode::from_raw_mode(0o600))?;
                let mut file = File::from(file);
                io::copy(&mut entry, &mut file)?;
                fchown(&file, Some(uid), Some(gid))?;
                fchmod(&file, mode)?;
                set_time(&file, mtime)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
                symlinkat(target.as_os_str(), &directory, name)?;
                chownat(
                    &directory,
                    name,
                    Some(uid),
                    Some(gid),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
            }
            EntryType::Link => {
                let target = clean(&entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?)?;
                let parent =
                    self::directory(root, at, target.parent().unwrap_or(Path::new("")), owners)?;
                let target = target.file_name().ok_or(io::ErrorKind::InvalidData)?;
                linkat(&parent, target, &directory, name, AtFlags::empty())?;
            }
            EntryType::Fifo => {
                mknodat(&directory, name, FileType::Fifo, mode, 0)?;
                chownat(
                    &directory,
                    name,
                    Some(uid),
                    Some(gid),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
            }
            // A device is the machine's.
            _ => {}
        }
    }
    for (directory, mtime) in times.iter().rev() {
        set_time(directory, *mtime)?;
    }
    Ok(())
}

fn clash(path: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}

/// A path of an archive without what means nothing; `..` is refused.
fn clean(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(clash(path, "it leads out of where it belongs"));
            }
        }
    }
    Ok(clean)
}

/// Opens a directory below `at`, made where it is missing.
fn directory(root: &Root, at: &str, path: &Path, owners: Owners) -> io::Result<OwnedFd> {
    let path = Path::new(at).join(path);
    match root.file(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            root.make_directories(&path.to_string_lossy(), owners.base)?;
            root.file(&path, OFlags::RDONLY | OFlags::DIRECTORY)
        }
        other => other,
    }
}

fn open_directory(parent: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

fn set_time(file: impl std::os::fd::AsFd, seconds: i64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(futimens(file, &times)?)
}

/// Has one write into a pipe what the other reads from it. The reader's error comes first: the
/// writer's follows from it.
pub fn through(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let written = scope.spawn(move || write(&mut writer));
        let result = read(&mut reader);
        // What the archive ends with may not have been read.
        let drained = io::copy(&mut reader, &mut io::sink());
        drop(reader);
        let written = written
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.and(written).and(drained.map(drop))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn owners() -> Owners {
        let me = rustix::process::geteuid().as_raw();
        Owners {
            base: me,
            kept: true,
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        fs::create_dir_all(from.path().join("a/b")).unwrap();
        fs::write(from.path().join("a/b/file"), "text").unwrap();
        symlink("b/file", from.path().join("a/link")).unwrap();
        let (source, target) = (
            Root::open(from.path()).unwrap(),
            Root::open(to.path()).unwrap(),
        );
        let mut tar = Vec::new();
        pack(&source, "/a", "x", false, owners(), &mut tar).unwrap();
        unpack(&target, "/", owners(), &tar[..]).unwrap();
        unpack(&target, "/", owners(), &tar[..]).unwrap();
        assert_eq!(
            fs::read_to_string(to.path().join("x/link")).unwrap(),
            "text"
        );
        let time = |path: PathBuf| fs::metadata(path).unwrap().mtime();
        assert_eq!(time(from.path().join("a/b")), time(to.path().join("x/b")));
    }

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        symlink(outside.path(), to.path().join("out")).unwrap();
        symlink("/..", to.path().join("up")).unwrap();
        let target = Root::open(to.path()).unwrap();
        let archive = |name: &str| {
            let mut builder = Builder::new(Vec::new());
            let mut header = Header::new_gnu();
            header.set_size(1);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            // As another program may write it: the library refuses `..` itself.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, &b"x"[..]).unwrap();
            builder.into_inner().unwrap()
        };
        assert!(unpack(&target, "/", owners(), &archive("../escape")[..]).is_err());
        let _ = unpack(&target, "/", owners(), &archive("out/escape")[..]);
        let _ = unpack(&target, "/", owners(), &archive("up/escape")[..]);
        assert!(!outside.path().join("escape").exists());
        assert!(!to.path().parent().unwrap().join("escape").exists());
        assert!(!Path::new("/escape").exists());
    }
}
