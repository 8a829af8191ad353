//! Taking a file away in two steps, so that one that somebody needs after all comes back.
//!
//! In `trash/` it is called `<moment>+<path>`, `/` written as `+`: the moment is when the collection
//! began. Whoever finds it there without a collector gives it back if it was freshened since.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, flock, linkat, lstat};
use rustix::io::Errno;

use crate::error::{At as _, Result};
use crate::lease::{Moment, changed, modified};
use crate::store::{Store, list, retry};

/// What became of a file that was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is gone, and so many bytes are free.
    Gone(u64),
    /// Somebody needs it.
    Spared,
}

/// The right to collect; one process has it at a time.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    pub(super) store: &'a Store,
    _lock: File,
    /// When it began.
    pub(super) began: Moment,
    /// What was changed at this moment or later stays.
    pub(super) cutoff: Moment,
}

impl<'a> Collector<'a> {
    /// Waits for its turn.
    pub(super) fn begin(store: &'a Store) -> Result<Self> {
        store.writable()?;
        let path = store.root().join("trash");
        let lock = File::open(&path).at("open", &path)?;
        retry(|| flock(&lock, FlockOperation::LockExclusive)).at("lock", &path)?;
        // The clock of the file system is behind ours.
        crate::lease::touch(&path).at("change the time of", &path)?;
        let began = changed(&rustix::fs::fstat(&lock).at("read", &path)?);
        let cutoff = store
            .oldest_lease()?
            .map_or(began, |oldest| oldest.min(began));
        Ok(Self {
            store,
            _lock: lock,
            began,
            cutoff,
        })
    }

    /// Takes a file away, unless somebody changed it since the cutoff.
    pub(super) fn discard(&self, path: &Path) -> Result<Fate> {
        let before = match lstat(path) {
            Err(Errno::NOENT) => return Ok(Fate::Gone(0)),
            result => result.at("read", path)?,
        };
        if changed(&before) >= self.cutoff {
            return Ok(Fate::Spared);
        }
        let trash = self.name(path);
        match fs::rename(path, &trash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fate::Gone(0)),
            result => result.at("remove", path)?,
        }
        let after = lstat(&trash).at("read", &trash)?;
        let same = modified(&before) == modified(&after) && before.st_ino == after.st_ino;
        if !same {
            give_back(&trash, path)?;
            return Ok(Fate::Spared);
        }
        let gone = if after.st_mode & 0o170_000 == 0o040_000 {
            fs::remove_dir_all(&trash)
        } else {
            fs::remove_file(&trash)
        };
        gone.at("remove", &trash)?;
        Ok(Fate::Gone(freed(&after)))
    }

    fn name(&self, path: &Path) -> PathBuf {
        let root = self.store.root();
        let (seconds, nanoseconds) = self.began;
        let name = format!("{seconds}.{nanoseconds:09}+{}", escaped(root, path));
        root.join("trash").join(name)
    }
}

/// The path of a file in the store as part of one name.
fn escaped(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('/', "+")
}

/// Bytes that are free once this name is gone.
pub(super) fn freed(stat: &rustix::fs::Stat) -> u64 {
    let directory = stat.st_mode & 0o170_000 == 0o040_000;
    if stat.st_nlink == 1 || directory {
        stat.st_blocks as u64 * 512
    } else {
        0
    }
}

/// Gives a file its name back; who made it anew meanwhile has made the same.
fn give_back(trash: &Path, path: &Path) -> Result<()> {
    match linkat(CWD, trash, CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::EXIST) => fs::remove_file(trash).at("remove", trash),
        Err(error) => Err(error).at("create", path),
    }
}

/// Where a file in the trash was, if it came there from a collection and was freshened since then.
fn freshened(root: &Path, trash: &Path) -> Option<PathBuf> {
    let name = trash.file_name()?.to_str()?;
    let (began, path) = name.split_once('+')?;
    let (seconds, nanoseconds) = began.split_once('.')?;
    let began: Moment = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
    let stat = lstat(trash).ok()?;
    let file = stat.st_mode & 0o170_000 == 0o100_000;
    (file && modified(&stat) >= began).then(|| root.join(path.replace('+', "/")))
}

impl Store {
    /// Opens a file of the store, wherever it is: a collector may have its name for a moment.
    pub(crate) fn found<T>(
        &self,
        path: &Path,
        open: impl Fn(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let missing = |result: &io::Result<T>| matches!(result, Err(error) if error.kind() == io::ErrorKind::NotFound);
        loop {
            let result = open(path);
            if !missing(&result) {
                return result;
            }
            let Some(trash) = self.in_trash(path) else {
                // It may have come back just before that look.
                return open(path);
            };
            let result = open(&trash);
            if !missing(&result) {
                return result;
            }
        }
    }

    /// The bytes of a file that may not be there, and that a collector may have for a moment.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.found(path, |path| fs::read(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.at("read", path).map(Some),
        }
    }

    /// Where a file is that a collector has.
    fn in_trash(&self, path: &Path) -> Option<PathBuf> {
        let trash = list(&self.root().join("trash")).ok()?;
        let wanted = escaped(self.root(), path);
        trash.into_iter().find(|it| {
            let name = it.file_name().unwrap_or_default().to_string_lossy();
            name.split_once('+').is_some_and(|(_, path)| path == wanted)
        })
    }

    /// Removes what is in `trash/`. What a collector put there is its own as long as there is one.
    pub(crate) fn empty_trash(&self) -> Result<()> {
        let directory = self.root().join("trash");
        let lock = File::open(&directory).at("open", &directory)?;
        let alone = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        self.remove_trash(alone)
    }

    /// [`Store::empty_trash`]; `all` says that no collector is at work, or that we are it.
    pub(super) fn remove_trash(&self, all: bool) -> Result<()> {
        for path in list(&self.root().join("trash"))? {
            let collected = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().contains(&b'+'));
            if collected && !all {
                continue;
            }
            if let Some(home) = freshened(self.root(), &path) {
                give_back(&path, &home)?;
                continue;
            }
            let gone = if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            // Another process may be sweeping as well.
            if let Err(error) = gone
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error).at("remove", &path);
            }
        }
        Ok(())
    }
}
