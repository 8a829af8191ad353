//! How many bytes may be kept.

use walkdir::WalkDir;

use super::Policy;
use crate::error::{At as _, Result};
use crate::store::Store;

/// The tighter of the two limits of a policy; none where nothing is limited.
pub(super) fn limit(store: &Store, policy: &Policy) -> Result<Option<u64>> {
    let by_free = match policy.min_free {
        None => None,
        Some(wanted) => {
            let free = store.free()?;
            (free < wanted).then(|| occupied(store).saturating_sub(wanted - free))
        }
    };
    Ok([policy.max_size, by_free].into_iter().flatten().min())
}

impl Store {
    /// Bytes that are free on the store's file system, but for what it keeps for root.
    pub fn free(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(self.root()).at("measure", self.root())?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

/// Bytes on the disk of all that a collection may take away.
fn occupied(store: &Store) -> u64 {
    ["objects", "trees", "layers", "blobs"]
        .iter()
        .flat_map(|name| WalkDir::new(store.root().join(name)))
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|it| std::os::unix::fs::MetadataExt::blocks(&it) * 512)
        .sum()
}
