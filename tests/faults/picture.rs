//! A small image as a registry has it, and honest answers about it.

use std::collections::BTreeMap;
use std::io::Write as _;

use racker_store::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::wire::{Answer, Asked};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// An image and its blobs.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) manifest: Value,
    /// What it is sent as.
    pub(crate) media_type: String,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Digest::from_bytes(Sha256::digest(bytes).into()).to_string()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar archive of files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, body) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *body).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 88_172_645_463_325_252;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

impl Picture {
    /// Two layers, one of them larger than what goes in one read.
    pub(crate) fn new() -> Self {
        let large = tar(&[("large", &noise(300_000))]);
        Self::of(&[tar(&[("etc/small", b"small")]), large])
    }

    /// Layers of these archives, compressed with gzip.
    pub(crate) fn of(layers: &[Vec<u8>]) -> Self {
        let packed: Vec<_> = layers.iter().map(|tar| (gzip(tar), digest(tar))).collect();
        Self::packed(&packed)
    }

    /// Layers as they are compressed, with the digests of their archives.
    pub(crate) fn packed(layers: &[(Vec<u8>, String)]) -> Self {
        let mut picture = Self {
            manifest: Value::Null,
            media_type: MANIFEST.into(),
            blobs: BTreeMap::new(),
        };
        let diff_ids: Vec<&String> = layers.iter().map(|(_, diff_id)| diff_id).collect();
        let config = json!({
            "os": "linux", "architecture": architecture(), "config": { "Cmd": ["true"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = picture.put(CONFIG, config.to_string().as_bytes());
        let layers: Vec<Value> = layers
            .iter()
            .map(|(blob, _)| picture.put(LAYER, blob))
            .collect();
        picture.manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        picture
    }

    /// Adds a blob; gives its descriptor.
    pub(crate) fn put(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        self.blobs.insert(digest.clone(), bytes.to_vec());
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// The image behind an index with these entries beside it.
    pub(crate) fn indexed(mut self, platform: &Value, others: &[Value]) -> Self {
        let mut entry = self.put(MANIFEST, self.manifest.to_string().clone().as_bytes());
        entry["platform"] = platform.clone();
        let mut entries = others.to_vec();
        entries.push(entry);
        self.manifest = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": entries,
        });
        self.media_type = INDEX.into();
        self
    }

    /// The digest of a layer, by its place.
    pub(crate) fn layer(&self, index: usize) -> String {
        self.manifest["layers"][index]["digest"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn config(&self) -> String {
        self.manifest["config"]["digest"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Whether somebody asks for the manifest.
    pub(crate) fn is_manifest(asked: &Asked) -> bool {
        asked.path.contains("/manifests/")
    }

    /// What an honest registry answers.
    pub(crate) fn answer(&self, asked: &Asked) -> Answer {
        let name = asked.path.rsplit('/').next().unwrap_or_default();
        if Self::is_manifest(asked) {
            let own = self.manifest.to_string().into_bytes();
            let (body, kind) = match self.blobs.get(name) {
                Some(inner) => {
                    let json: Value = serde_json::from_slice(inner).unwrap();
                    let is_index = json["manifests"].is_array();
                    (inner.clone(), if is_index { INDEX } else { MANIFEST })
                }
                None => (own, self.media_type.as_str()),
            };
            return Answer::new(&format!("200 OK\r\nContent-Type: {kind}"), &body);
        }
        let Some(body) = self.blobs.get(name) else {
            return Answer::new("404 Not Found", b"");
        };
        match asked.range() {
            0 => Answer::ok(body),
            start => {
                let end = body.len() - 1;
                let range = format!("Content-Range: bytes {start}-{end}/{}", body.len());
                Answer::new(&format!("206 Partial Content\r\n{range}"), &body[start..])
            }
        }
    }
}

/// This machine's, as Go names it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
