//! Why a record cannot be read.

use racker_store::StepKey;

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not the one that the key was made of.
    #[error("the record of step {0} does not have the digest it is kept under")]
    Changed(StepKey),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
}

impl Error {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Changed(_) => vec!["bake with --no-cache records it again".into()],
            Self::Store(error) => error.hints(),
        }
    }
}
