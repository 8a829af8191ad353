//! What can go wrong between a reference and an image in the store.
//!
//! Messages are lowercase fragments that say what and where; [`Error::hints`] says what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use racker_store::Digest;

use super::registries::HUB_SERVER as HUB;
use super::registries_conf::VERSION_1;
use crate::shown::plain;

/// How the reason begins when not even a connection could be tried.
pub(crate) const NO_CLIENT: &str = "no HTTP client";

/// The result of an operation on registries, layouts and archives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong while an image or a file is fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A reference breaks the grammar.
    #[error("invalid image reference `{text}`: {reason}")]
    Reference {
        /// The text as given.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A platform is not of the form `os/architecture[/variant]`.
    #[error("invalid platform `{0}`")]
    Platform(String),
    /// A configuration file or variable cannot be used.
    #[error("{origin}: {reason}")]
    Configuration {
        /// The file or variable.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A URL cannot be used.
    #[error("invalid URL `{url}`: {reason}")]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration forbids this registry.
    #[error("registry `{0}` is blocked by the configuration")]
    Blocked(String),
    /// The network would be needed, and was forbidden.
    #[error("`{0}` is not in the store and the network is switched off")]
    Offline(String),
    /// No connection could be made, or it broke before an answer came.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The innermost reason.
        reason: String,
    },
    /// The server wants credentials, or better ones.
    #[error("{host} refuses access to {what}: {reason}")]
    Unauthorised {
        /// Host and port.
        host: String,
        /// What was asked for.
        what: String,
        /// Whether it was not told who asks.
        anonymous: bool,
        /// What the server said.
        reason: String,
    },
    /// The server does not take the credentials that somebody wants to log in with.
    #[error("{host} refuses access: the user name or the password is wrong: {reason}")]
    Login {
        /// Host and port.
        host: String,
        /// What the server said.
        reason: String,
    },
    /// The server does not have it.
    #[error("{what} not found on {host}")]
    NotFound {
        /// Host and port.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// The server asks for more patience than a pull has.
    #[error("{host} limits the rate of requests{}", wait(*.after))]
    RateLimited {
        /// Host and port.
        host: String,
        /// The wait that the server asked for.
        after: Option<Duration>,
    },
    /// The server gave an answer that is no use.
    #[error("{url}: unexpected answer {status}{}", colon(.reason))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// A body broke off again and again, or changed under way.
    #[error("transfer of {what} failed after {received} bytes: {reason}")]
    Transfer {
        /// What was transferred.
        what: String,
        /// How many bytes came.
        received: u64,
        /// The last reason.
        reason: String,
    },
    /// Something is larger than the limit for it.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// Bytes are not those that were promised.
    #[error("digest mismatch of {what}: expected {expected}, got {actual}")]
    DigestMismatch {
        /// What was verified.
        what: String,
        /// The promised digest.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// There are more or fewer bytes than were promised.
    #[error("size mismatch of {what}: expected {expected} bytes, got {actual}")]
    SizeMismatch {
        /// What was verified.
        what: String,
        /// The promised size.
        expected: u64,
        /// How many bytes came.
        actual: u64,
    },
    /// A document is valid but not something that can become an image.
    #[error("{what} refused: {reason}")]
    Refused {
        /// The manifest or blob.
        what: String,
        /// Why it is refused.
        reason: String,
    },
    /// An index has no image for the platform.
    #[error("{what} has no image for {wanted}")]
    NoPlatform {
        /// The index.
        what: String,
        /// The platform wanted.
        wanted: String,
        /// The platforms there are.
        available: Vec<String>,
    },
    /// Compressed data is damaged or hostile.
    #[error("cannot decompress {what}: {reason}")]
    Decompress {
        /// The blob.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// A layout directory or archive is not what it claims to be.
    #[error("{}: {reason}", path.display())]
    Archive {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A local file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// The file.
        what: String,
        /// The reason.
        source: io::Error,
    },
    /// Another part of the same operation failed first.
    #[error("cancelled")]
    Cancelled,
    /// The store failed, or refused the content.
    #[error("{what}: {source}")]
    Store {
        /// What was being stored.
        what: String,
        /// The store's error.
        source: racker_store::Error,
    },
}

impl Error {
    /// Lines that tell the user what to do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Reference { .. } => "the form is [host[:port]/]name[:tag][@sha256:digest]",
            Self::Platform(_) => "the form is os/architecture[/variant], as in linux/arm64/v8",
            Self::Configuration { reason, .. } if reason.starts_with(VERSION_1) => {
                "in version 2 that is [[registry]] with location = \"HOST\" and blocked = true or \
                 insecure = true, and unqualified-search-registries = [\"HOST\"] at the top"
            }
            Self::Blocked(_) => "see `blocked` in registries.conf",
            Self::Offline(_) => "run it once without --offline",
            Self::Unreachable { reason, .. } if reason.starts_with(NO_CLIENT) => {
                "the system's certificates may be missing: apt-get install ca-certificates"
            }
            Self::Unreachable { reason, .. } if super::unreachable::about_certificates(reason) => {
                "certificates of a registry, and for it, lie in certs.d/HOST[:PORT]; one that has no \
                 valid certificate must be marked `insecure` in registries.conf"
            }
            Self::Unreachable { reason, .. } if super::unreachable::about_plain(reason) => {
                "it speaks no TLS: for plain HTTP, mark it `insecure` in registries.conf, or write --insecure"
            }
            Self::Unreachable { .. } => {
                "check the name, the network and the proxy; a mirror can be named in registries.conf"
            }
            Self::Unauthorised {
                host, anonymous, ..
            } => {
                let misspelt = "the name may be misspelt: registries hide what does not exist behind this answer";
                let host = if host == HUB { "docker.io" } else { host };
                let login = format!("racker login {host}, if it is not for everybody");
                let login = Some(login).filter(|_| *anonymous);
                return login.into_iter().chain([misspelt.to_owned()]).collect();
            }
            Self::Login { .. } => "some registries want a token in place of the password",
            Self::Archive { reason, .. } if reason.starts_with(super::tarball::NO_IMAGES) => {
                "a root filesystem becomes an image with racker import FILE NAME"
            }
            Self::NotFound { what, .. } if what.contains("://") => {
                "check the URL; what was there may have moved"
            }
            Self::NotFound { .. } => "check the name and the tag",
            Self::RateLimited { .. } => "wait, or use a mirror (registries.conf)",
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. } => {
                "nothing was kept; a proxy or mirror on the way may have changed the bytes"
            }
            Self::NoPlatform { available, .. } => {
                return vec![format!("available: {}", available.join(", "))];
            }
            Self::Store { source, .. } => return source.hints(),
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }

    /// Whether bytes were not those that were promised.
    pub fn is_digest_mismatch(&self) -> bool {
        matches!(
            self,
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. }
        )
    }

    pub(crate) fn io(what: impl ToString, source: io::Error) -> Self {
        Self::Io {
            what: what.to_string(),
            source,
        }
    }

    pub(crate) fn refused(what: impl ToString, reason: impl ToString) -> Self {
        Self::Refused {
            what: plain(&what.to_string()),
            // What others wrote is in there.
            reason: plain(&reason.to_string()),
        }
    }

    /// Turns a store error into ours; a digest mismatch stays one.
    pub(crate) fn store(what: impl ToString, source: racker_store::Error) -> Self {
        match source {
            racker_store::Error::DigestMismatch { expected, actual } => Self::DigestMismatch {
                what: what.to_string(),
                expected,
                actual,
            },
            source => Self::Store {
                what: what.to_string(),
                source,
            },
        }
    }
}

fn wait(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |d| {
        format!(" (try again in {} s)", d.as_secs())
    })
}

fn colon(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}
