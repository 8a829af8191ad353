//! What a resolve phase finds out, and packages with their files.

use std::path::PathBuf;

use racker_store::Digest;

use crate::package::Package;

/// One package of a solution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its name, without architecture.
    pub name: String,
    /// Its version as the package manager writes it.
    pub version: String,
    /// Its architecture.
    pub arch: String,
    /// Where it is.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// How the repository says what it is.
    pub identity: Identity,
    /// Whether a detached signature lies beside it.
    pub signed: bool,
}

impl From<&Package> for Found {
    /// What is locked, found again.
    fn from(package: &Package) -> Self {
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            arch: package.arch.clone(),
            url: package.url.clone(),
            size: package.size,
            identity: Identity::Sha256(package.sha256),
            signed: package.signature.is_some(),
        }
    }
}

/// How a repository says what a file is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// By the SHA-256 of its bytes.
    Sha256(Digest),
    /// In a way of the manager's own, which the file must be fetched for.
    Own(String),
}

/// A locked package and where the host has its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What was locked.
    pub package: Package,
    /// The file, already verified against the digest.
    pub file: PathBuf,
    /// The detached signature, where it has one.
    pub signature: Option<PathBuf>,
}

/// The outcome of a resolve phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Everything that has to be fetched, sorted.
    pub packages: Vec<Found>,
    /// The newest date of the repositories' metadata, in seconds since 1970.
    pub date: i64,
    /// One digest of all the metadata that the solver saw, the same from every mirror.
    pub metadata: Digest,
}
