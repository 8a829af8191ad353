//! What can go wrong around containers that are kept.

use std::io;
use std::path::PathBuf;

use crate::container;

/// An error of the lifecycle part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation or system call failed.
    #[error("{action}")]
    Io {
        /// What was being done, with the path.
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file of racker's own makes no sense.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No container is called so.
    #[error("no such container: {0}")]
    NoSuch(String),
    /// Several are.
    #[error("the id {0} is the beginning of several containers' ids")]
    Ambiguous(String),
    /// The name is taken.
    #[error(
        "the container name {name:?} is already in use by container {by}: you have to remove (or rename) that container to be able to reuse that name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        by: String,
    },
    /// The name is none.
    #[error("invalid container name {0:?}: only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed")]
    BadName(String),
    /// The name is none of a volume.
    #[error("invalid volume name {0:?}: only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed")]
    BadVolumeName(String),
    /// It must run for that, and does not.
    #[error("container {0} is not running")]
    NotRunning(String),
    /// It must not run for that.
    #[error("container {0} is running")]
    Running(String),
    /// It is frozen.
    #[error("container {0} is paused: unpause it first")]
    Paused(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The container part.
    #[error(transparent)]
    Container(#[from] container::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
}

impl Error {
    /// Wraps an I/O error with what was being done.
    pub fn io<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::Io {
            action,
            source: source.into(),
        }
    }

    /// What the user can do about it, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoSuch(_) => vec!["racker ps -a lists them".into()],
            Self::BadVolumeName(name) if name.contains('/') => vec![format!(
                "a path of the host is absolute or begins with ./, such as ./{name}"
            )],
            Self::Damaged { path, .. } if path.ends_with("config.json") => {
                vec!["racker rm -f removes the container".into()]
            }
            Self::Container(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}
