//! What can go wrong while a plan is realised.

use std::path::PathBuf;

use racker_store::Digest;

use crate::failure::{DIGEST_MISMATCH, FAILED, STEP_FAILED, TIMED_OUT, USAGE};
use crate::{container, oci, plan, provision, recipe};

/// An error of realising.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A step's command failed.
    #[error("step {id} failed with exit code {code}: {summary}")]
    StepFailed {
        /// The step.
        id: String,
        /// What it does.
        summary: String,
        /// Its command's exit code.
        code: u8,
        /// The last lines of its output.
        tail: String,
        /// Where all of it is.
        log: PathBuf,
        /// What is known about the reason.
        reason: Option<Box<provision::Error>>,
    },
    /// A step took too long.
    #[error("step {id} took longer than its timeout of {seconds} s: {summary}")]
    TimedOut {
        /// The step.
        id: String,
        /// What it does.
        summary: String,
        /// The timeout.
        seconds: u64,
        /// Where its output is.
        log: PathBuf,
    },
    /// A package step could not be set up or solved.
    #[error("step {id}")]
    Provision {
        /// The step.
        id: String,
        /// Why.
        #[source]
        source: Box<provision::Error>,
    },
    /// A step's files could not be put into the tree.
    #[error("step {id}: {reason}")]
    Files {
        /// The step.
        id: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A locked package cannot be had.
    #[error("step {id}: package {package}")]
    Package {
        /// The step.
        id: String,
        /// The package's name and version.
        package: String,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<oci::Error>,
    },
    /// What a resolution left behind cannot be read.
    #[error("cannot keep the metadata of the repositories")]
    Metadata(#[source] Box<provision::Error>),
    /// `--locked`, and the lock does not fit.
    #[error("step {id}: {reason}")]
    Locked {
        /// The step.
        id: String,
        /// Why.
        reason: String,
    },
    /// Offline, and something is missing.
    #[error("{0} is not in the store, and racker may not use the network")]
    Offline(String),
    /// A secret that a step reads was not given.
    #[error("step {id} needs the secret `{secret}`")]
    NoSecret {
        /// The step.
        id: String,
        /// The secret's id.
        secret: String,
    },
    /// The file that a recipe builds on cannot be read.
    #[error("cannot read {}, which the recipe is `from`", path.display())]
    Base {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A fetched file is another than the recipe says.
    #[error("{url} is {actual}, expected {expected}")]
    Digest {
        /// Where it came from.
        url: String,
        /// What was expected.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A key could not be computed.
    #[error(transparent)]
    Key(#[from] plan::KeyError),
    /// An image could not be had.
    #[error(transparent)]
    Oci(#[from] oci::Error),
    /// A container failed.
    #[error(transparent)]
    Container(#[from] container::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
    /// A file operation failed.
    #[error("{action}")]
    Io {
        /// What was being done.
        action: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Wraps an I/O error with what was being done.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// racker's exit code for it.
    pub fn code(&self) -> u8 {
        match self {
            Self::StepFailed { .. } | Self::Provision { .. } | Self::Files { .. } => STEP_FAILED,
            Self::TimedOut { .. } => TIMED_OUT,
            Self::Digest { .. } | Self::Store(racker_store::Error::DigestMismatch { .. }) => {
                DIGEST_MISMATCH
            }
            Self::Oci(error) if error.is_digest_mismatch() => DIGEST_MISMATCH,
            Self::Package { source, .. } if source.is_digest_mismatch() => DIGEST_MISMATCH,
            Self::Recipe(_) | Self::Key(_) | Self::NoSecret { .. } => USAGE,
            _ => FAILED,
        }
    }

    /// What the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::StepFailed {
                id, reason, log, ..
            } => {
                let mut hints: Vec<String> = reason.iter().map(ToString::to_string).collect();
                hints.extend(reason.iter().flat_map(|reason| reason.hints()));
                hints.push(format!(
                    "all of its output: racker log {id} ({})",
                    log.display()
                ));
                hints
            }
            Self::TimedOut { id, log, .. } => vec![
                "raise the step's timeout".into(),
                format!("its output: racker log {id} ({})", log.display()),
            ],
            Self::Provision { source, .. } | Self::Metadata(source) => source.hints(),
            Self::Package { source, name, .. } => match &**source {
                oci::Error::NotFound { .. } => vec![
                    "no mirror has this version any more, and the store has no copy".into(),
                    format!("renew the lock: racker lock RECIPE --update {name}"),
                ],
                other => other.hints(),
            },
            Self::Files { hint, .. } => hint.iter().cloned().collect(),
            Self::Base { .. } => vec!["a relative path starts at the recipe's directory".into()],
            Self::Locked { .. } => vec!["without --locked, bake renews the lock".into()],
            Self::Offline(_) => vec!["run it once without --offline".into()],
            Self::Digest { .. } => vec!["what lies there has changed; set the new digest".into()],
            Self::Recipe(error) => error.hints(),
            Self::Key(error) => error.hints(),
            Self::Oci(error) => error.hints(),
            Self::Container(error) => error.hints(),
            Self::Store(error) => error.hints(),
            Self::Io { source, .. } if source.raw_os_error() == Some(libc::ENOSPC) => {
                vec!["the disk is full".into()]
            }
            Self::NoSecret { secret, .. } => vec![format!("give it: --secret {secret}=FILE")],
            Self::Io { .. } => Vec::new(),
        }
    }
}
