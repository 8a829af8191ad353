//! Files and directories that a command writes, which appear when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::oci::Error;
use crate::replace::{parent, plain_file};

/// Writes a file that appears when it is complete; what is no plain file is written to directly.
pub(super) fn into_file<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error: io::Error| Failure::from(Error::io(path.display(), error));
    if fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let result = write(&mut out)?;
        out.flush().map_err(failed)?;
        return Ok(result);
    }
    let path = &plain_file(path).map_err(failed)?;
    let file = Unfinished::beside(path).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let result = write(&mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.complete(path).map_err(failed)?;
    Ok(result)
}

/// A file that has no name yet, so that nothing is left of it if we are killed; where the file system
/// knows no such files, one with a name that says so.
enum Unfinished {
    Unnamed(File),
    Named(NamedTempFile),
}

impl Unfinished {
    fn beside(path: &Path) -> io::Result<Self> {
        let mode = 0o644;
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match rustix::fs::open(parent(path), flags, Mode::from_raw_mode(mode)) {
            Ok(file) => Ok(Self::Unnamed(file.into())),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => unfinished()
                .permissions(fs::Permissions::from_mode(mode))
                .tempfile_in(parent(path))
                .map(Self::Named),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives it its name, in the place of what has that.
    fn complete(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Unnamed(file) => {
                let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
                let link = |name: &Path| {
                    linkat(CWD, &itself, CWD, name, AtFlags::SYMLINK_FOLLOW)?;
                    Ok(())
                };
                unfinished().make_in(parent(path), link)?.persist(path)?;
            }
            Self::Named(file) => drop(file.persist(path)?),
        }
        Ok(())
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unnamed(file) => file.write(bytes),
            Self::Named(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has `write` make something new at the path that it is given, and moves it to `path`.
pub(super) fn into_place(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::from(Error::io(path.display(), error));
    let beside = unfinished().tempdir_in(parent(path)).map_err(failed)?;
    let made = beside.path().join("made");
    write(&made)?;
    fs::rename(&made, path).map_err(failed)
}

fn unfinished() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    builder
}
