//! Why there is no bill of an image.

use crate::{installed, record};

/// Why there is no bill of an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its packages cannot be listed.
    #[error(transparent)]
    Installed(#[from] installed::Error),
    /// How it was made cannot be read.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
    /// A file of the image cannot be read.
    #[error("cannot read {path} of the image")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Installed(error) => error.hints(),
            Self::Record(error) => error.hints(),
            Self::Store(error) => error.hints(),
            Self::Read { .. } => Vec::new(),
        }
    }
}
