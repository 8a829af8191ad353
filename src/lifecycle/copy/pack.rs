//! Files of a root into an archive.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, fstat, fstatfs, openat, readlinkat, statat,
};
use tar::{Builder, EntryType, Header};

use super::Owners;
use crate::container::Root;

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
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
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
        let inner = name.join(OsStr::from_bytes(&entry));
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
