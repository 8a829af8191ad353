//! The directory that host and guest share while a job runs.
//!
//! ```text
//! <exchange>/            = /run/racker in the guest, owned by the guest's root, writable
//!     lists/ cache/      metadata of the repositories; shared by the steps of a recipe
//!     result/            what a job found out, written by the guest
//!     repo/              the synthetic repository of an install phase, written by the host
//!     install/           configuration of an install phase
//! ```
//!
//! The guest is not trusted: whatever it wrote is read without following a symbolic link and only
//! up to a limit. Files that the host writes go to directories that the host makes anew.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::job::Bind;
use super::{Error, Result};

/// Where the guest finds the directory.
pub const GUEST: &str = "/run/racker";

/// The largest file that is read back.
const LIMIT: u64 = 64 << 20;

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
        let path = self.host.join(relative);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let inner = || -> io::Result<Option<String>> {
            let directory = rustix::fs::open(
                &self.host,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let file =
                match rustix::fs::openat2(&directory, relative, flags, Mode::empty(), resolve) {
                    Ok(file) => fs::File::from(file),
                    Err(rustix::io::Errno::NOENT) => return Ok(None),
                    Err(error) => return Err(error.into()),
                };
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("not a regular file"));
            }
            let mut bytes = Vec::new();
            file.take(LIMIT).read_to_end(&mut bytes)?;
            Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
        };
        inner().map_err(Error::io(&path))
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
        let fresh = exchange.fresh("other").unwrap();
        assert!(fs::read_dir(fresh).unwrap().next().is_none());
        assert!(result.join("good").exists());
    }
}
