//! Where blobs go.

use std::io::Write;

use crate::oci::error::Result;
use crate::oci::manifest::{Blob, sha256};

/// A place that keeps blobs by their digests.
pub(super) trait Sink {
    /// Keeps what `write` writes, under the digest that it returns in the end. Nothing is kept if it
    /// fails.
    fn put(&self, write: &mut dyn FnMut(&mut dyn Write) -> Result<Blob>) -> Result<()>;

    /// Keeps a document.
    fn put_bytes(&self, bytes: &[u8]) -> Result<Blob> {
        let blob = Blob {
            digest: sha256(bytes),
            size: bytes.len() as u64,
        };
        self.put(&mut |out| {
            let written = out.write_all(bytes);
            written.map_err(|error| crate::oci::stream::error(&blob.digest.to_string(), error))?;
            Ok(blob)
        })?;
        Ok(blob)
    }
}
