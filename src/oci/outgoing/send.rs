//! An image: its layers, then the documents about them.

use racker_store::{Image, ImageLayer, Store};
use serde_json::Value;

use super::document::{self, Document};
use super::encode::Encoding;
use super::original::Original;
use super::pack;
use super::sink::Sink;
use crate::oci::Progress;
use crate::oci::error::Result;
use crate::oci::manifest::{Blob, OCI_MANIFEST};
use crate::oci::parallel::each;

/// Layers under way at once.
pub(super) const PARALLEL: usize = 2;

/// An image whose blobs went out; the manifest is left to the caller.
pub(super) struct Sent {
    pub(super) manifest: Vec<u8>,
    pub(super) blob: Blob,
    pub(super) media_type: String,
    pub(super) config: Value,
}

impl Sent {
    pub(super) fn new(manifest: Vec<u8>, media_type: &str, config: Value) -> Self {
        let blob = Blob::of(&manifest);
        Self {
            manifest,
            blob,
            media_type: media_type.to_owned(),
            config,
        }
    }
}

/// Gives an image to a sink: as it came, where no encoding is asked for and the bytes allow it, else
/// with its layers packed anew.
pub(super) fn send(
    store: &Store,
    image: &Image,
    encoding: Option<Encoding>,
    sink: &dyn Sink,
    progress: &dyn Progress,
) -> Result<Sent> {
    if encoding.is_none()
        && let Some(original) = Original::of(store, image)?
        && let Some(sent) = original.send(store, image, sink, progress)?
    {
        return Ok(sent);
    }
    anew(store, image, encoding.unwrap_or_default(), sink, progress)
}

/// A layer's name for progress.
pub(super) fn item(layer: &ImageLayer) -> String {
    layer.tree.hex()[..12].to_owned()
}

fn anew(
    store: &Store,
    image: &Image,
    encoding: Encoding,
    sink: &dyn Sink,
    progress: &dyn Progress,
) -> Result<Sent> {
    // A layer without a change is none: some tools refuse archives without entries.
    let layers: Vec<&ImageLayer> = image.layers.iter().filter(|layer| !layer.empty).collect();
    let packed = each(layers.len(), PARALLEL, |index| {
        let item = item(layers[index]);
        if let Some(known) = pack::known(store, layers[index], encoding)
            && sink.has(&known.blob)?
        {
            progress.present(&item);
            return Ok(Some(known));
        }
        progress.started(&item, None);
        let mut packed = None;
        sink.put(&item, &mut |out| {
            let done = pack::pack(store, layers[index], encoding, out)?;
            pack::note(store, layers[index], encoding, &done);
            packed = Some(done);
            Ok(done.blob)
        })?;
        progress.finished(&item);
        Ok(packed)
    })?;
    let packed: Vec<_> = packed.into_iter().flatten().collect();
    let Document { config, bytes } = document::config(store, image, &packed)?;
    let config_blob = sink.put_bytes(&bytes)?;
    let manifest = document::manifest(config_blob, &packed, encoding);
    Ok(Sent::new(manifest, OCI_MANIFEST, config))
}
