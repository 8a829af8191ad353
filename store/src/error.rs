//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::Digest;

/// Shorthand for a result with the store's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the store: what failed, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Data that the caller handed in could not be read.
    #[error("cannot read {what}")]
    Input {
        /// What was being read.
        what: &'static str,
        /// What the reader said.
        source: io::Error,
    },
    /// Data could not be handed to the caller.
    #[error("cannot write {what}")]
    Output {
        /// What was being written.
        what: &'static str,
        /// What the writer said.
        source: io::Error,
    },
    /// Something that was asked for is not in the store.
    #[error("{what} {name} is not in the store")]
    Missing {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Bytes do not have the digest they were promised to have.
    #[error("digest mismatch: expected {expected}, got {actual}")]
    DigestMismatch {
        /// The digest that was promised.
        expected: Digest,
        /// The digest of the bytes that came.
        actual: Digest,
    },
    /// A file of the store does not hold what it should.
    #[error("{what} {name} is damaged: {reason}")]
    Damaged {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text manifest cannot be parsed.
    #[error("line {line} of the {what}: {reason}")]
    Manifest {
        /// The kind of manifest.
        what: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A tar archive cannot be taken in.
    #[error("archive entry {entry}: {reason}")]
    Archive {
        /// Name of the entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A limit on untrusted input was reached.
    #[error("{what} over the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// A path inside a tree cannot be used this way.
    #[error("path /{path}: {reason}")]
    Path {
        /// The path, escaped.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// A written layer of an overlay cannot be taken in.
    #[error("cannot capture {}: {reason}", path.display())]
    Capture {
        /// The offending file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A layer was applied to a tree it was not made for.
    #[error("layer is for tree {expected}, not for {actual}")]
    WrongBase {
        /// Tree that the layer names.
        expected: String,
        /// Tree that was given.
        actual: String,
    },
    /// The directory is not a store, or one of another format.
    #[error("store {}: {reason}", path.display())]
    Format {
        /// Directory of the store.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something was to be written to a store opened for reading.
    #[error("store {} is open for reading only", path.display())]
    ReadOnly {
        /// Directory of the store.
        path: PathBuf,
    },
    /// A name that cannot be used.
    #[error("{name:?} cannot be the name of {what}")]
    Name {
        /// The kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The index failed.
    #[error("index of the store failed")]
    Index(#[from] rusqlite::Error),
}

impl Error {
    /// Lines that tell the reader what could be done.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Format { .. } => {
                vec![
                    "use a racker that knows this format, or another directory with --store".into(),
                ]
            }
            Self::ReadOnly { .. } => vec!["the store's directory must be writable for this".into()],
            Self::Damaged { .. } => {
                vec!["bake or pull again; racker store verify lists everything that is damaged, --repair puts it right".into()]
            }
            Self::Index(_) => {
                vec!["index.db may be deleted, it is made again from the files".into()]
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                vec![
                    "that file system is full; in a store, racker store gc frees what nobody needs"
                        .into(),
                ]
            }
            Self::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory
                ) =>
            {
                vec!["in a store, racker store verify --repair moves aside what is not what it should be".into()]
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn manifest(what: &'static str, line: usize, reason: &'static str) -> Self {
        Self::Manifest { what, line, reason }
    }

    pub(crate) fn path(path: &[u8], reason: &'static str) -> Self {
        Self::Path {
            path: crate::path::display(path),
            reason,
        }
    }

    pub(crate) fn missing(what: &'static str, name: impl ToString) -> Self {
        Self::Missing {
            what,
            name: name.to_string(),
        }
    }

    pub(crate) fn damaged(what: &'static str, name: impl ToString, reason: impl ToString) -> Self {
        Self::Damaged {
            what,
            name: name.to_string(),
            reason: reason.to_string(),
        }
    }
}

/// Names the action and the file of a failed system call.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::Io {
            action,
            path: path.as_ref().to_owned(),
            source: source.into(),
        })
    }
}
