//! What package repositories said about themselves: `metadata/<digest>.tar.zst`.
//!
//! The digest is that of the lock, over what is signed. The store knows nothing of what is in the
//! archive; it keeps the bytes, so that a solution can be found again, or checked, later.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::error::{At as _, Result};
use crate::id::Digest;
use crate::store::{Store, place, present};

impl Store {
    /// Keeps an archive, unless there is one of this name; `write` gives its bytes.
    pub fn keep_metadata(
        &self,
        digest: &Digest,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.metadata_path(digest);
        if self.freshen(&path)? {
            return Ok(());
        }
        self.lease()?;
        let stage = self.stage_name();
        let written = || -> io::Result<()> {
            let file = File::options().write(true).create_new(true).open(&stage)?;
            let mut encoder = zstd::Encoder::new(file, 1)?;
            write(&mut encoder)?;
            encoder.finish().map(drop)
        };
        if let Err(error) = written() {
            let _ = std::fs::remove_file(&stage);
            return Err(error).at("keep metadata in", &stage);
        }
        place(&stage, &path)?;
        self.put_in();
        Ok(())
    }

    /// The bytes of an archive, if it is there.
    pub fn metadata(&self, digest: &Digest) -> Result<Option<impl io::Read + use<>>> {
        let path = self.metadata_path(digest);
        if !present(&path) {
            return Ok(None);
        }
        let file = File::open(&path).at("open", &path)?;
        zstd::Decoder::new(file).at("read", &path).map(Some)
    }

    fn metadata_path(&self, digest: &Digest) -> PathBuf {
        let name = format!("{}.tar.zst", digest.hex());
        self.root().join("metadata").join(name)
    }
}
