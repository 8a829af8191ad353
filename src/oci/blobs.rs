//! Layers from a registry, begun again where an earlier pull was broken off.
//!
//! The bytes of a large layer are kept in the store while they come. A pull that finds some of them
//! asks for the rest; all of them are hashed, wherever they came from.

use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use racker_store::{Partial, Store};

use super::error::{Error, Result};
use super::layers::Source;
use super::manifest::Blob;
use super::registry::Repository;
use super::transfer::Transfer;

/// Bytes from which on a layer is worth keeping while it comes.
const LARGE: u64 = 1 << 20;

/// The layers of one image.
pub(crate) struct Blobs<'a> {
    store: &'a Store,
    repository: &'a Repository<'a>,
    layers: &'a [Blob],
    /// Those that an earlier pull began.
    begun: Mutex<Vec<usize>>,
}

impl<'a> Blobs<'a> {
    pub(crate) fn new(
        store: &'a Store,
        repository: &'a Repository<'a>,
        layers: &'a [Blob],
    ) -> Self {
        Self {
            store,
            repository,
            layers,
            begun: Mutex::default(),
        }
    }
}

impl Source for Blobs<'_> {
    fn open<'s>(
        &'s self,
        index: usize,
        cancel: &'s AtomicBool,
    ) -> Result<Box<dyn Read + Send + 's>> {
        let blob = &self.layers[index];
        let transfer = self.repository.blob(blob).cancelled_by(cancel);
        if blob.size < LARGE {
            return Ok(Box::new(transfer));
        }
        let failed = |error| Error::store(blob.digest, error);
        let Some(mut partial) = self.store.partial(&blob.digest).map_err(failed)? else {
            return Ok(Box::new(transfer));
        };
        if partial.size() > blob.size {
            partial.clear().map_err(failed)?;
        }
        if partial.size() > 0 {
            self.begun.lock().unwrap().push(index);
        }
        Ok(Box::new(Resumed {
            kept: Box::new(partial.reader().map_err(failed)?),
            transfer: transfer.starting_at(partial.size()),
            partial: Some(partial),
        }))
    }

    fn settled(&self, index: usize, error: Option<&Error>) -> bool {
        let broken = matches!(
            error,
            Some(
                Error::Transfer { .. }
                    | Error::Unreachable { .. }
                    | Error::RateLimited { .. }
                    | Error::Status { .. }
                    | Error::Unauthorised { .. }
                    | Error::Cancelled
            )
        );
        if broken {
            return false;
        }
        // What cannot be removed now is hashed again and found wrong, or swept.
        let _ = self.store.forget_partial(&self.layers[index].digest);
        let mut begun = self.begun.lock().unwrap();
        let was_begun = begun.contains(&index);
        begun.retain(|other| *other != index);
        error.is_some_and(Error::is_digest_mismatch) && was_begun
    }
}

/// What was kept, then what comes.
struct Resumed<'a> {
    kept: Box<dyn Read + Send>,
    transfer: Transfer<'a>,
    /// Where it is kept, for as long as that works.
    partial: Option<Partial>,
}

impl Read for Resumed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.kept.read(out)?;
        if n > 0 {
            return Ok(n);
        }
        let n = Read::read(&mut self.transfer, out)?;
        // A disk that is full ends the pull elsewhere, with more to say about it.
        if let Some(partial) = &mut self.partial
            && partial.append(&out[..n]).is_err()
        {
            self.partial = None;
        }
        Ok(n)
    }
}
