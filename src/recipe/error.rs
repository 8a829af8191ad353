//! What can go wrong while a recipe is loaded.

use std::io;
use std::path::PathBuf;

use super::Diagnostics;

/// Why a recipe could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file named by the user cannot be read.
    #[error("cannot read recipe {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is too large to be a recipe.
    #[error("recipe {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size accepted.
        limit: u64,
    },
    /// No curated recipe has this label.
    #[error("no curated recipe has the label `{label}`")]
    UnknownLabel {
        /// What was asked for.
        label: String,
        /// What might have been meant.
        advice: Option<String>,
    },
    /// `--set` names an argument that no recipe of the chain declares.
    #[error("no argument `{name}` to set in {recipe}")]
    UnknownArgument {
        /// What was to be set.
        name: String,
        /// The recipe that was loaded.
        recipe: String,
        /// What might have been meant.
        advice: Option<String>,
    },
    /// The text has mistakes; displayed as rendered, without colour.
    #[error("{0}")]
    Invalid(#[from] Diagnostics),
}

impl Error {
    /// Returns lines of advice; diagnostics carry theirs themselves.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownLabel { advice, .. } | Self::UnknownArgument { advice, .. } => {
                advice.iter().cloned().collect()
            }
            Self::Read { .. } | Self::TooLarge { .. } | Self::Invalid(_) => Vec::new(),
        }
    }
}
