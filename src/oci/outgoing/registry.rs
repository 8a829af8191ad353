//! An image into a registry.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use racker_store::{Access, Digest, Image, StageDir, Store};

use super::encode::Encoding;
use super::send::send;
use super::sink::{Sink, WriteBlob};
use crate::oci::ahead::{self, ahead};
use crate::oci::artifact::put_manifest;
use crate::oci::error::{Error, Result};
use crate::oci::manifest::Blob;
use crate::oci::registry::Repository;
use crate::oci::upload::{is_there, unnamed, upload};
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
        new: OnceLock::new(),
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
    put_manifest(&repository, &name, &sent.media_type, &sent.manifest)
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
    /// Whether the repository was new before this.
    new: OnceLock<bool>,
    progress: &'a dyn Progress,
}

impl Remote<'_> {
    /// Whether nothing can be there, nor come from a repository next to it.
    fn is_new(&self) -> bool {
        let new = || self.source.is_none() && ahead::is_new(self.repository);
        *self.new.get_or_init(new)
    }
}

impl Sink for Remote<'_> {
    fn has(&self, blob: &Blob) -> Result<bool> {
        is_there(self.repository, blob, self.source)
    }

    fn put(&self, item: &str, write: WriteBlob<'_>) -> Result<()> {
        let failed = |error| Error::io(item, error);
        let stage = self.stage.as_ref().map(StageDir::path);
        let file = unnamed(stage).map_err(failed)?;
        let (tell, lengths) = channel();
        let growing = Growing {
            file: &file,
            length: 0,
            tell,
        };
        let mut out = BufWriter::with_capacity(1 << 20, growing);
        let (blob, ahead) = thread::scope(|scope| {
            let (new, progress) = (|| self.is_new(), self.progress);
            let file = &file;
            let sending =
                scope.spawn(move || ahead(self.repository, file, &lengths, new, item, progress));
            let blob = write(&mut out).and_then(|blob| out.flush().map(|()| blob).map_err(failed));
            // There is no more to come.
            drop(out);
            (
                blob,
                sending.join().expect("a sending thread does not panic"),
            )
        });
        let blob = blob?;
        if ahead.is_none() && self.has(&blob)? {
            self.progress.present(item);
            return Ok(());
        }
        upload(self.repository, &blob, &file, ahead, item, self.progress)
    }
}

/// A file that tells how long it is by now.
struct Growing<'a> {
    file: &'a File,
    length: u64,
    tell: Sender<u64>,
}

impl Write for Growing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        // Whoever sends it may have given up.
        let _ = self.tell.send(self.length);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
