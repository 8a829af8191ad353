//! What was learned of a tree by booting it, kept beside the store so that it need not be learned
//! twice: `probes/<tree id>.json`. It may be removed at any time.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use racker_store::{Access, Store, TreeId};
use serde::{Deserialize, Serialize};

/// What is known of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Learned {
    /// The units that fail in it when nothing is done with it; none where that was never looked at.
    pub failed_units: Option<Vec<String>>,
    /// The paths that a boot of it makes; none where that was never looked at.
    pub boot_paths: Option<Vec<String>>,
    /// Units that were once started in it and watched for long enough.
    pub settled_units: BTreeSet<String>,
}

impl Learned {
    /// What is known so far; nothing where it cannot be read.
    pub fn of(store: &Store, tree: TreeId) -> Self {
        let bytes = fs::read(path(store, tree)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps it if it is news. That this fails costs time later, and nothing else.
    pub fn keep(&self, store: &Store, tree: TreeId) {
        if store.access() != Access::ReadWrite || *self == Self::of(store, tree) {
            return;
        }
        let write = || -> Result<(), Box<dyn std::error::Error>> {
            fs::create_dir_all(store.probes())?;
            // Who is killed leaves what is swept from there.
            let unfinished = store.stage()?;
            let file = unfinished.path().join("learned");
            fs::write(&file, serde_json::to_vec(self)?)?;
            Ok(fs::rename(file, path(store, tree))?)
        };
        let _ = write();
    }
}

fn path(store: &Store, tree: TreeId) -> PathBuf {
    store.probes().join(format!("{tree}.json"))
}
