//! People's files, which are replaced at once: whoever reads one finds the old or the new bytes.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use racker_store::{link_open, unnamed};
use tempfile::NamedTempFile;

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
    let mut new = Unfinished::beside(&path, mode)?;
    new.write_all(bytes)?;
    new.file().sync_data()?;
    new.complete(&path)?;
    File::open(parent(&path))?.sync_all()
}

/// A file that has no name yet, so that nothing is left of it if we are killed; where the file system
/// knows no such files, one with a name that says so.
pub(crate) enum Unfinished {
    Unnamed(File),
    Named(NamedTempFile),
}

impl Unfinished {
    /// One that can get the name `path`.
    pub(crate) fn beside(path: &Path, mode: u32) -> io::Result<Self> {
        let directory = parent(path);
        Ok(match unnamed(directory, mode)? {
            Some(file) => Self::Unnamed(file),
            None => {
                let mut builder = unfinished();
                let builder = builder.permissions(Permissions::from_mode(mode));
                Self::Named(builder.tempfile_in(directory)?)
            }
        })
    }

    fn file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Gives it its name, in the place of what has that.
    pub(crate) fn complete(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Unnamed(file) => {
                let link = |name: &Path| Ok(link_open(&file, name)?);
                unfinished().make_in(parent(path), link)?.persist(path)?;
            }
            Self::Named(file) => drop(file.persist(path)?),
        }
        Ok(())
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How what is not complete is called, where it needs a name.
pub(crate) fn unfinished() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    builder
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
