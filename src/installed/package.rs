//! One installed package, as whichever database has it describes it.

use serde::Serialize;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// dpkg: Debian and its kin.
    Dpkg,
    /// rpm: Fedora, SUSE and their kin.
    Rpm,
    /// pacman: Arch.
    Pacman,
    /// apk: Alpine.
    Apk,
}

/// A package of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The database that has it.
    pub database: Database,
    /// Its name, without architecture.
    pub name: String,
    /// Its version as the package manager writes it, with epoch and release.
    pub version: String,
    /// Its architecture as the package manager calls it; empty where the database has none.
    pub architecture: String,
    /// What it was built from.
    pub source: Option<Source>,
    /// Its licences, all of which hold; each as the database has it. dpkg has none.
    pub licences: Vec<String>,
    /// Who maintains or built it: a name, mostly with an address in angle brackets.
    pub maintainer: Option<String>,
    /// Who distributes it. rpm alone has one.
    pub vendor: Option<String>,
    /// Where its project is at home.
    pub homepage: Option<String>,
    /// What it is, in one line.
    pub summary: Option<String>,
    /// The bytes it takes, as the database says.
    pub installed_size: Option<u64>,
}

/// What a package was built from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The source package's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Package {
    /// A package of which nothing else is known.
    pub(crate) fn new(database: Database, name: String, version: String) -> Self {
        Self {
            database,
            name,
            version,
            architecture: String::new(),
            source: None,
            licences: Vec::new(),
            maintainer: None,
            vendor: None,
            homepage: None,
            summary: None,
            installed_size: None,
        }
    }

    /// What packages are sorted by.
    pub(super) fn order(&self) -> (Database, &str, &str, &str) {
        (self.database, &self.name, &self.architecture, &self.version)
    }
}
