//! An image: its layers one after the other, then the documents about them.

use racker_store::{Image, Store};

use super::document::{self, Document};
use super::encode::Encoding;
use super::pack::{Packed, pack};
use super::sink::Sink;
use crate::oci::Progress;
use crate::oci::error::Result;
use crate::oci::manifest::Blob;

/// An image that went out.
pub(super) struct Sent {
    pub(super) manifest: Blob,
    pub(super) config: serde_json::Value,
}

/// Gives an image to a sink.
pub(super) fn send(
    store: &Store,
    image: &Image,
    encoding: Encoding,
    sink: &dyn Sink,
    progress: &dyn Progress,
) -> Result<Sent> {
    let mut layers: Vec<Packed> = Vec::new();
    // A layer without a change is none: some tools refuse archives without entries.
    for layer in image.layers.iter().filter(|layer| !layer.empty) {
        let item = layer.tree.hex()[..12].to_owned();
        progress.started(&item, None);
        let mut packed = None;
        sink.put(&mut |out| {
            let done = pack(store, layer, encoding, out)?;
            packed = Some(done);
            Ok(done.blob)
        })?;
        progress.finished(&item);
        layers.extend(packed);
    }
    let Document { config, bytes } = document::config(image, &layers);
    let config_blob = sink.put_bytes(&bytes)?;
    let manifest = document::manifest(config_blob, &layers, encoding);
    Ok(Sent {
        manifest: sink.put_bytes(&manifest)?,
        config,
    })
}
