//! Files and directories that a command writes, which appear when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::failure::Failure;
use crate::oci::Error;
use crate::replace::{Unfinished, parent, plain_file, unfinished};

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
    let file = Unfinished::beside(path, 0o644).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let result = write(&mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.complete(path).map_err(failed)?;
    Ok(result)
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
