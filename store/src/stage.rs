//! Directories for work in progress.
//!
//! Each is flock'd for as long as somebody works in it. A directory without a lock was left by a
//! crash, and [`Store::sweep_stage`] takes it away.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{At as _, Result};
use crate::store::{Store, list, retry};

/// A locked directory on the store's file system, removed when dropped.
#[derive(Debug)]
pub struct StageDir {
    path: PathBuf,
    _lock: File,
}

impl StageDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the directory and gives up the lock: the caller removes it, or moves it away, before
    /// somebody calls [`Store::sweep_stage`].
    pub fn into_path(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for StageDir {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Whatever cannot be removed now is swept later.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl AsRef<Path> for StageDir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// A new empty directory (mode 0700) for work in progress.
    pub fn stage(&self) -> Result<StageDir> {
        self.writable()?;
        loop {
            let path = self.stage_name();
            fs::create_dir(&path).at("create", &path)?;
            // A sweeper may have taken it before it was locked.
            let Ok(lock) = File::open(&path) else {
                continue;
            };
            retry(|| flock(&lock, FlockOperation::LockExclusive)).at("lock", &path)?;
            if fs::symlink_metadata(&path)
                .is_ok_and(|now| lock.metadata().is_ok_and(|then| now.ino() == then.ino()))
            {
                return Ok(StageDir { path, _lock: lock });
            }
        }
    }

    /// Removes what crashed processes left in `stage/`, `trash/` and, long ago, `partial/`; says how
    /// many entries.
    pub fn sweep_stage(&self) -> Result<usize> {
        self.writable()?;
        let mut swept = self.sweep_partial()?;
        for (path, _locked) in self.left_in_stage()? {
            let trash = self
                .root()
                .join("trash")
                .join(path.file_name().unwrap_or_default());
            if fs::rename(&path, trash).is_ok() {
                swept += 1;
            }
        }
        self.empty_trash()?;
        Ok(swept)
    }

    /// What crashed processes left in `stage/`, locked.
    pub(crate) fn left_in_stage(&self) -> Result<Vec<(PathBuf, File)>> {
        let mut left = Vec::new();
        for path in list(&self.root().join("stage"))? {
            let Ok(file) = File::open(&path) else {
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let old = file
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok();
            let old = old
                .and_then(|time| time.elapsed().ok())
                .is_some_and(|age| age.as_secs() >= 3600);
            let directory = file.metadata().is_ok_and(|metadata| metadata.is_dir());
            if directory || old {
                left.push((path, file));
            }
        }
        Ok(left)
    }
}
