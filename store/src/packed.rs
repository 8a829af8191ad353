//! What layers became when they were packed for elsewhere: `packed/<id>-<encoding>`, one line
//! `DIFF_ID BLOB SIZE`. It saves packing a layer to learn that it is there already, and may be
//! removed at any time.

use crate::error::Result;
use crate::id::Digest;
use crate::store::{Store, read_optional};

/// A layer as it is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedLayer {
    /// Digest of its archive.
    pub diff_id: Digest,
    /// Digest of the archive as it is compressed.
    pub blob: Digest,
    /// Bytes of that.
    pub size: u64,
}

impl Store {
    /// What a layer became in this encoding, if it was noted. `id` names the layer or its archive.
    pub fn packed(&self, id: &str, encoding: &str) -> Option<PackedLayer> {
        let path = self.root().join("packed").join(format!("{id}-{encoding}"));
        let text = String::from_utf8(read_optional(&path).ok()??).ok()?;
        let mut words = text.split_whitespace();
        let packed = PackedLayer {
            diff_id: words.next()?.parse().ok()?,
            blob: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(packed)
    }

    /// Notes what a layer became; the encoding's name has to stand for its bytes.
    pub fn note_packed(&self, id: &str, encoding: &str, packed: &PackedLayer) -> Result<()> {
        let path = self.root().join("packed").join(format!("{id}-{encoding}"));
        let PackedLayer {
            diff_id,
            blob,
            size,
        } = packed;
        self.write_beside(&path, format!("{diff_id} {blob} {size}\n").as_bytes())
    }
}
