//! Package managers and package files: words that recipes, locks and provisioning share.

use std::fmt;
use std::str::FromStr;

use racker_store::Digest;
use serde::{Deserialize, Serialize};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// apt with dpkg: Debian and its kin.
    Apt,
    /// dnf 4, dnf 5 and microdnf: Fedora and its kin.
    Dnf,
    /// zypper: SUSE.
    Zypper,
    /// pacman: Arch.
    Pacman,
    /// apk: Alpine.
    Apk,
}

impl Manager {
    /// Every manager, in the order they are named in messages.
    pub const ALL: [Self; 5] = [Self::Apt, Self::Dnf, Self::Zypper, Self::Pacman, Self::Apk];

    /// The word that names it in recipes and locks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
            Self::Pacman => "pacman",
            Self::Apk => "apk",
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that names no package manager.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no package manager `{0}`")]
pub struct UnknownManager(pub String);

impl FromStr for Manager {
    type Err = UnknownManager;

    fn from_str(text: &str) -> Result<Self, UnknownManager> {
        Self::ALL
            .into_iter()
            .find(|manager| manager.as_str() == text)
            .ok_or_else(|| UnknownManager(text.to_owned()))
    }
}

/// One package file, pinned by its digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Package {
    /// Its name, without architecture.
    pub name: String,
    /// Its version as the package manager writes it, epoch included.
    pub version: String,
    /// Its architecture as the package manager calls it (`all`, `noarch`, `any` for none).
    pub arch: String,
    /// Where it was found; a hint, since the digest says what it is.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it is.
    pub sha256: Digest,
    /// The detached signature beside it, where the manager wants to see one; found at its URL
    /// with `.sig` behind.
    pub signature: Option<Digest>,
}

impl Package {
    /// What packages are sorted by.
    pub fn order(&self) -> (&str, &str, &str) {
        (&self.name, &self.arch, &self.version)
    }
}
