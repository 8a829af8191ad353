//! How those that put things in and the collector get along without waiting for each other.
//!
//! - Whoever puts something in has a *lease* first: the file `locks/lease-...`, locked as long as the
//!   store is open. Nothing that is as young as the oldest lease is collected.
//! - What is found where it was to be put is *freshened*: made as young as the lease. So it does not
//!   matter whether a thing was there before or is new.
//! - A tree that is built upon, and stays as it is, is *held*: its manifest is locked. Nothing is
//!   written for that.
//!
//! - A collector takes the name of a file away before it sees for certain that nobody freshened it,
//!   and gives it back if somebody did. Whoever reads looks for a missing file where it is meanwhile:
//!   [`Store::found`].
//!
//! - A lease that ends before what was put in is synced is left behind. One of another start of the machine
//!   says that the power failed: see [`recover`](crate::recover).
//!
//! Young means by the time of the last change of the inode, which nobody can set: the time of the
//! last change of the bytes comes with files that are moved in.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, CWD, FlockOperation, Stat, Timespec, Timestamps, UTIME_NOW, flock};
use rustix::io::Errno;

use crate::error::{At as _, Result};
use crate::id::TreeId;
use crate::store::{Access, Store, list, retry};

/// A moment by the clock of the file system: seconds and nanoseconds since 1970.
pub(crate) type Moment = (i64, i64);

/// When the inode was changed last.
pub(crate) fn changed(stat: &Stat) -> Moment {
    (stat.st_ctime, stat.st_ctime_nsec as i64)
}

/// When the bytes were changed last.
pub(crate) fn modified(stat: &Stat) -> Moment {
    (stat.st_mtime, stat.st_mtime_nsec as i64)
}

/// How the names of leases begin; the start of the machine and a dot follow.
const LEASE: &str = "lease-";

/// Whose leases are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boot {
    /// Those since the machine was started.
    This,
    /// Those from before.
    Another,
}

/// The right to have young things left alone.
#[derive(Debug)]
pub(crate) struct Lease {
    path: PathBuf,
    _lock: File,
    since: Moment,
    /// Whether something that was put in is not synced.
    unsynced: Arc<AtomicBool>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.unsynced.load(Ordering::Acquire) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Store {
    /// Has a lease from now on; since when.
    pub(crate) fn lease(&self) -> Result<Moment> {
        self.writable()?;
        let mut lease = self
            .lease
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(lease) = &*lease {
            return Ok(lease.since);
        }
        self.recover()?;
        loop {
            let name = self.stage_name();
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            let path = self.locks().join(format!("{LEASE}{}.{name}", boot_id()));
            let lock = File::create_new(&path).at("create", &path)?;
            retry(|| flock(&lock, FlockOperation::LockExclusive)).at("lock", &path)?;
            // Only now: a collector that saw it without a lock looked before this moment.
            match touch(&path) {
                // A collector took it away for one that nobody has any more.
                Err(Errno::NOENT) => continue,
                result => result.at("change the time of", &path)?,
            }
            let since = changed(&rustix::fs::fstat(&lock).at("read", &path)?);
            *lease = Some(Lease {
                path,
                _lock: lock,
                since,
                unsynced: Arc::clone(&self.unsynced),
            });
            return Ok(since);
        }
    }

    /// Whether a file is there and not empty, and if so makes it as young as the lease.
    pub(crate) fn freshen(&self, path: &Path) -> Result<bool> {
        match rustix::fs::stat(path) {
            Ok(stat) if stat.st_size > 0 => self.freshen_file(path, &stat),
            Ok(_) | Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).at("read", path),
        }
    }

    /// [`Store::freshen`] of a file that was looked at already.
    pub(crate) fn freshen_file(&self, path: &Path, stat: &Stat) -> Result<bool> {
        if changed(stat) >= self.lease()? {
            return Ok(true);
        }
        match touch(path) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).at("change the time of", path),
        }
    }

    /// Keeps a tree from being collected as long as this store is open; says whether it is there.
    pub fn hold(&self, id: TreeId) -> Result<bool> {
        if self.access() == Access::ReadWrite {
            let path = self.tree_path(id, "tree");
            let file = loop {
                let file = match self.found(&path, |path| File::open(path)) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        return Ok(false);
                    }
                    result => result.at("open", &path)?,
                };
                retry(|| flock(&file, FlockOperation::LockShared)).at("lock", &path)?;
                // A collector may have taken it away before it was locked, or somebody who made the
                // same tree put his own in its place.
                let here = fs::metadata(&path).is_ok_and(|now| {
                    let then = file.metadata();
                    then.is_ok_and(|then| (now.dev(), now.ino()) == (then.dev(), then.ino()))
                });
                if here {
                    break file;
                }
                // Not by a collector that is at work: one that was killed left it to others.
                self.empty_trash()?;
            };
            let mut held = self
                .held
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            held.entry(id).or_insert(file);
        }
        Ok(self.has_tree(id))
    }

    /// Since when the oldest lease is held; none where there is none.
    pub(crate) fn oldest_lease(&self) -> Result<Option<Moment>> {
        self.recover()?;
        let mut oldest = None;
        for path in self.leases()? {
            let Some(file) = File::open(&path).ok().filter(|it| !is_free(it)) else {
                continue;
            };
            let since = changed(&rustix::fs::fstat(&file).at("read", &path)?);
            oldest = Some(oldest.map_or(since, |oldest: Moment| oldest.min(since)));
        }
        Ok(oldest)
    }

    /// Leases that nobody has any more: whoever had one was killed, or failed. Whoever is just about to lock
    /// one of them waits as long as this is kept, and then finds it gone.
    pub(crate) fn left_leases(&self, boot: Boot) -> Result<Vec<(PathBuf, File)>> {
        let ours = format!("{LEASE}{}.", boot_id());
        let mut left = self.leases()?;
        left.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&ours) == (boot == Boot::This)
        });
        let left = left.into_iter().filter_map(|path| {
            let file = File::open(&path).ok().filter(is_free)?;
            Some((path, file))
        });
        Ok(left.collect())
    }

    fn leases(&self) -> Result<Vec<PathBuf>> {
        let mut found = list(&self.locks())?;
        found.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(LEASE)
        });
        Ok(found)
    }
}

/// Whether nobody has a lease locked, which as long as the file is open nobody will.
fn is_free(lease: &File) -> bool {
    retry(|| flock(lease, FlockOperation::NonBlockingLockShared)).is_ok()
}

/// What tells this start of the machine from others. Source: `random(4)`.
fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map_or_else(|_| "unknown".into(), |id| id.trim().to_owned())
    })
}

/// Says that a file was changed now.
pub(crate) fn touch(path: &Path) -> rustix::io::Result<()> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
}
