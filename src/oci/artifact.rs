//! Manifests of what is no image. Source: OCI image-spec, manifest.md, "Guidelines for Artifact Usage".
//!
//! They are image manifests with the empty configuration, so that every registry keeps them and
//! every tool that copies images copies them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use oci_spec::image::ImageManifest;
use racker_store::Digest;
use serde_json::{Value, json};

use super::error::{Error, Result};
use super::manifest::{Blob, LAYERS_MAX, OCI_MANIFEST, sha256};
use super::outgoing::Hashing;
use super::progress::{Progress, Silent};
use super::registry::{Ask, Repository};
use super::request::{Method, Payload};
use super::upload::{is_there, unnamed, upload};
use crate::canonical::canonical;

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// How often a manifest is put, and how long it is waited in between, for each time that it was.
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_millis(50);

/// What a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Media type of the whole.
    pub kind: String,
    pub parts: Vec<Part>,
}

/// A blob of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub media_type: String,
    pub blob: Blob,
    pub annotations: BTreeMap<String, String>,
}

impl Artifact {
    /// The artifact of this tag, if there is one.
    pub(crate) fn get(repository: &Repository<'_>, tag: &str) -> Result<Option<Self>> {
        let raw = match repository.manifest(tag) {
            Err(Error::NotFound { .. }) => return Ok(None),
            raw => raw?,
        };
        Self::parse(&raw.bytes).map(Some)
    }

    /// Puts the manifest under a tag; its blobs are there.
    pub(crate) fn put(&self, repository: &Repository<'_>, tag: &str) -> Result<()> {
        put_empty(repository)?;
        let bytes = self.encode();
        let mut tries = 1;
        loop {
            match put_manifest(repository, tag, OCI_MANIFEST, &bytes) {
                // Registries on a plain file system do not see a blob while somebody else uploads
                // the same one once more.
                Err(Error::Status {
                    status: 400 | 404, ..
                }) if tries < TRIES => {
                    thread::sleep(WAIT * tries);
                    tries += 1;
                }
                result => return result.map(drop),
            }
        }
    }

    /// The parts of this type.
    pub(crate) fn all<'a>(&'a self, media_type: &'a str) -> impl Iterator<Item = &'a Part> {
        let parts = self.parts.iter();
        parts.filter(move |part| part.media_type == media_type)
    }

    fn encode(&self) -> Vec<u8> {
        let descriptor = |media_type: &str, blob: Blob| -> Value {
            json!({
                "mediaType": media_type,
                "digest": blob.digest.to_string(),
                "size": blob.size,
            })
        };
        let parts = self.parts.iter().map(|part| {
            let mut value = descriptor(&part.media_type, part.blob);
            if !part.annotations.is_empty() {
                value["annotations"] = json!(part.annotations);
            }
            value
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": self.kind,
            "config": descriptor(EMPTY_TYPE, Blob::of(EMPTY)),
            "layers": parts.collect::<Vec<_>>(),
        });
        canonical(&manifest).into_bytes()
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let refused = |reason: String| Error::refused("the manifest", reason);
        let manifest: ImageManifest =
            serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?;
        if manifest.layers().len() > LAYERS_MAX {
            return Err(refused(format!("it has more than {LAYERS_MAX} parts")));
        }
        let part = |descriptor: &oci_spec::image::Descriptor| -> Result<Part> {
            let annotations = descriptor.annotations().iter().flatten();
            Ok(Part {
                media_type: descriptor.media_type().to_string(),
                blob: Blob::new(descriptor)?,
                annotations: annotations.map(|(k, v)| (k.clone(), v.clone())).collect(),
            })
        };
        let kind = manifest.artifact_type().as_ref();
        Ok(Self {
            kind: kind.map(ToString::to_string).unwrap_or_default(),
            parts: manifest.layers().iter().map(part).collect::<Result<_>>()?,
        })
    }
}

/// Has the registry know the empty configuration.
fn put_empty(repository: &Repository<'_>) -> Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if is_there(repository, &Blob::of(EMPTY), None)? {
        return Ok(());
    }
    let put = deposit(repository, None, &Silent, "{}", |out| {
        let written = out.write_all(EMPTY);
        written.map_err(|error| Error::io("{}", error))
    });
    put.map(drop)
}

/// Uploads what `write` writes, unless it is there; says whether it was sent. It lies in `stage`, or
/// in the system's directory for temporary files, until then.
pub(crate) fn deposit(
    repository: &Repository<'_>,
    stage: Option<&Path>,
    progress: &dyn Progress,
    item: &str,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<(Blob, bool)> {
    let failed = |error| Error::io(item, error);
    let buffer = BufWriter::with_capacity(256 << 10, unnamed(stage).map_err(failed)?);
    let mut out = Hashing::new(buffer);
    write(&mut out)?;
    let (digest, size, buffer) = out.finish();
    let file = buffer.into_inner();
    let file = file.map_err(|error| failed(error.into_error()))?;
    let blob = Blob { digest, size };
    let sent = send(repository, &blob, &file, progress, item)?;
    Ok((blob, sent))
}

/// Uploads a blob that is in a file, unless it is there; says whether it was sent.
pub(crate) fn send(
    repository: &Repository<'_>,
    blob: &Blob,
    file: &File,
    progress: &dyn Progress,
    item: &str,
) -> Result<bool> {
    if is_there(repository, blob, None)? {
        return Ok(false);
    }
    upload(repository, blob, file, None, item, progress)?;
    Ok(true)
}

/// Puts a manifest under a name, a tag or its digest.
pub(crate) fn put_manifest(
    repository: &Repository<'_>,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Digest> {
    let what = format!("{}:{name}", repository.repository());
    let path = format!("manifests/{name}");
    let answer = repository.ask(&Ask {
        headers: &[("content-type", media_type)],
        body: Payload::Bytes(bytes),
        ..Ask::new(Method::PUT, &path, &what)
    })?;
    if !answer.is_success() {
        return Err(answer.into_refusal(&what));
    }
    let digest = sha256(bytes);
    let told = answer.header("docker-content-digest");
    match told.and_then(|text| text.parse::<Digest>().ok()) {
        Some(actual) if actual != digest => Err(Error::DigestMismatch {
            what,
            expected: digest,
            actual,
        }),
        _ => Ok(digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back() {
        let part = |media_type: &str, annotations: &[(&str, &str)]| Part {
            media_type: media_type.to_owned(),
            blob: Blob::of(media_type.as_bytes()),
            annotations: annotations
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        };
        let artifact = Artifact {
            kind: "application/x".into(),
            parts: vec![
                part("application/y", &[]),
                part("application/z", &[("racker.objects", "12")]),
            ],
        };
        let bytes = artifact.encode();
        assert_eq!(Artifact::parse(&bytes).unwrap(), artifact);
        assert_eq!(artifact.all("application/z").count(), 1);
        // Source: the image-spec, which has the digest of the empty document.
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"));
        assert!(Artifact::parse(b"{}").is_err());
    }
}
