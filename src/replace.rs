//! People's files, which are replaced at once: whoever reads one finds the old or the new bytes.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The plain file that `path` names or will name, behind symbolic links.
///
/// Errors: `InvalidInput` where something else is there, such as a device, in whose place nothing may
/// be put.
pub(crate) fn plain_file(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this is no plain file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

/// The directory that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Puts `bytes` into the file at `path` ([`plain_file`]) and syncs it.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = plain_file(path)?;
    let parent = parent(&path);
    let mut new = tempfile::Builder::new()
        .prefix(".unfinished-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(parent)?;
    new.write_all(bytes)?;
    new.as_file().sync_data()?;
    new.persist(&path)?;
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn links_are_followed_and_what_is_no_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        replace(&at("file"), b"one", 0o600).unwrap();
        symlink("file", at("link")).unwrap();
        replace(&at("link"), b"two", 0o640).unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"two");
        assert_eq!(
            fs::metadata(at("file")).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let error = replace(&at("pipe"), b"three", 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
