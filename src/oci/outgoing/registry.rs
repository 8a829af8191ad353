//! An image into a registry.

use std::io::BufWriter;

use racker_store::{Access, Digest, Image, StageDir, Store};

use super::encode::Encoding;
use super::send::send;
use super::sink::{Sink, WriteBlob};
use crate::oci::error::{Error, Result};
use crate::oci::manifest::Blob;
use crate::oci::registry::{Ask, Repository};
use crate::oci::request::{Method, Payload};
use crate::oci::upload::{is_there, upload};
use crate::oci::{Options, Progress, Reference};

/// Pushes an image to where `target` says. Returns the digest of its manifest.
pub fn push(
    store: &Store,
    image: &Image,
    target: &Reference,
    encoding: Option<Encoding>,
    options: &Options<'_>,
) -> Result<Digest> {
    if options.offline {
        return Err(Error::Offline(target.familiar()));
    }
    let mut endpoint = options.registries.home(target)?;
    endpoint.insecure |= options.insecure;
    let credentials = match &options.credentials {
        Some(given) => Some(given.clone()),
        None => options.registries.credentials(&endpoint)?,
    };
    let source = source(image, target);
    let from = source.as_ref().map(Reference::repository);
    let repository = Repository::for_push(options.client, endpoint, credentials, from);
    let remote = Remote {
        repository: &repository,
        source: from,
        stage: match store.access() {
            Access::ReadWrite => {
                let stage = store.stage();
                Some(stage.map_err(|error| Error::store(&image.name, error))?)
            }
            Access::ReadOnly => None,
        },
        progress: options.progress,
    };
    let sent = send(store, image, encoding, &remote, options.progress)?;
    let digest = sent.blob.digest;
    let name = match target.digest() {
        Some(pinned) if *pinned != digest => {
            return Err(Error::DigestMismatch {
                what: target.familiar(),
                expected: *pinned,
                actual: digest,
            });
        }
        Some(pinned) => pinned.to_string(),
        None => target.tag().unwrap_or("latest").to_owned(),
    };
    let what = target.familiar();
    let path = format!("manifests/{name}");
    let answer = repository.ask(&Ask {
        headers: &[("content-type", &sent.media_type)],
        body: Payload::Bytes(&sent.manifest),
        ..Ask::new(Method::PUT, &path, &what)
    })?;
    if answer.status() != 201 {
        return Err(answer.into_error(&what));
    }
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

/// Where an image came from, if that is another repository of the registry that it goes to.
fn source(image: &Image, target: &Reference) -> Option<Reference> {
    let source = Reference::parse(image.source.as_deref()?).ok()?;
    let near = source.registry() == target.registry();
    (near && source.repository() != target.repository()).then_some(source)
}

struct Remote<'a> {
    repository: &'a Repository<'a>,
    source: Option<&'a str>,
    /// Where blobs are packed before their digest is known.
    stage: Option<StageDir>,
    progress: &'a dyn Progress,
}

impl Sink for Remote<'_> {
    fn has(&self, blob: &Blob) -> Result<bool> {
        is_there(self.repository, blob, self.source)
    }

    fn put(&self, item: &str, write: WriteBlob<'_>) -> Result<()> {
        let failed = |error| Error::io(item, error);
        let file = match &self.stage {
            Some(stage) => tempfile::tempfile_in(stage.path()),
            None => tempfile::tempfile(),
        };
        let mut out = BufWriter::with_capacity(1 << 20, file.map_err(failed)?);
        let blob = write(&mut out)?;
        let file = out.into_inner();
        let file = file.map_err(|error| failed(error.into_error()))?;
        if self.has(&blob)? {
            self.progress.present(item);
            return Ok(());
        }
        upload(self.repository, &blob, &file, item, self.progress)
    }
}
