//! Why there is no statement of an image.

use racker_store::StepKey;

use crate::{installed, record};

/// Why there is no statement of an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was pulled or imported.
    #[error("{0} was not baked here, so how it was made is not known")]
    Foreign(String),
    /// A step of it is not on record.
    #[error("step {number} ({summary}) is not on record, its key is {key}")]
    Unrecorded {
        /// Its place among the layers of the image, from one.
        number: usize,
        /// What it does.
        summary: String,
        /// Its key.
        key: StepKey,
    },
    /// The tree does not say what system it is.
    #[error(transparent)]
    Installed(#[from] installed::Error),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
}

impl Error {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Foreign(name) => vec![format!("what is in it: racker sbom {name}")],
            Self::Unrecorded { .. } => vec!["bake it again to have it recorded".into()],
            Self::Installed(error) => error.hints(),
            Self::Record(error) => error.hints(),
            Self::Store(error) => error.hints(),
        }
    }
}
