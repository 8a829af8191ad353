//! Files into and out of the testbed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use rustix::fs::OFlags;

use super::request::Copy;
use crate::container::Root;
use crate::lifecycle::copy::{Owners, pack, through, unpack};

/// Execute permission of everybody.
const EXECUTE: u32 = 0o111;

/// Copies as asked. What arrives belongs to root; `base` is the id of the testbed's root.
///
/// Errors: `TimedOut` where it is not done by `deadline`.
pub(super) fn copy(root: &Root, base: u32, wanted: &Copy, deadline: Instant) -> io::Result<()> {
    let result = match (wanted.directory, wanted.up) {
        (true, true) => directory_up(root, base, wanted, deadline),
        (true, false) => directory_down(root, base, wanted, deadline),
        (false, true) => file_up(root, wanted, deadline),
        (false, false) => file_down(root, base, wanted, deadline),
    };
    match result {
        // The other end of a pipe has another error then.
        Err(_) if Instant::now() >= deadline => Err(io::ErrorKind::TimedOut.into()),
        result => result,
    }
}

fn owners(base: u32) -> Owners {
    Owners { base, kept: false }
}

fn directory_down(root: &Root, base: u32, wanted: &Copy, deadline: Instant) -> io::Result<()> {
    let host = Root::open(Path::new("/"))?;
    let from = on_host(&wanted.from)?;
    // That it is there is known before anything is made for it.
    host.file(&from, OFlags::PATH | OFlags::DIRECTORY)?;
    root.make_directories(&wanted.to, base)?;
    through(
        |pipe| pack(&host, &from, "", true, owners(0), Timed(pipe, deadline)),
        |pipe| unpack(root, &wanted.to, owners(base), pipe),
    )
}

fn directory_up(root: &Root, base: u32, wanted: &Copy, deadline: Instant) -> io::Result<()> {
    let host = Root::open(Path::new("/"))?;
    let to = on_host(&wanted.to)?;
    root.file(&wanted.from, OFlags::PATH | OFlags::DIRECTORY)?;
    match std::fs::create_dir(&to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    through(
        |pipe| {
            let from = wanted.from.as_str();
            pack(root, from, "", true, owners(base), Timed(pipe, deadline))
        },
        |pipe| unpack(&host, &to, owners(0), pipe),
    )
}

fn file_down(root: &Root, base: u32, wanted: &Copy, deadline: Instant) -> io::Result<()> {
    let from = regular(File::open(&wanted.from)?)?;
    root.make_file(&wanted.to, base)?;
    let to = File::from(root.file(&wanted.to, OFlags::WRONLY | OFlags::TRUNC)?);
    stream(&from, &to, deadline)?;
    if from.metadata()?.permissions().mode() & EXECUTE != 0 {
        let mode = to.metadata()?.permissions().mode() | EXECUTE;
        to.set_permissions(PermissionsExt::from_mode(mode))?;
    }
    Ok(())
}

fn file_up(root: &Root, wanted: &Copy, deadline: Instant) -> io::Result<()> {
    let from: OwnedFd = root.file(&wanted.from, OFlags::RDONLY)?;
    let from = regular(from.into())?;
    let to = File::create(&wanted.to)?;
    stream(&from, &to, deadline)
}

fn stream(mut from: &File, to: &File, deadline: Instant) -> io::Result<()> {
    // Not by its size: files of the kernel's have none.
    io::copy(&mut from, &mut Timed(to, deadline)).map(drop)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// A path of the host, from its root on.
fn on_host(path: &str) -> io::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

/// Takes nothing any more after its time.
struct Timed<W>(W, Instant);

impl<W: Write> Write for Timed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if Instant::now() >= self.1 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
