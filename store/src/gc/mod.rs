//! Taking away what nobody needs.
//!
//! ```text
//! roots   images, containers, what is held, what is young; realisations and blobs by age
//! plan    roots -> marks: trees, layers, archives, logs, objects      (mark, plan)
//! sweep   realisations, trees, layers, archives; then objects         (sweep, trash)
//! ```
//!
//! Nobody waits for the collector: how it knows what others are about to need says
//! [`lease`](crate::lease). It looks at every file once more when it has taken its name away, and gives
//! that back if somebody freshened the file meanwhile. What refers to objects goes before them, and
//! what of it stays after all keeps its objects. It writes nothing, so it works on a full disk, and
//! may be killed at any time: what it leaves is garbage.

mod limits;
mod mark;
mod objects;
mod plan;
mod sweep;
pub(crate) mod trash;

use std::collections::BTreeMap;
use std::time::Duration;

/// What is to be kept.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Results of steps and fetched files that nobody used for this long go.
    pub older_than: Duration,
    /// Names of images that go too once they were there for this long and nothing kept was made
    /// from them.
    pub images: Vec<String>,
    /// Bytes that what is kept may take; the longest unused goes first.
    pub max_size: Option<u64>,
    /// Bytes that the store's file system is to have free.
    pub min_free: Option<u64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            older_than: Duration::from_secs(30 * 24 * 3600),
            images: Vec::new(),
            max_size: None,
            min_free: None,
        }
    }
}

/// Files and the bytes that they take on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many files.
    pub files: u64,
    /// Bytes on the disk, whole blocks.
    pub bytes: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What was collected, or would be.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// Images whose names were taken away.
    pub images: Vec<String>,
    /// What else, by its kind: `objects`, `trees`, `layers`, `realisations`, `blobs`, ...
    pub kinds: BTreeMap<&'static str, Sum>,
    /// Files that stay because somebody came to need them meanwhile.
    pub spared: u64,
}

impl Collected {
    /// All together.
    pub fn total(&self) -> Sum {
        self.kinds.values().fold(Sum::default(), |sum, kind| Sum {
            files: sum.files + kind.files,
            bytes: sum.bytes + kind.bytes,
        })
    }
}
