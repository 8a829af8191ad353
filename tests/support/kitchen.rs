//! A recipe's directory.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::shared::copy_store;
use super::{Output, Racker, mini, repository, shared, shared_lock, temporary};

/// A directory with a recipe, and a store of its own.
#[derive(Debug)]
pub(crate) struct Kitchen {
    directory: TempDir,
    pub(crate) racker: Racker,
}

impl Kitchen {
    /// With an empty store.
    pub(crate) fn new() -> Self {
        let directory = temporary();
        let racker = Racker::new(&directory.path().join("store")).at(directory.path());
        Self { directory, racker }
    }

    /// With a copy of the shared store, quickstart's recipe, its files, and its lock.
    pub(crate) fn with_quickstart() -> Self {
        let kitchen = Self::new();
        copy_store(shared().store(), kitchen.racker.store());
        let recipes = repository().join("recipes");
        for file in ["quickstart.toml", "quickstart/index.html"] {
            kitchen.write(file, &fs::read_to_string(recipes.join(file)).unwrap());
        }
        fs::copy(shared_lock(), kitchen.path("quickstart.lock")).unwrap();
        kitchen
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file of the directory.
    #[track_caller]
    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(old), "{name} has no {old:?}");
        fs::write(self.path(name), text.replace(old, new)).unwrap();
    }

    /// Writes a recipe on top of [`mini`].
    pub(crate) fn recipe(&self, name: &str, rest: &str) {
        self.write(name, &format!("from = \"{}\"\n{rest}", mini().display()));
    }

    /// Bakes a recipe of the directory.
    pub(crate) fn bake(&self, name: &str) -> Output {
        self.racker.run(&["bake", name])
    }
}
