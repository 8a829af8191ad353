//! A directory of the host to a tree.

use std::path::Path;

use crate::error::Result;
use crate::scan::{Rules, scan};
use crate::store::Store;
use crate::tree::{PathBytes, Tree};

/// How a directory is taken in.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Modification times after this (seconds since 1970) become this.
    pub clamp: Option<i64>,
    /// Paths that are left out, with everything below them.
    pub exclude: Vec<PathBytes>,
}

impl Store {
    /// Takes in a directory with everything in it that lies on the same file system: owners,
    /// modes, times, attributes and hard links as they are, an overlay's own marks left out.
    pub fn import_dir(&self, path: &Path, options: &ImportOptions) -> Result<Tree> {
        let rules = Rules {
            exclude: &options.exclude,
            clamp: options.clamp,
            ..Rules::default()
        };
        scan(self, path, &rules)?.apply(&Tree::default())
    }
}
