//! Where blobs go.

use std::io::Write;

use crate::oci::error::Result;
use crate::oci::manifest::Blob;

/// Writes a blob; its digest and size are known when it is written.
pub(super) type WriteBlob<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<Blob>;

/// A place that keeps blobs by their digests.
pub(super) trait Sink: Sync {
    /// Whether it has the blob.
    fn has(&self, blob: &Blob) -> Result<bool>;

    /// Keeps what `write` writes, under the digest that it returns in the end. Nothing is kept if it
    /// fails. `item` is what progress knows it by.
    fn put(&self, item: &str, write: WriteBlob<'_>) -> Result<()>;

    /// Keeps a document.
    fn put_bytes(&self, bytes: &[u8]) -> Result<Blob> {
        let blob = Blob::of(bytes);
        let item = blob.digest.hex()[..12].to_owned();
        self.put(&item, &mut |out| {
            let written = out.write_all(bytes);
            written.map_err(|error| crate::oci::stream::error(&blob.digest.to_string(), error))?;
            Ok(blob)
        })?;
        Ok(blob)
    }
}
