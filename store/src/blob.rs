//! Fetched files by their SHA-256, in `blobs/sha256/ab/cdef...`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use crate::error::{At as _, Error, Result};
use crate::id::Digest;
use crate::store::{Access, Store, place};

/// Takes the bytes of a blob; nothing is visible before [`BlobWriter::finish`].
#[derive(Debug)]
pub struct BlobWriter {
    blobs: PathBuf,
    stage: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
    unsynced: Arc<AtomicBool>,
}

impl Store {
    /// Where the blob lies, if it is there. It stays there at least as long as this store is open.
    pub fn blob(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.blob_path(digest);
        let there = match self.access() {
            Access::ReadWrite => self.freshen(&path).unwrap_or_else(|_| path.exists()),
            Access::ReadOnly => path.exists(),
        };
        there.then_some(path)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.blobs(), digest)
    }

    fn blobs(&self) -> PathBuf {
        self.root().join("blobs/sha256")
    }

    /// Starts a new blob.
    pub fn blob_writer(&self) -> Result<BlobWriter> {
        self.lease()?;
        let stage = self.stage_name();
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&stage)
            .at("create", &stage)?;
        Ok(BlobWriter {
            blobs: self.blobs(),
            stage,
            file,
            hash: Sha256::new(),
            size: 0,
            unsynced: Arc::clone(&self.unsynced),
        })
    }

    /// Takes a blob away; says whether it was there.
    pub fn remove_blob(&self, digest: &Digest) -> Result<bool> {
        self.writable()?;
        let path = self.blob_path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            result => result.at("remove", &path).map(|()| true),
        }
    }
}

fn blob_path(blobs: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    blobs.join(&hex[..2]).join(&hex[2..])
}

impl BlobWriter {
    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Puts the blob in its place, if it has the expected digest; else nothing is kept.
    pub fn finish(self, expected: Option<&Digest>) -> Result<Digest> {
        let actual = Digest::from_bytes(self.hash.clone().finalize().into());
        if let Some(&expected) = expected.filter(|expected| **expected != actual) {
            return Err(Error::DigestMismatch { expected, actual });
        }
        rustix::fs::fchmod(&self.file, rustix::fs::Mode::from_raw_mode(0o444))
            .at("change", &self.stage)?;
        place(&self.stage, &blob_path(&self.blobs, &actual))?;
        self.unsynced.store(true, Ordering::Release);
        Ok(actual)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // After finish() there is nothing under this name any more.
        let _ = fs::remove_file(&self.stage);
    }
}
