//! An archive into a directory of a root.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chownat, fchmod, fchown,
    futimens, linkat, mkdirat, mknodat, openat, statat, symlinkat, unlinkat,
};
use tar::{Archive, EntryType};

use super::Owners;
use crate::container::Root;

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

fn open_directory(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

fn set_time(file: impl AsFd, seconds: i64) -> io::Result<()> {
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
