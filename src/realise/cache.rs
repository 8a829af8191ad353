//! Directories that a `run` step keeps between builds and out of the image.
//!
//! ```text
//! <store>/caches/<id>/data   what the step left there, owned as the step saw it
//!                     lock   held by the step that uses it
//! ```
//!
//! The id is made of the recipe's name and the path: recipes share no cache, steps of one recipe
//! do. What is in a cache is in no key and in no layer, and may be deleted at any time.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use racker_store::Store;
use rustix::fs::{FlockOperation, flock};

use super::Error;
use crate::container::users::User;

/// A cache that this step has to itself.
#[derive(Debug)]
pub(super) struct Cache {
    name: String,
    directory: PathBuf,
    target: String,
    _lock: File,
}

impl Cache {
    /// Waits for the cache of a path; an empty one that `user` owns where there is none.
    pub(super) fn open(
        store: &Store,
        recipe: &str,
        path: &str,
        user: &User,
    ) -> Result<Self, Error> {
        let id = blake3::hash(format!("{recipe}\0{path}").as_bytes()).to_hex();
        let home = store.root().join("caches").join(&id[..32]);
        let directory = home.join("data");
        let open = || {
            fs::create_dir_all(&home)?;
            let lock = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(home.join("lock"))?;
            rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))?;
            if !directory.exists() {
                fs::create_dir(&directory)?;
                chown(&directory, Some(user.uid), Some(user.gid))?;
            }
            Ok(lock)
        };
        let lock = open().map_err(Error::io(format!("open the cache of {path}")))?;
        Ok(Self {
            name: format!("cache-{}", &id[..32]),
            directory,
            target: path.to_owned(),
            _lock: lock,
        })
    }

    /// A name for the place where it is mounted.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where its files are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the step wants it.
    pub(super) fn target(&self) -> &str {
        &self.target
    }
}
