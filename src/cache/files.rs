//! Package files, for the day when no mirror has them any more.
//!
//! A file is asked for by its digest, which is that of the blob; nobody needs to sign it. The
//! artifact that names all files of a step only keeps the registry from throwing them away.

use std::fs::File;
use std::io;

use racker_store::{Digest, StepKey, Store};

use super::place::Place;
use super::{Cache, Trouble};
use crate::oci::{Artifact, Ask, Blob, Error, Method, Part, Progress, Result, each, send, stream};

const KIND: &str = "application/vnd.racker.files.v1";
const FILE: &str = "application/vnd.racker.file.v1";
const PARALLEL: usize = 6;

impl Cache<'_> {
    /// Looks for a file by its digest; says whether the store has it now.
    pub fn file(
        &self,
        store: &Store,
        digest: &Digest,
        what: &str,
        progress: &dyn Progress,
    ) -> Result<bool> {
        let found = self.first(what, progress, |place| fetch(store, place, digest))?;
        if let Some(((), place)) = found {
            progress.message(&format!("{what}: taken from the cache {place}"));
        }
        Ok(found.is_some())
    }

    /// Puts the files that a step installed where results are put, unless they are there.
    pub fn put_files(
        &self,
        store: &Store,
        key: StepKey,
        files: &[Digest],
        id: &str,
        progress: &dyn Progress,
    ) {
        let tag = format!("files-{key}");
        let what = format!("the packages of step {id}");
        self.with_target(&what, progress, |place, _| {
            if files.is_empty() || Artifact::get(&place.repository, &tag)?.is_some() {
                return Ok(());
            }
            let parts = each(files.len(), PARALLEL, |index| {
                put(store, place, &files[index], progress)
            })?;
            let artifact = Artifact {
                kind: KIND.to_owned(),
                parts,
            };
            Ok(artifact.put(&place.repository, &tag)?)
        });
    }
}

fn fetch(store: &Store, place: &Place<'_>, digest: &Digest) -> Result<Option<()>, Trouble> {
    let what = digest.to_string();
    let path = format!("blobs/{what}");
    let head = place
        .repository
        .ask(&Ask::new(Method::HEAD, &path, &what))?;
    let size = match head.status() {
        200 => head.header("content-length").and_then(|it| it.parse().ok()),
        404 => return Ok(None),
        _ => return Err(head.into_error(&what).into()),
    };
    let Some(size) = size else {
        return Err(Trouble::Wrong(
            "the registry does not say how large it is".into(),
        ));
    };
    let blob = Blob {
        digest: *digest,
        size,
    };
    let failed = |error| Error::store(&what, error);
    let mut sink = store.blob_writer().map_err(failed)?;
    let copied = io::copy(&mut place.repository.blob(&blob), &mut sink);
    copied.map_err(|error| stream::error(&what, error))?;
    sink.finish(Some(digest)).map_err(failed)?;
    Ok(Some(()))
}

fn put(store: &Store, place: &Place<'_>, digest: &Digest, progress: &dyn Progress) -> Result<Part> {
    let what = digest.to_string();
    let path = store.blob(digest);
    let path = path.ok_or_else(|| Error::refused(&what, "it is not in the store"))?;
    let open = || -> io::Result<(File, u64)> {
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    };
    let (file, size) = open().map_err(|error| Error::io(path.display(), error))?;
    let blob = Blob {
        digest: *digest,
        size,
    };
    send(&place.repository, &blob, &file, progress, &what)?;
    Ok(Part {
        media_type: FILE.to_owned(),
        blob,
        annotations: std::collections::BTreeMap::new(),
    })
}
