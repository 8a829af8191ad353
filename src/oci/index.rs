//! From an index to the one image that suits a platform.

use oci_spec::image::Descriptor;

use super::error::{Error, Result};
use super::manifest::{Blob, Document, Manifest, Raw};
use super::platform::Platform;

/// Indexes inside indexes.
const DEPTH: u32 = 4;
/// Entries of one index.
const ENTRIES: usize = 4096;

/// Follows a document to an image for `platform`; `fetch` gets further, verified documents.
pub(crate) fn resolve(
    raw: &Raw,
    what: &str,
    platform: &Platform,
    fetch: &dyn Fn(&Blob) -> Result<Raw>,
) -> Result<Manifest> {
    let mut available = Vec::new();
    find(raw, what, platform, fetch, DEPTH, &mut available)?.ok_or_else(|| {
        available.sort();
        available.dedup();
        Error::NoPlatform {
            what: what.to_owned(),
            wanted: platform.to_string(),
            available,
        }
    })
}

fn find(
    raw: &Raw,
    what: &str,
    platform: &Platform,
    fetch: &dyn Fn(&Blob) -> Result<Raw>,
    depth: u32,
    available: &mut Vec<String>,
) -> Result<Option<Manifest>> {
    let entries = match raw.parse(what)? {
        Document::Image(manifest) => return Ok(Some(manifest)),
        Document::Index(entries) => entries,
    };
    if depth == 0 || entries.len() > ENTRIES {
        return Err(Error::refused(
            what,
            "its index is nested too deeply or too long",
        ));
    }
    for entry in candidates(&entries, platform, available) {
        let blob = Blob::new(entry)?;
        let inner = fetch(&blob)?;
        let name = blob.digest.to_string();
        if let Some(manifest) = find(&inner, &name, platform, fetch, depth - 1, available)? {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

/// The entries worth following, best first: what suits the platform, else what does not say.
fn candidates<'a>(
    entries: &'a [Descriptor],
    platform: &Platform,
    available: &mut Vec<String>,
) -> Vec<&'a Descriptor> {
    let mut fitting = Vec::new();
    let mut silent = Vec::new();
    for entry in entries.iter().filter(|entry| !is_attestation(entry)) {
        let Some(offered) = entry.platform() else {
            silent.push(entry);
            continue;
        };
        let (os, architecture) = (offered.os().to_string(), offered.architecture().to_string());
        let offered = Platform::new(&os, &architecture, offered.variant().as_deref());
        available.push(offered.to_string());
        fitting.extend(platform.rank(&offered).map(|rank| (rank, entry)));
    }
    fitting.sort_by_key(|(rank, _)| *rank);
    let mut fitting: Vec<_> = fitting.into_iter().map(|(_, entry)| entry).collect();
    // Without a platform only nested indexes, or the only image there is, can be meant.
    let is_index = |entry: &&Descriptor| {
        let kind = entry.media_type().to_string();
        kind.contains("index") || kind.contains("manifest.list")
    };
    if silent.len() > 1 {
        silent.retain(is_index);
    }
    fitting.extend(silent);
    fitting
}

/// What builders put beside images: provenance and signatures.
pub(crate) fn is_attestation(entry: &Descriptor) -> bool {
    let unknown = entry.platform().as_ref().is_some_and(|platform| {
        platform.os().to_string() == "unknown" && platform.architecture().to_string() == "unknown"
    });
    let marked = entry
        .annotations()
        .as_ref()
        .is_some_and(|annotations| annotations.contains_key("vnd.docker.reference.type"));
    unknown || marked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::manifest::sha256;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Blobs(BTreeMap<String, Vec<u8>>);

    impl Blobs {
        fn put(&mut self, document: &Value) -> Value {
            let bytes = document.to_string().into_bytes();
            let (digest, size) = (sha256(&bytes).to_string(), bytes.len());
            self.0.insert(digest.clone(), bytes);
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest, "size": size })
        }

        fn image(&mut self, mark: u8, platform: Option<&str>) -> Value {
            let blob = |t: &str| {
                json!({ "mediaType": t, "size": mark,
                "digest": sha256(&[mark]).to_string() })
            };
            let mut entry = self.put(&json!({ "schemaVersion": 2,
                "config": blob("application/vnd.oci.image.config.v1+json"), "layers": [] }));
            if let Some(platform) = platform {
                let parts: Vec<&str> = platform.split('/').collect();
                entry["platform"] = json!({ "os": parts[0], "architecture": parts[1] });
                if let Some(variant) = parts.get(2) {
                    entry["platform"]["variant"] = json!(variant);
                }
            }
            entry
        }

        fn pick(&self, index: &Value, platform: &str) -> Result<u64> {
            let fetch = |blob: &Blob| Ok(Raw::new(self.0[&blob.digest.to_string()].clone()));
            let raw = Raw::new(index.to_string().into_bytes());
            let manifest = resolve(&raw, "x", &platform.parse().unwrap(), &fetch)?;
            Ok(manifest.config.size)
        }
    }

    fn index(entries: &[Value]) -> Value {
        json!({ "schemaVersion": 2, "manifests": entries })
    }

    #[test]
    fn picks_by_platform_and_variant() {
        let mut blobs = Blobs::default();
        let entries = [
            blobs.image(1, Some("unknown/unknown")),
            blobs.image(2, Some("linux/arm/v5")),
            blobs.image(3, Some("linux/arm/v7")),
            blobs.image(4, Some("linux/amd64")),
            blobs.image(5, Some("linux/amd64/v3")),
            blobs.image(6, Some("linux/arm64/v8")),
        ];
        let index = index(&entries);
        for (platform, expected) in [
            ("linux/amd64", 4),
            ("linux/amd64/v3", 5),
            ("linux/amd64/v2", 4),
            ("linux/arm64", 6),
            ("linux/arm", 3),
            ("linux/arm/v6", 2),
        ] {
            assert_eq!(
                blobs.pick(&index, platform).unwrap(),
                expected,
                "{platform}"
            );
        }
        let error = blobs.pick(&index, "linux/s390x").unwrap_err();
        assert!(error.hints()[0].contains("linux/arm64"), "{error}");
        assert!(!error.hints()[0].contains("unknown"));
    }

    #[test]
    fn follows_nested_indexes_but_not_for_ever() {
        let mut blobs = Blobs::default();
        let arm = blobs.image(1, Some("linux/arm64"));
        let amd = blobs.image(2, Some("linux/amd64"));
        let first = blobs.put(&index(&[arm]));
        let second = blobs.put(&index(&[amd]));
        let mut nested = [first, second];
        for entry in &mut nested {
            entry["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
        }
        let mut outer = index(&nested);
        assert_eq!(blobs.pick(&outer, "linux/amd64").unwrap(), 2);
        for _ in 0..DEPTH {
            let entry = blobs.put(&outer);
            outer = index(&[entry]);
        }
        assert!(matches!(
            blobs.pick(&outer, "linux/amd64"),
            Err(Error::Refused { .. })
        ));
    }

    #[test]
    fn takes_the_only_image_without_a_platform() {
        let mut blobs = Blobs::default();
        let (one, two) = (blobs.image(1, None), blobs.image(2, None));
        let mut attestation = blobs.image(3, None);
        attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
        let only = index(&[one.clone(), attestation]);
        assert_eq!(blobs.pick(&only, "linux/amd64").unwrap(), 1);
        assert!(blobs.pick(&index(&[one, two]), "linux/amd64").is_err());
    }
}
