//! Holding everything in a store against its name, and putting right what can be.
//!
//! ```text
//! places    what should be a directory and is none
//! check     every file -> what is wrong with it, and with what it leads to
//! affected  what is wrong -> the images that suffer from it
//! repair    makes again what follows from something whole, moves the rest aside
//! ```
//!
//! What follows from nothing else, an object above all, is moved to `damaged/` together with all
//! that leads to it: then it counts as missing, and the next bake or pull makes it again.

mod affected;
mod check;
mod places;
mod repair;

use std::path::PathBuf;

pub(crate) use check::{blob, expect};
pub use repair::Repaired;

use crate::error::Result;
use crate::store::{Access, Store};

/// Something in a store that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file, relative to the store.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
    /// Names of the images that suffer from it.
    pub images: Vec<String>,
}

impl Store {
    /// Reads everything: objects and blobs have the digests they are named by, their owner and mode;
    /// manifests too, and their objects are there; EROFS images are what their trees say, archives come
    /// back with their digests, images and realisations lead to trees, and the index says what the
    /// files say. Where a directory is none, that alone is told. Damage is the result, not an error.
    pub fn verify(&self) -> Result<Vec<Damage>> {
        if self.access() == Access::ReadWrite {
            self.recover()?;
        }
        let misplaced = places::misplaced(self)?;
        if !misplaced.is_empty() {
            return Ok(misplaced);
        }
        let findings = check::check(self)?;
        affected::damages(self, &findings)
    }
}
