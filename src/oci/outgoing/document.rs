//! The documents about an image. Sources: OCI image-spec, config.md and manifest.md.

use racker_store::{Image, Store};
use serde_json::{Value, json};

use super::encode::Encoding;
use super::original;
use super::pack::Packed;
use crate::canonical::canonical;
use crate::oci::error::Result;
use crate::oci::manifest::{Blob, OCI_CONFIG, OCI_MANIFEST};

/// Which encoder made the layers; another version of it may give other bytes for the same layer.
pub(super) const ENCODING: &str = "racker.encoding";

/// A document and its bytes.
pub(super) struct Document {
    pub(super) config: Value,
    pub(super) bytes: Vec<u8>,
}

/// The image's configuration, with the digests of these layers in it; as it came, if it has them.
pub(super) fn config(store: &Store, image: &Image, layers: &[Packed]) -> Result<Document> {
    let diff_ids: Vec<_> = layers.iter().map(|it| it.diff_id.to_string()).collect();
    let diff_ids = json!(diff_ids);
    if let Some(bytes) = original::document(store, image.config_digest.as_ref())?
        && let Ok(config) = serde_json::from_slice::<Value>(&bytes)
        && config["rootfs"]["diff_ids"] == diff_ids
    {
        return Ok(Document { config, bytes });
    }
    let mut config = image.config.clone();
    config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
    let bytes = canonical(&config).into_bytes();
    Ok(Document { config, bytes })
}

/// The manifest.
pub(super) fn manifest(config: Blob, layers: &[Packed], encoding: Encoding) -> Vec<u8> {
    let layers: Vec<_> = layers
        .iter()
        .map(|it| descriptor(encoding.media_type(), it.blob))
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, config),
        "layers": layers,
        "annotations": { ENCODING: encoding.name() },
    });
    canonical(&manifest).into_bytes()
}

/// What points to a blob.
pub(super) fn descriptor(media_type: &str, blob: Blob) -> Value {
    json!({ "mediaType": media_type, "digest": blob.digest.to_string(), "size": blob.size })
}
