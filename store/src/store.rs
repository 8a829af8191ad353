//! Opening a store, and how files get into it.
//!
//! A store that is open for writing holds a shared lock on `lock`; whoever must be alone takes it
//! exclusively. A store that is open for reading takes none, so it may lie on a read-only mount.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{FlockOperation, flock, syncfs};
use rustix::io::Errno;

use crate::error::{At as _, Error, Result};
use crate::id::TreeId;
use crate::index::Index;
use crate::lease::{Boot, Lease};
use crate::meta;
use crate::unnamed::{link_open, unnamed};

/// What the caller wants to do with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and write; the store is made if there is none.
    ReadWrite,
    /// Read only; nothing at all is written.
    ReadOnly,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    access: Access,
    directory: File,
    _lock: Option<File>,
    pub(crate) index: Mutex<Option<Index>>,
    /// What keeps the collector away from what we put in.
    pub(crate) lease: Mutex<Option<Lease>>,
    /// Whether something was put in since the last sync.
    pub(crate) unsynced: Arc<AtomicBool>,
    /// Trees that we build upon.
    pub(crate) held: Mutex<HashMap<TreeId, File>>,
}

pub(crate) const DIRECTORIES: &[&str] = &[
    "objects",
    "trees",
    "layers",
    "blobs/sha256",
    "packed",
    "partial",
    "metadata",
    "realisations",
    "checkouts",
    "roots/images",
    "logs",
    "locks",
    "stage",
    "trash",
];

const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Everything in here can be made again by racker.\n";

impl Store {
    /// Opens the store in this directory. Cheap where there is one: it reads one small file.
    pub fn open(root: &Path, access: Access) -> Result<Self> {
        let root = std::path::absolute(root).at("find", root)?;
        let meta = root.join("meta.toml");
        let text = match fs::read_to_string(&meta) {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && access == Access::ReadWrite =>
            {
                create(&root)?;
                fs::read_to_string(&meta).at("read", &meta)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Format {
                    path: root,
                    reason: "there is no meta.toml".into(),
                });
            }
            result => result.at("read", &meta)?,
        };
        let writable = meta::check(&root, &text)?;
        let access = if writable { access } else { Access::ReadOnly };
        let lock = match access {
            Access::ReadWrite => {
                let path = root.join("lock");
                let file = File::options()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .open(&path)
                    .at("open", &path)?;
                retry(|| flock(&file, FlockOperation::LockShared)).at("lock", &path)?;
                Some(file)
            }
            Access::ReadOnly => None,
        };
        let directory = File::open(&root).at("open", &root)?;
        Ok(Self {
            root,
            access,
            directory,
            _lock: lock,
            index: Mutex::new(None),
            lease: Mutex::new(None),
            unsynced: Arc::default(),
            held: Mutex::default(),
        })
    }

    /// Directory of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What may be done with the store; a store with features that are only known to be readable
    /// is open for reading, whatever was asked for.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Directory of the objects, the data-only lower layer of a mounted tree.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Directory for what is kept of containers: one directory each, in which the file `tree` names
    /// the tree that it runs on and so keeps alive. Not made yet in a new store.
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// Directory for the data of named volumes. Not made yet in a new store.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// Directory for the locks of curated labels.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Directory for what was learned of trees by booting them; of no meaning to the store.
    pub fn probes(&self) -> PathBuf {
        self.root.join("probes")
    }

    /// Makes everything durable that was put in so far, by others too.
    pub fn sync(&self) -> Result<()> {
        if self.access == Access::ReadOnly {
            return Ok(());
        }
        let left = self.left_leases(Boot::This)?;
        self.unsynced.store(false, Ordering::Release);
        if let Err(error) = syncfs(&self.directory) {
            self.put_in();
            return Err(error).at("sync", &self.root);
        }
        for (path, _locked) in left {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Notes that something is in its place and not synced.
    pub(crate) fn put_in(&self) {
        self.unsynced.store(true, Ordering::Release);
    }

    /// Makes durable what was put in so far, while `work` puts in the rest. Most of what there is to sync
    /// are file bodies, and they come first.
    pub fn sync_beside<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let (synced, done) = std::thread::scope(|scope| {
            let bodies = scope.spawn(|| self.sync());
            let done = work();
            let synced = bodies.join().expect("a syncing thread does not panic");
            (synced, done)
        });
        synced.map(|()| done)
    }

    pub(crate) fn writable(&self) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly {
                path: self.root.clone(),
            }),
        }
    }

    /// A name in `stage/` that no other process and no other call uses.
    pub(crate) fn stage_name(&self) -> PathBuf {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let time = std::time::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.root
            .join(format!("stage/{}-{time:x}-{number}", std::process::id()))
    }

    /// Writes a whole file: complete under a temporary name, then moved into place.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.lease()?;
        self.write(path, bytes, false)?;
        self.put_in();
        Ok(())
    }

    /// [`Store::write_file`] for what refers to other files: everything that was put in so far is made durable
    /// before it is in its place. Its name is durable with the next sync.
    pub(crate) fn write_durable(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.lease()?;
        self.write(path, bytes, true)
    }

    /// [`Store::write_file`] for what is kept as long as something else is.
    pub(crate) fn write_beside(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.write(path, bytes, false)
    }

    fn write(&self, path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
        self.writable()?;
        let stage = self.stage_name();
        // A sync takes long, and whoever is killed meanwhile is to leave nothing.
        let parent = stage.parent().filter(|_| durable);
        let nameless = parent.map_or(Ok(None), |parent| unnamed(parent, 0o644));
        let (mut file, named) = match nameless.at("write", &stage)? {
            Some(file) => (file, false),
            None => {
                let mut options = File::options();
                let options = options.write(true).create_new(true).mode(0o644);
                (options.open(&stage).at("write", &stage)?, true)
            }
        };
        file.write_all(bytes).at("write", &stage)?;
        if durable {
            self.sync()?;
        }
        if !named {
            link_open(&file, &stage).at("create", &stage)?;
        }
        place(&stage, path)
    }
}

/// Whether a file is there. After a power cut a file that was never synced may be there and empty:
/// such a one counts as missing, so that it is made again.
pub(crate) fn present(path: &Path) -> bool {
    path.metadata().is_ok_and(|stat| stat.len() > 0)
}

/// Moves a finished file or directory out of `stage/`, making the directory it goes to.
pub(crate) fn place(stage: &Path, path: &Path) -> Result<()> {
    match fs::rename(stage, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(path);
            fs::create_dir_all(parent).at("create", parent)?;
            fs::rename(stage, path).at("create", path)
        }
        result => result.at("create", path),
    }
}

/// Tries again for as long as a signal comes in between.
pub(crate) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Reads a file that may not be there.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.at("read", path).map(Some),
    }
}

/// Entries of a directory that may not be there, sorted.
pub(crate) fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.at("list", path)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.at("list", path)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Makes a directory of the store, unless it is there.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o755).create(path);
    made.at("create", path)
}

/// Lays out a new store; `meta.toml` comes last, so a crash before it means "no store yet".
fn create(root: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .at("create", root)?;
    let foreign = list(root)?.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default();
        let ours = |known: &&str| known.split('/').next().is_some_and(|first| name == first);
        !DIRECTORIES.iter().any(ours)
            && name != "lock"
            && name != "lost+found"
            // Another process may be at this too, and has parts of them.
            && !["CACHEDIR.TAG", "meta.toml"]
                .iter()
                .any(|ours| name.to_string_lossy().starts_with(ours))
    });
    if let Some(foreign) = foreign {
        let reason = format!("the directory is not empty, it has {}", foreign.display());
        return Err(Error::Format {
            path: root.to_owned(),
            reason,
        });
    }
    for name in DIRECTORIES {
        create_directory(&root.join(name))?;
    }
    for shard in 0..=u8::MAX {
        create_directory(&root.join(format!("objects/{shard:02x}")))?;
    }
    // A file that is synced may be there without what is beside it: btrfs logs it alone.
    let directory = File::open(root).at("open", root)?;
    syncfs(&directory).at("sync", root)?;
    for (name, text) in [("CACHEDIR.TAG", CACHEDIR_TAG), ("meta.toml", meta::TEXT)] {
        let path = root.join(name);
        let new = root.join(format!("{name}.{}", std::process::id()));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().at("create", &path)?;
    }
    Ok(())
}
