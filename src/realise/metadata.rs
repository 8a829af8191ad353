//! The metadata of repositories, kept in the store between resolutions.
//!
//! After a package manager has solved, what it downloaded about its repositories goes into the
//! store, under the digest that the lock has for it. The next package step of the recipe gets it
//! back, so that one recipe sees one state of its repositories, and so does whoever checks the
//! lock later. Packing takes a moment and nobody waits for it before the end of the bake.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::chown;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use racker_store::{Access, Digest, Realisation, Store};

use super::Error;
use crate::provision::Exchange;
use crate::provision::exchange::METADATA;

/// Packs what resolutions leave behind, and makes results from elsewhere durable, beside the rest of
/// the work.
#[derive(Debug, Default)]
pub(super) struct Keeper(Mutex<Vec<JoinHandle<Result<(), Error>>>>);

impl Keeper {
    /// Keeps what lies in an exchange directory, which may go away meanwhile.
    pub(super) fn keep(
        &self,
        store: &Store,
        digest: Digest,
        exchange: &Exchange,
    ) -> Result<(), Error> {
        // Open files can be read after their directory, and even its mount, is gone.
        let provision = |error| Error::Metadata(Box::new(error));
        let mut files = Vec::new();
        for path in exchange.files(METADATA).map_err(provision)? {
            if let Some(file) = exchange.open(&path).map_err(provision)? {
                files.push((path[METADATA.len() + 1..].to_owned(), file));
            }
        }
        let root = store.root().to_owned();
        let pack = move || -> Result<(), Error> {
            let store = Store::open(&root, Access::ReadWrite)?;
            Ok(store.keep_metadata(&digest, |writer| write(files, writer))?)
        };
        self.begin(pack);
        Ok(())
    }

    /// Makes what is in the store durable, and then puts a result on record. Who waits for his turn
    /// at the step waits for that.
    pub(super) fn record(&self, store: &Store, realisation: Realisation, turn: File) {
        let root = store.root().to_owned();
        self.begin(move || {
            let _turn = turn;
            let store = Store::open(&root, Access::ReadWrite)?;
            Ok(store.record(&realisation)?)
        });
    }

    fn begin(&self, work: impl FnOnce() -> Result<(), Error> + Send + 'static) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(std::thread::spawn(work));
    }

    /// Waits until everything is kept.
    pub(super) fn finish(self) -> Result<(), Error> {
        for thread in self.take() {
            match thread.join() {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    }

    fn take(&self) -> Vec<JoinHandle<Result<(), Error>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut all)
    }
}

impl Drop for Keeper {
    /// After a failure too nothing half-written is left behind.
    fn drop(&mut self) {
        for thread in self.take() {
            let _ = thread.join();
        }
    }
}

fn write(files: Vec<(String, File)>, writer: &mut dyn Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(writer);
    for (path, file) in files {
        let size = file.metadata()?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        // A guest may still write to it; what is announced is what is there.
        let padded = file.take(size).chain(io::repeat(0)).take(size);
        archive.append_data(&mut header, path, padded)?;
    }
    archive.finish()
}

/// Puts kept metadata into an exchange directory, its files owned by `owner`; says whether there
/// was any.
pub(super) fn restore(
    store: &Store,
    digest: &Digest,
    exchange: &Exchange,
    owner: Option<u32>,
) -> Result<bool, Error> {
    let Some(reader) = store.metadata(digest)? else {
        return Ok(false);
    };
    let root = exchange
        .fresh(METADATA)
        .map_err(|error| Error::Metadata(Box::new(error)))?;
    unpack(reader, &root, owner).map_err(Error::io(format!("unpack metadata {digest}")))?;
    Ok(true)
}

/// Unpacks regular files into an empty directory, in which nobody makes links.
fn unpack(reader: impl Read, root: &Path, owner: Option<u32>) -> io::Result<()> {
    chown(root, owner, owner)?;
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let normal = path
            .components()
            .all(|it| matches!(it, Component::Normal(_)));
        if !normal || !entry.header().entry_type().is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut directory = PathBuf::from(root);
        for name in path.parent().into_iter().flat_map(Path::components) {
            directory.push(name);
            if !directory.exists() {
                std::fs::create_dir(&directory)?;
                chown(&directory, owner, owner)?;
            }
        }
        let target = root.join(path);
        let mut file = File::create_new(&target)?;
        io::copy(&mut entry, &mut file)?;
        chown(&target, owner, owner)?;
    }
    Ok(())
}
