//! Writing a tree as files. Bodies are clones of objects where the file system has such, else
//! copies; never links, because an object has one owner, mode and time.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use crate::error::{At as _, Error, Result};
use crate::id::ObjectId;
use crate::store::Store;
use crate::tree::{Content, Inode, InodeId, Metadata, NodeRef, PathBytes, Tree};

/// Writes a tree to `root`, which must not exist, and whiteouts to the paths given.
pub(crate) fn materialise(
    store: &Store,
    tree: &Tree,
    whiteouts: &[PathBytes],
    root: &Path,
) -> Result<()> {
    let mut names: HashMap<InodeId, PathBuf> = HashMap::new();
    let mut directories = Vec::new();
    for (path, node) in tree.entries() {
        let path = host(root, &path);
        match node {
            NodeRef::Directory(directory) => {
                fs::DirBuilder::new()
                    .mode(0o700)
                    .create(&path)
                    .at("create", &path)?;
                directories.push((path, &directory.metadata));
            }
            NodeRef::Inode(id, inode) => {
                if let Some(first) = names.get(&id) {
                    fs::hard_link(first, &path).at("link", &path)?;
                } else {
                    file(store, &path, inode)?;
                    metadata(
                        &path,
                        &inode.metadata,
                        matches!(inode.content, Content::Symlink(_)),
                    )?;
                    names.insert(id, path);
                }
            }
        }
    }
    for path in whiteouts {
        let path = host(root, path);
        rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), 0)
            .at("create", &path)?;
    }
    // From the inside out: making entries changes the times of a directory.
    for (path, of) in directories.iter().rev() {
        metadata(path, of, false)?;
    }
    Ok(())
}

fn host(root: &Path, path: &[u8]) -> PathBuf {
    root.join(std::ffi::OsStr::from_bytes(path))
}

fn file(store: &Store, path: &Path, inode: &Inode) -> Result<()> {
    let node =
        |kind, device| rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), device);
    match &inode.content {
        Content::File { object, .. } => {
            let flags =
                OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file =
                rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).at("create", path)?;
            object.map_or(Ok(()), |object| copy(store, object, file, path))
        }
        Content::Symlink(target) => {
            symlink(std::ffi::OsStr::from_bytes(target), path).at("create", path)
        }
        Content::CharDevice { major, minor } => node(
            FileType::CharacterDevice,
            rustix::fs::makedev(*major, *minor),
        )
        .at("create", path),
        Content::BlockDevice { major, minor } => {
            node(FileType::BlockDevice, rustix::fs::makedev(*major, *minor)).at("create", path)
        }
        Content::Fifo => node(FileType::Fifo, 0).at("create", path),
        Content::Socket => node(FileType::Socket, 0).at("create", path),
    }
}

fn copy(store: &Store, object: ObjectId, to: OwnedFd, path: &Path) -> Result<()> {
    let mut from = store.open_object(object)?;
    if rustix::fs::ioctl_ficlone(&to, &from).is_ok() {
        return Ok(());
    }
    loop {
        match rustix::fs::copy_file_range(&from, None, &to, None, 1 << 30) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => break,
            Err(error) => return Err(error).at("write", path),
        }
    }
    std::io::copy(&mut from, &mut File::from(to))
        .at("write", path)
        .map(drop)
}

/// Owner first, because a change of owner takes set-uid bits and capabilities away.
fn metadata(path: &Path, metadata: &Metadata, symlink: bool) -> Result<()> {
    let set = || -> rustix::io::Result<()> {
        let (uid, gid) = (Uid::from_raw(metadata.uid), Gid::from_raw(metadata.gid));
        rustix::fs::chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        if !symlink {
            rustix::fs::chmod(path, Mode::from_raw_mode(metadata.mode))?;
        }
        for (name, value) in &metadata.xattrs {
            rustix::fs::lsetxattr(path, &**name, value, XattrFlags::empty())?;
        }
        let time = Timespec {
            tv_sec: metadata.mtime.seconds,
            tv_nsec: metadata.mtime.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
    };
    if metadata.uid == u32::MAX || metadata.gid == u32::MAX {
        return Err(Error::Limit {
            what: "owner",
            limit: u64::from(u32::MAX - 1),
        });
    }
    set().at("set the metadata of", path)
}
