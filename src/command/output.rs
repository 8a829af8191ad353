//! A file that a command writes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::failure::Failure;
use crate::oci::Error;

/// Writes a file that appears when it is complete; what is no plain file is written to directly.
pub(super) fn into_file<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error: io::Error| Failure::from(Error::io(path.display(), error));
    if fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        return write(&mut BufWriter::with_capacity(1 << 20, file));
    }
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let file = tempfile::Builder::new()
        .prefix(".unfinished-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(parent.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let result = write(&mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(result)
}
