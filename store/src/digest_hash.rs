//! Tables whose keys are digests.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes a [`DigestHasher`].
pub(crate) type BuildDigestHasher = BuildHasherDefault<DigestHasher>;

/// Takes the end of a digest, or of a part of one, for its hash: there is nothing to mix.
#[derive(Debug, Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(end) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*end);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
