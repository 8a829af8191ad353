//! The directory that host and guest share while a job runs.
//!
//! ```text
//! <exchange>/            = /run/racker in the guest, owned by the guest's root, writable
//!     metadata/          what repositories say about themselves; kept for later resolutions
//!     cache/             what is made of that
//!     result/            what a job found out, written by the guest
//!     repo/              the synthetic repository of an install phase, written by the host
//!     hold/              one of packages that a resolution shall leave as they are
//!     local/             package files of the recipe
//!     resolve/ install/  configuration of a phase
//! ```
//!
//! The guest is not trusted: whatever it wrote is read without following a symbolic link and only
//! up to a limit. Files that the host writes go to directories that the host makes anew.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};

use super::job::Bind;
use super::{Error, Result};
use crate::files::open_within;

/// Where the guest finds the directory.
pub const GUEST: &str = "/run/racker";

/// What is kept of an exchange directory.
pub const METADATA: &str = "metadata";

/// The largest file that is read back.
const LIMIT: u64 = 64 << 20;
/// Directories in directories that are looked into.
const DEPTH: usize = 16;

/// An exchange directory of the host.
#[derive(Clone, Debug)]
pub struct Exchange {
    host: PathBuf,
}

impl Exchange {
    /// Takes an existing directory, which the guest's root must own.
    pub fn new(host: impl Into<PathBuf>) -> Exchange {
        Exchange { host: host.into() }
    }

    /// The directory's path on the host.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// The mount that shows the directory to a guest.
    pub fn bind(&self) -> Bind {
        Bind {
            source: self.host.clone(),
            target: GUEST.into(),
            writable: true,
        }
    }

    /// The guest's path of something in the directory.
    pub fn guest(relative: &str) -> String {
        format!("{GUEST}/{relative}")
    }

    /// Makes an empty directory, in place of whatever was there.
    pub fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.host.join(name);
        let made = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        made.and_then(|()| fs::create_dir(&path))
            .map_err(Error::io(&path))?;
        Ok(path)
    }

    /// Reads a file that a guest wrote; `None` when there is none.
    pub fn read(&self, relative: &str) -> Result<Option<String>> {
        let Some(file) = self.open(relative)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(LIMIT)
            .read_to_end(&mut bytes)
            .map_err(Error::io(&self.host.join(relative)))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Opens a regular file that a guest wrote; `None` when there is nothing.
    pub fn open(&self, relative: &str) -> Result<Option<File>> {
        let open = || -> io::Result<Option<File>> {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK;
            let Some(file) = self.beneath(relative, flags)? else {
                return Ok(None);
            };
            let file = File::from(file);
            if file.metadata()?.is_file() {
                Ok(Some(file))
            } else {
                Err(io::Error::other("not a regular file"))
            }
        };
        open().map_err(Error::io(&self.host.join(relative)))
    }

    /// Paths, sorted, of the regular files that a guest wrote below a directory. Links and
    /// everything else are passed over.
    pub fn files(&self, directory: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.walk(directory, 0, &mut found)
            .map_err(Error::io(&self.host.join(directory)))?;
        found.sort();
        Ok(found)
    }

    fn walk(&self, directory: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
        let Some(open) = self.beneath(directory, OFlags::RDONLY | OFlags::DIRECTORY)? else {
            return Ok(());
        };
        for entry in Dir::read_from(&open)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            let path = format!("{directory}/{name}");
            let stat = rustix::fs::statat(&open, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => found.push(path),
                FileType::Directory if depth < DEPTH => self.walk(&path, depth + 1, found)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Opens what is at a path, without following any link.
    fn beneath(&self, relative: &str, flags: OFlags) -> io::Result<Option<OwnedFd>> {
        let directory = rustix::fs::open(
            &self.host,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let flags = flags | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match open_within(&directory, relative.as_ref(), flags, resolve) {
            Ok(file) => Ok(Some(file)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(directory.path());
        let result = exchange.fresh("result").unwrap();
        fs::write(result.join("good"), "yes").unwrap();
        std::os::unix::fs::symlink("good", result.join("link")).unwrap();
        std::os::unix::fs::symlink(&result, directory.path().join("other")).unwrap();
        assert_eq!(
            exchange.read("result/good").unwrap().as_deref(),
            Some("yes")
        );
        assert_eq!(exchange.read("result/none").unwrap(), None);
        assert!(exchange.read("result/link").is_err());
        assert!(exchange.read("other/good").is_err());
        assert!(exchange.read("result").is_err());
        fs::create_dir(result.join("below")).unwrap();
        fs::write(result.join("below/more"), "").unwrap();
        assert_eq!(
            exchange.files("result").unwrap(),
            ["result/below/more", "result/good"]
        );
        assert!(exchange.files("other").is_err());
        assert!(exchange.files("nothing").unwrap().is_empty());
        let fresh = exchange.fresh("other").unwrap();
        assert!(fs::read_dir(fresh).unwrap().next().is_none());
        assert!(result.join("good").exists());
    }
}
