//! Manifests and indexes, OCI's and Docker's: what is accepted, and what is refused in words.
//!
//! What a document is, its fields decide; a media type that says something else is an error, so
//! that nobody can sign one meaning and have another one pulled.

use std::io::Read;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use racker_store::Digest;
use sha2::{Digest as _, Sha256};

use super::error::{Error, Result};

/// Bytes of a manifest or index.
pub(crate) const MANIFEST_MAX: u64 = 4 << 20;
/// Bytes of an image configuration.
pub(crate) const CONFIG_MAX: u64 = 8 << 20;
/// Layers of one image.
pub(crate) const LAYERS_MAX: usize = 4096;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const CONFIGS: [&str; 2] = [OCI_CONFIG, "application/vnd.docker.container.image.v1+json"];
const LAYERS: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// What a registry is asked for.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A document as it came, with the digest of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub bytes: Vec<u8>,
    pub digest: Digest,
    pub media_type: Option<String>,
}

/// A reference to verified bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub digest: Digest,
    pub size: u64,
}

/// An image of one platform.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub digest: Digest,
    /// The document as it came, and what it is.
    pub bytes: Vec<u8>,
    pub media_type: String,
    pub config: Blob,
    pub layers: Vec<Blob>,
}

/// What a [`Raw`] document turned out to be.
#[derive(Debug)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Image(Manifest),
}

/// Whether these bytes are a manifest or an index that would be followed.
pub fn check_manifest(bytes: &[u8]) -> Result<()> {
    Raw::new(bytes.to_vec()).parse("the manifest").map(drop)
}

/// The digest of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Reads all of a small blob and verifies it.
pub(crate) fn read_blob(
    source: &mut dyn Read,
    blob: &Blob,
    what: &str,
    limit: u64,
) -> Result<Vec<u8>> {
    if blob.size > limit {
        return Err(Error::TooLarge {
            what: what.to_owned(),
            limit,
        });
    }
    let mut bytes = Vec::with_capacity(blob.size as usize);
    source
        .take(blob.size + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| super::stream::error(what, error))?;
    verify(&bytes, blob, what)?;
    Ok(bytes)
}

/// Checks size and digest.
pub(crate) fn verify(bytes: &[u8], blob: &Blob, what: &str) -> Result<()> {
    let (what, size) = (what.to_owned(), bytes.len() as u64);
    let actual = sha256(bytes);
    if actual != blob.digest {
        Err(Error::DigestMismatch {
            what,
            expected: blob.digest,
            actual,
        })
    } else if size != blob.size {
        Err(Error::SizeMismatch {
            what,
            expected: blob.size,
            actual: size,
        })
    } else {
        Ok(())
    }
}

impl Blob {
    /// What these bytes are.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            digest: sha256(bytes),
            size: bytes.len() as u64,
        }
    }

    pub(crate) fn new(descriptor: &Descriptor) -> Result<Self> {
        let text = descriptor.digest().to_string();
        let digest = text
            .parse()
            .map_err(|_| Error::refused(&text, "only sha256 digests are supported"))?;
        Ok(Self {
            digest,
            size: descriptor.size(),
        })
    }
}

impl Raw {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let digest = sha256(&bytes);
        Self {
            bytes,
            digest,
            media_type: None,
        }
    }

    /// Finds out what this is; `what` names it in errors.
    pub(crate) fn parse(&self, what: &str) -> Result<Document> {
        let refused = |reason: &str| Error::refused(what, reason);
        let json: serde_json::Value = serde_json::from_slice(&self.bytes)
            .map_err(|error| refused(&format!("not a JSON document: {error}")))?;
        let has = |key: &str| json.get(key).is_some_and(|value| !value.is_null());
        let inner = json["mediaType"].as_str();
        let outer = self.media_type.as_deref();
        let schema1 = |t: &str| t.starts_with("application/vnd.docker.distribution.manifest.v1+");
        if json["schemaVersion"] == 1 || [inner, outer].into_iter().flatten().any(schema1) {
            return Err(refused(
                "it is in Docker's old schema 1, which cannot be verified; push the image again \
                 with a client from 2017 or later",
            ));
        }
        let (index, image) = (has("manifests"), has("layers") || has("config"));
        let expected: &[&str] = match (index, image) {
            (true, false) => &[OCI_INDEX, DOCKER_LIST],
            (false, true) => &[OCI_MANIFEST, DOCKER_MANIFEST],
            (true, true) => return Err(refused("it is a manifest and an index in one")),
            (false, false) => return Err(refused("it is neither a manifest nor an index")),
        };
        let known = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
        if let Some(inner) = inner.filter(|inner| !expected.contains(inner)) {
            return Err(refused(&format!(
                "its media type `{inner}` does not fit its content"
            )));
        }
        if let Some(outer) = outer.filter(|t| known.contains(t) && !expected.contains(t)) {
            return Err(refused(&format!(
                "it was sent as `{outer}`, which it is not"
            )));
        }
        let malformed = |error: serde_json::Error| refused(&error.to_string());
        if index {
            let index: ImageIndex = serde_json::from_value(json).map_err(malformed)?;
            return Ok(Document::Index(index.manifests().clone()));
        }
        let manifest: ImageManifest = serde_json::from_value(json).map_err(malformed)?;
        self.image(&manifest, what).map(Document::Image)
    }

    fn image(&self, manifest: &ImageManifest, what: &str) -> Result<Manifest> {
        let kind = manifest.config().media_type().to_string();
        if !CONFIGS.contains(&kind.as_str()) {
            let kind = manifest
                .artifact_type()
                .as_ref()
                .map_or(kind, ToString::to_string);
            return Err(Error::refused(
                what,
                format!("it is no image but an artifact: `{kind}`"),
            ));
        }
        if manifest.layers().len() > LAYERS_MAX {
            return Err(Error::refused(
                what,
                format!("it has more than {LAYERS_MAX} layers"),
            ));
        }
        for layer in manifest.layers() {
            let kind = layer.media_type().to_string();
            if !LAYERS.contains(&kind.as_str()) {
                let reason = if kind.contains("foreign") || kind.contains("nondistributable") {
                    "it has layers that registries may not hand out"
                } else if kind.contains("encrypted") {
                    "its layers are encrypted"
                } else {
                    "it has layers of an unknown type"
                };
                return Err(Error::refused(what, format!("{reason}: `{kind}`")));
            }
        }
        // What a document does not say of itself, its configuration does.
        let docker = kind == CONFIGS[1];
        let own = manifest.media_type().as_ref().map(ToString::to_string);
        let implied = if docker {
            DOCKER_MANIFEST
        } else {
            OCI_MANIFEST
        };
        Ok(Manifest {
            digest: self.digest,
            bytes: self.bytes.clone(),
            media_type: own.unwrap_or_else(|| implied.to_owned()),
            config: Blob::new(manifest.config())?,
            layers: manifest
                .layers()
                .iter()
                .map(Blob::new)
                .collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn descriptor(media_type: &str) -> Value {
        json!({ "mediaType": media_type, "size": 3, "digest": sha256(b"abc").to_string() })
    }

    fn image(config: &str, layer: &str) -> Value {
        json!({ "schemaVersion": 2, "config": descriptor(config), "layers": [descriptor(layer)] })
    }

    fn parse(document: &Value, media_type: Option<&str>) -> Result<Document> {
        let media_type = media_type.map(str::to_owned);
        Raw {
            media_type,
            ..Raw::new(document.to_string().into_bytes())
        }
        .parse("x")
    }

    #[test]
    fn takes_both_dialects() {
        for (config, layer) in [(CONFIGS[0], LAYERS[2]), (CONFIGS[1], LAYERS[4])] {
            let Document::Image(manifest) = parse(&image(config, layer), None).unwrap() else {
                panic!("not an image");
            };
            assert_eq!((manifest.layers.len(), manifest.config.size), (1, 3));
        }
        let index = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [] });
        assert!(matches!(
            parse(&index, Some(DOCKER_LIST)),
            Ok(Document::Index(_))
        ));
    }

    #[test]
    fn refuses_in_words() {
        let good = image(CONFIGS[0], LAYERS[0]);
        let with = |key: &str, value: Value| {
            let mut changed = good.clone();
            changed[key] = value;
            changed
        };
        let sha512 = json!([{ "mediaType": LAYERS[0], "size": 1,
            "digest": format!("sha512:{}", "0".repeat(128)) }]);
        for (document, sent_as, word) in [
            (
                json!({ "schemaVersion": 1, "fsLayers": [] }),
                None,
                "schema 1",
            ),
            (
                good.clone(),
                Some("application/vnd.docker.distribution.manifest.v1+json"),
                "schema 1",
            ),
            (with("manifests", json!([])), None, "in one"),
            (with("mediaType", json!(OCI_INDEX)), None, "does not fit"),
            (good.clone(), Some(OCI_INDEX), "sent as"),
            (json!({ "schemaVersion": 2 }), None, "neither"),
            (json!([]), None, "neither"),
            (
                image("application/vnd.cncf.helm.config.v1+json", LAYERS[0]),
                None,
                "helm",
            ),
            (
                image(CONFIGS[0], "application/vnd.oci.image.layer.v1.tar+lzma"),
                None,
                "unknown type",
            ),
            (
                image(
                    CONFIGS[1],
                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                ),
                None,
                "hand out",
            ),
            (
                image(
                    CONFIGS[0],
                    "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
                ),
                None,
                "encrypted",
            ),
            (with("layers", sha512), None, "sha256"),
            (with("layers", json!([])), None, ""),
            (
                with("layers", Value::Array(vec![descriptor(LAYERS[0]); 4097])),
                None,
                "4096",
            ),
        ] {
            let result = parse(&document, sent_as);
            if word.is_empty() {
                result.unwrap();
                continue;
            }
            let message = result.unwrap_err().to_string();
            assert!(message.contains(word), "{message} / {word}");
        }
    }

    #[test]
    fn verifies_blobs() {
        let blob = Blob {
            digest: sha256(b"abc"),
            size: 3,
        };
        assert_eq!(read_blob(&mut &b"abc"[..], &blob, "x", 10).unwrap(), b"abc");
        for (bytes, limit) in [(&b"abd"[..], 10), (b"ab", 10), (b"abcd", 10), (b"abc", 2)] {
            assert!(read_blob(&mut &*bytes, &blob, "x", limit).is_err());
        }
        let wrong_size = Blob { size: 4, ..blob };
        let error = read_blob(&mut &b"abc"[..], &wrong_size, "x", 10).unwrap_err();
        assert!(matches!(error, Error::SizeMismatch { .. }));
    }
}
