//! The documents that an image came with, and the layers as they were compressed then.
//!
//! The store keeps the documents and the plain archives. So an image goes out under its own digest
//! if every layer is where it goes to already, or can be compressed to the same bytes again: because
//! it was not compressed, or by racker itself.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use racker_store::{Digest, Image, Store};
use serde_json::Value;

use super::document::ENCODING;
use super::encode::Encoding;
use super::pack::pack;
use super::send::{PARALLEL, Sent, item};
use super::sink::Sink;
use crate::oci::Progress;
use crate::oci::error::{Error, Result};
use crate::oci::manifest::{Document, MANIFEST_MAX, Manifest, Raw, sha256};
use crate::oci::parallel::each;

/// An image's own documents.
pub(super) struct Original {
    bytes: Vec<u8>,
    media_type: String,
    manifest: Manifest,
    config: Vec<u8>,
    /// By layer, how the same bytes are had again.
    encodings: Vec<Option<Encoding>>,
}

impl Original {
    /// The documents, if the store has them and they are about these layers.
    pub(super) fn of(store: &Store, image: &Image) -> Result<Option<Self>> {
        let Some(bytes) = document(store, image.digest.as_ref())? else {
            return Ok(None);
        };
        let raw = Raw::new(bytes);
        let Document::Image(manifest) = raw.parse(&image.name)? else {
            return Ok(None);
        };
        let Some(config) = document(store, Some(&manifest.config.digest))? else {
            return Ok(None);
        };
        let imported = image.layers.iter().all(|layer| layer.diff_id.is_some());
        if manifest.layers.len() != image.layers.len() || !imported {
            return Ok(None);
        }
        let json: Value = serde_json::from_slice(&raw.bytes).unwrap_or_default();
        let ours = json["annotations"][ENCODING].as_str();
        let layers = json["layers"].as_array().into_iter().flatten();
        let encodings = layers
            .map(|layer| encoding(layer["mediaType"].as_str().unwrap_or_default(), ours))
            .collect();
        Ok(Some(Self {
            media_type: manifest.media_type.clone(),
            bytes: raw.bytes,
            manifest,
            config,
            encodings,
        }))
    }

    /// Gives the image to a sink as it came; nothing if that cannot be.
    pub(super) fn send(
        self,
        store: &Store,
        image: &Image,
        sink: &dyn Sink,
        progress: &dyn Progress,
    ) -> Result<Option<Sent>> {
        let layers = &self.manifest.layers;
        let there = each(layers.len(), PARALLEL, |index| sink.has(&layers[index]))?;
        let impossible = |index: usize| !there[index] && self.encodings[index].is_none();
        if (0..layers.len()).any(impossible) {
            return Ok(None);
        }
        let differs = AtomicBool::new(false);
        let sent = each(layers.len(), PARALLEL, |index| {
            let item = item(&image.layers[index]);
            let Some(encoding) = self.encodings[index].filter(|_| !there[index]) else {
                progress.present(&item);
                return Ok(());
            };
            progress.started(&item, None);
            sink.put(&item, &mut |out| {
                let packed = pack(store, &image.layers[index], encoding, out)?;
                if packed.blob == layers[index] {
                    return Ok(packed.blob);
                }
                differs.store(true, Ordering::Relaxed);
                Err(Error::Cancelled)
            })?;
            progress.finished(&item);
            Ok(())
        });
        if differs.into_inner() {
            return Ok(None);
        }
        sent?;
        if !sink.has(&self.manifest.config)? {
            sink.put_bytes(&self.config)?;
        }
        let config = serde_json::from_slice(&self.config).unwrap_or_default();
        Ok(Some(Sent::new(self.bytes, &self.media_type, config)))
    }
}

/// How bytes of this kind are had again, if they can be.
fn encoding(media_type: &str, ours: Option<&str>) -> Option<Encoding> {
    if let Some((_, "tar")) = media_type.rsplit_once('.') {
        return Some(Encoding::None);
    }
    let all = [Encoding::Gzip, Encoding::Zstd];
    all.into_iter()
        .find(|encoding| ours == Some(encoding.name()) && media_type == encoding.media_type())
}

/// The bytes of a document that an image came with, if the store has them.
pub(super) fn document(store: &Store, digest: Option<&Digest>) -> Result<Option<Vec<u8>>> {
    let Some((digest, path)) = digest.and_then(|digest| Some((digest, store.blob(digest)?))) else {
        return Ok(None);
    };
    let failed = |error| Error::io(path.display(), error);
    if fs::metadata(&path).map_err(failed)?.len() > 2 * MANIFEST_MAX {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(failed)?;
    Ok((sha256(&bytes) == *digest).then_some(bytes))
}
