//! Layers into the store: several at once, each verified before its end is believed.
//!
//! ```text
//! source -> sha256 of compressed -> | pipe | -> decompress -> | pipe | -> Store::import_tar
//!           one thread                          one thread               one thread
//! ```
//!
//! The first thread ends the pipe only when digest and size are right, so the importer cannot
//! finish a layer whose compressed bytes are wrong; the diff id is compared when it has finished.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use racker_store::{Changeset, Digest, ImportedTar, Limits, Store};
use sha2::{Digest as _, Sha256};

use super::decompress::Decompress;
use super::error::{Error, Result};
use super::manifest::Blob;
use super::pipe::{Writer, pipe};
use super::progress::Progress;
use super::stream;

/// Layers under way at once.
const PARALLEL: usize = 4;
const CHUNK: usize = 128 * 1024;

/// A layer to import.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Name for progress and errors.
    pub item: String,
    /// Digest and size of the bytes as stored, where something promises them.
    pub blob: Option<Blob>,
    /// Digest of the tar stream.
    pub diff_id: Digest,
}

/// A layer in the store.
#[derive(Debug)]
pub(crate) struct Imported {
    pub changeset: Changeset,
    pub size: u64,
}

/// Where layers come from.
pub(crate) trait Source: Sync {
    /// The bytes of layer `index`, to be given up once `cancel` is set.
    fn open<'s>(
        &'s self,
        index: usize,
        cancel: &'s AtomicBool,
    ) -> Result<Box<dyn Read + Send + 's>>;

    /// Layer `index` is in the store, or failed. Says whether it may be worth another try.
    fn settled(&self, index: usize, error: Option<&Error>) -> bool {
        let _ = (index, error);
        false
    }
}

/// Imports all layers, the largest first; the answer is by diff id.
pub(crate) fn import(
    store: &Store,
    wanted: &[Wanted],
    source: &dyn Source,
    progress: &dyn Progress,
) -> Result<BTreeMap<Digest, Imported>> {
    let mut done = BTreeMap::new();
    let mut queue: Vec<usize> = Vec::new();
    for (index, layer) in wanted.iter().enumerate() {
        let queued = queue
            .iter()
            .any(|&other| wanted[other].diff_id == layer.diff_id);
        if queued || done.contains_key(&layer.diff_id) {
            continue;
        }
        let present = store
            .imported(&layer.diff_id)
            .map_err(|error| Error::store(&layer.item, error))?;
        if let Some(changeset) = present {
            progress.present(&layer.item);
            let tar = store
                .export_tar(&layer.diff_id)
                .map_err(|error| Error::store(&layer.item, error))?;
            let size = tar.size();
            done.insert(layer.diff_id, Imported { changeset, size });
        } else {
            queue.push(index);
        }
    }
    queue.sort_by_key(|&index| std::cmp::Reverse(wanted[index].blob.as_ref().map(|b| b.size)));
    let done = Mutex::new(done);
    let failure = Mutex::new(None);
    let cancel = AtomicBool::new(false);
    let next = AtomicUsize::new(0);
    let work = || {
        while !cancel.load(Ordering::Relaxed) {
            let Some(&index) = queue.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            let layer = &wanted[index];
            let attempt = || {
                let open = || source.open(index, &cancel);
                import_one(store, &layer.item, layer.blob.as_ref(), open, progress)
                    .and_then(|tar| check(layer, tar))
            };
            let mut result = attempt();
            if source.settled(index, result.as_ref().err()) {
                result = attempt();
                source.settled(index, result.as_ref().err());
            }
            match result {
                Ok(imported) => {
                    progress.finished(&layer.item);
                    done.lock().unwrap().insert(layer.diff_id, imported);
                }
                Err(error) => {
                    if !cancel.swap(true, Ordering::Relaxed) {
                        *failure.lock().unwrap() = Some(error);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..PARALLEL.min(queue.len()) {
            scope.spawn(work);
        }
        work();
    });
    match failure.into_inner().unwrap() {
        Some(error) => Err(error),
        None => Ok(done.into_inner().unwrap()),
    }
}

fn check(layer: &Wanted, tar: ImportedTar) -> Result<Imported> {
    if tar.diff_id == layer.diff_id {
        return Ok(Imported {
            changeset: tar.changeset,
            size: tar.size,
        });
    }
    let what = format!("{} (uncompressed)", layer.item);
    Err(Error::DigestMismatch {
        what,
        expected: layer.diff_id,
        actual: tar.diff_id,
    })
}

/// Imports one possibly compressed tar stream.
pub(crate) fn import_one<'s>(
    store: &Store,
    item: &str,
    blob: Option<&Blob>,
    open: impl FnOnce() -> Result<Box<dyn Read + Send + 's>> + Send,
    progress: &dyn Progress,
) -> Result<ImportedTar> {
    progress.started(item, blob.map(|blob| blob.size));
    let (packed, unpacking) = pipe();
    let (mut plain, importing) = pipe();
    let hopeless = AtomicBool::new(false);
    let (fetched, unpacked, imported) = thread::scope(|scope| {
        let fetch = scope
            .spawn(|| open().and_then(|s| forward(item, blob, s, packed, progress, &hopeless)));
        let unpack = scope.spawn(move || -> io::Result<()> {
            let mut reader = Decompress::new(unpacking)?;
            plain.fill(&mut reader)?;
            plain.finish()
        });
        let imported = store.import_tar(importing, &Limits::default());
        if let Err(racker_store::Error::Io { .. }) = &imported {
            hopeless.store(true, Ordering::Relaxed);
        }
        (fetch.join(), unpack.join(), imported)
    });
    // Wrong bytes explain everything that comes after them, so that error goes first.
    match fetched.expect("a fetching thread does not panic") {
        Err(Error::Cancelled) if imported.is_err() => {}
        other => other?,
    }
    match unpacked.expect("an unpacking thread does not panic") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Error::Decompress {
                what: item.to_owned(),
                reason: error.to_string(),
            });
        }
        _ => {}
    }
    imported.map_err(|error| Error::store(item, error))
}

/// Copies all of `source` into the pipe and ends it, if the bytes are those of `blob`.
///
/// A reader that went away does not stop the copying, unless it is `hopeless`: whether the bytes
/// were right is worth knowing.
fn forward(
    item: &str,
    blob: Option<&Blob>,
    mut source: Box<dyn Read + Send + '_>,
    mut pipe: Writer,
    progress: &dyn Progress,
    hopeless: &AtomicBool,
) -> Result<()> {
    let mut hash = Sha256::new();
    let mut total = 0;
    let mut buffer = vec![0; CHUNK];
    let mut open = true;
    loop {
        let n = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(stream::error(item, error)),
        };
        open = open && pipe.write_all(&buffer[..n]).is_ok();
        if !open && (blob.is_none() || hopeless.load(Ordering::Relaxed)) {
            return Err(Error::Cancelled);
        }
        if blob.is_some() {
            hash.update(&buffer[..n]);
        }
        total += n as u64;
        progress.advanced(item, n as u64);
    }
    if let Some(blob) = blob {
        let what = item.to_owned();
        let actual = Digest::from_bytes(hash.finalize().into());
        if total != blob.size {
            return Err(Error::SizeMismatch {
                what,
                expected: blob.size,
                actual: total,
            });
        }
        if actual != blob.digest {
            return Err(Error::DigestMismatch {
                what,
                expected: blob.digest,
                actual,
            });
        }
    }
    // A reader that has left has its own error to tell.
    let _ = pipe.finish();
    Ok(())
}
