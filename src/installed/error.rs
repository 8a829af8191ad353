//! Why the packages of a tree cannot be listed.

/// Why the packages of a tree cannot be listed. Paths are those in the tree.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database has a format that racker does not read.
    #[error("/{path} is a package database in the {format} format, which racker does not read")]
    Format {
        /// The database.
        path: String,
        /// The name of its format.
        format: &'static str,
    },
    /// The database was left in the middle of a change.
    #[error("/{path} is half of a change that its package manager did not finish")]
    Unfinished {
        /// The journal that was left.
        path: String,
    },
    /// The database is not what it should be.
    #[error("the package database /{path} is damaged: {reason}")]
    Damaged {
        /// The database.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is more of it than an image can have in good faith.
    #[error("the package database /{path} is over the limit of {limit} bytes")]
    Limit {
        /// The file or directory that went over it.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// A copy of the database could not be made.
    #[error("cannot copy the package database /{path} to a temporary file")]
    Copy {
        /// The database.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store cannot give the tree's files.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
}

impl Error {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Format { .. } => {
                vec![
                    "`rpm --rebuilddb` with another `%_db_backend` in the image makes it one of \
                     SQLite"
                        .into(),
                ]
            }
            Self::Unfinished { .. } => {
                vec!["`rpm --rebuilddb` in the image finishes it".into()]
            }
            Self::Store(error) => error.hints(),
            _ => Vec::new(),
        }
    }

    pub(super) fn damaged(path: &str, reason: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
