//! What a resolve phase finds out: the closure, pinned.

use std::path::PathBuf;

use racker_store::Digest;
use serde::{Deserialize, Serialize};

/// One package file, pinned by its digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockedPackage {
    /// The package's name, without architecture.
    pub name: String,
    /// Its version as the package manager writes it, epoch included.
    pub version: String,
    /// Its architecture (`all` for none).
    pub arch: String,
    /// Where it was found; a hint, since the digest says what it is.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of the file.
    pub sha256: Digest,
}

/// A locked package and where the host has its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What was locked.
    pub package: LockedPackage,
    /// The file, already verified against the digest.
    pub file: PathBuf,
}

/// The outcome of a resolve phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Everything that has to be fetched, sorted by name, architecture and version.
    pub packages: Vec<LockedPackage>,
    /// The newest date of the repositories' signed metadata, in seconds since 1970.
    pub epoch: i64,
    /// One digest over all the signed metadata that the solver saw.
    pub metadata: Digest,
}
