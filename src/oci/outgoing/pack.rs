//! One layer: archive, digests, compression.

use std::io::{self, Write};

use racker_store::{Digest, ImageLayer, PackedLayer, Store};
use sha2::{Digest as _, Sha256};

use super::encode::{Encoder, Encoding};
use crate::oci::error::{Error, Result};
use crate::oci::manifest::Blob;

/// A layer as it went out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    /// Digest of its archive.
    pub(super) diff_id: Digest,
    /// The archive as it is compressed.
    pub(super) blob: Blob,
}

/// Writes a layer, compressed.
pub(super) fn pack(
    store: &Store,
    layer: &ImageLayer,
    encoding: Encoding,
    out: &mut dyn Write,
) -> Result<Packed> {
    let what = layer.tree.to_string();
    let failed = |error| crate::oci::stream::error(&what, error);
    let encoder = Encoder::new(encoding, Hashing::new(out));
    let mut plain = Hashing::new(encoder);
    archive(store, layer, &mut plain)?;
    let (diff_id, _, encoder) = plain.finish();
    let (digest, size, _) = encoder.finish().map_err(failed)?.finish();
    match layer.diff_id {
        Some(expected) if expected != diff_id => Err(Error::DigestMismatch {
            what: format!("layer {}", expected.hex()),
            expected,
            actual: diff_id,
        }),
        _ => Ok(Packed {
            diff_id,
            blob: Blob { digest, size },
        }),
    }
}

/// What a layer was packed to before, by this store.
pub(super) fn known(store: &Store, layer: &ImageLayer, encoding: Encoding) -> Option<Packed> {
    let known = store.packed(&id(layer)?, encoding.name())?;
    let fits = layer.diff_id.is_none_or(|diff_id| diff_id == known.diff_id);
    fits.then_some(Packed {
        diff_id: known.diff_id,
        blob: Blob {
            digest: known.blob,
            size: known.size,
        },
    })
}

/// Notes what a layer was packed to. A store that cannot be written goes without.
pub(super) fn note(store: &Store, layer: &ImageLayer, encoding: Encoding, packed: &Packed) {
    if let Some(id) = id(layer) {
        let noted = PackedLayer {
            diff_id: packed.diff_id,
            blob: packed.blob.digest,
            size: packed.blob.size,
        };
        let _ = store.note_packed(&id, encoding.name(), &noted);
    }
}

/// What decides about a layer's archive.
fn id(layer: &ImageLayer) -> Option<String> {
    let archive = layer
        .diff_id
        .map(|diff_id| format!("sha256-{}", diff_id.hex()));
    archive.or_else(|| layer.layer.map(|layer| layer.to_string()))
}

/// Writes a layer's archive: the one that it came from, or the one that it determines.
pub(super) fn archive(store: &Store, layer: &ImageLayer, out: &mut impl Write) -> Result<()> {
    let failed = |error| Error::store(layer.tree, error);
    match (&layer.diff_id, layer.layer) {
        (Some(diff_id), _) => {
            let mut archive = store.export_tar(diff_id).map_err(failed)?;
            let copied = io::copy(&mut archive, out);
            copied.map_err(|error| crate::oci::stream::error(&diff_id.to_string(), error))?;
            Ok(())
        }
        (None, Some(layer)) => store.write_layer_tar(layer, out).map_err(failed),
        (None, None) => Err(Error::refused(layer.tree, "a layer of it is not known")),
    }
}

/// Passes bytes on, counts and hashes them.
pub(crate) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    pub(crate) fn finish(self) -> (Digest, u64, W) {
        let digest = Digest::from_bytes(self.hash.finalize().into());
        (digest, self.size, self.inner)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
