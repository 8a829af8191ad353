//! Package managers: the trait that each one implements, and how an image's is found.

use std::fmt;
use std::path::Path;

use racker_store::Tree;

use super::apk::Apk;
use super::apt::{Apt, Settings};
use super::dnf::Dnf;
use super::pacman::Pacman;
use super::zypper::Zypper;
use super::{Error, Exchange, Fetched, Job, Request, Resolution, Result};
use crate::package::Manager;

/// The three phases of a package step; the fetching in the middle is the caller's.
pub trait PackageManager: fmt::Debug + Send + Sync {
    /// Which one this is.
    fn manager(&self) -> Manager;

    /// The job that asks the image's package manager for a solution, with the network.
    ///
    /// What it keeps in [`exchange::METADATA`](super::exchange::METADATA) may be there already,
    /// from an earlier step or an earlier day: then only what is missing is refreshed.
    fn resolve(&self, request: &Request, exchange: &Exchange) -> Result<Job>;

    /// What that job found out. To be asked after a failure too: the error says why.
    fn resolution(&self, request: &Request, exchange: &Exchange) -> Result<Resolution>;

    /// Writes the synthetic repository and returns the job that installs from it.
    fn install(
        &self,
        request: &Request,
        packages: &[Fetched],
        epoch: i64,
        exchange: &Exchange,
    ) -> Result<Job>;

    /// What the output of a failed job means.
    fn explain(&self, output: &str) -> Error;

    /// All packages of the repositories whose metadata an exchange directory has; each index held
    /// against what is signed.
    fn known(&self, exchange: &Exchange) -> Result<Resolution>;

    /// How a repository says that a file is the one it means, where it does not say so by
    /// SHA-256.
    fn identity(&self, file: &Path) -> Result<String> {
        Err(Error::BadPackage {
            path: file.to_owned(),
            reason: format!("{} knows no identity but SHA-256", self.manager()),
        })
    }
}

/// The order in which a tree is asked. dnf comes last: the others are no guests on foreign
/// systems, but dnf is packaged for many.
const ORDER: [Manager; 5] = [
    Manager::Apt,
    Manager::Zypper,
    Manager::Pacman,
    Manager::Apk,
    Manager::Dnf,
];

/// Sets of files of which one must be there completely.
const fn files(manager: Manager) -> &'static [&'static [&'static str]] {
    match manager {
        Manager::Apt => &[&["usr/bin/apt-get", "usr/bin/dpkg", "var/lib/dpkg/status"]],
        Manager::Dnf => &[&["usr/bin/dnf"], &["usr/bin/dnf5"], &["usr/bin/microdnf"]],
        Manager::Zypper => &[&["usr/bin/zypper"]],
        Manager::Pacman => &[&["usr/bin/pacman", "etc/pacman.conf"]],
        Manager::Apk => &[
            &["sbin/apk"],
            &["usr/bin/apk", "lib/apk"],
            &["usr/sbin/apk"],
        ],
    }
}

/// Finds a tree's package manager, or makes sure of the one that is `wanted`; `exists` is asked
/// for paths relative to the tree's root and follows symbolic links inside of it.
fn detect(wanted: Option<Manager>, exists: impl Fn(&str) -> bool) -> Result<Manager> {
    let has = |manager: Manager| {
        files(manager)
            .iter()
            .any(|set| set.iter().all(|path| exists(path)))
    };
    let found = ORDER.into_iter().find(|manager| has(*manager));
    match (wanted, found) {
        (Some(wanted), _) if has(wanted) => Ok(wanted),
        (Some(wanted), Some(found)) => Err(Error::WrongManager { wanted, found }),
        (_, found) => found.ok_or(Error::NoManager),
    }
}

/// The package manager of a tree, or the `wanted` one if the tree has it.
pub fn manager_of(tree: &Tree, wanted: Option<Manager>) -> Result<Manager> {
    detect(wanted, |path| tree.lookup(path.as_bytes()).is_ok())
}

/// The implementation of a package manager.
pub fn implementation(manager: Manager, settings: &Settings) -> Box<dyn PackageManager> {
    match manager {
        Manager::Apt => Box::new(Apt {
            settings: settings.clone(),
        }),
        Manager::Dnf => Box::new(Dnf),
        Manager::Zypper => Box::new(Zypper),
        Manager::Pacman => Box::new(Pacman),
        Manager::Apk => Box::new(Apk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_decide() {
        let detect = |wanted, files: &[&str]| super::detect(wanted, |path| files.contains(&path));
        let debian = [
            "usr/bin/apt-get",
            "usr/bin/dpkg",
            "var/lib/dpkg/status",
            "usr/bin/dnf",
        ];
        assert_eq!(detect(None, &debian).unwrap(), Manager::Apt);
        assert_eq!(detect(Some(Manager::Dnf), &debian).unwrap(), Manager::Dnf);
        assert_eq!(detect(None, &debian[3..]).unwrap(), Manager::Dnf);
        assert_eq!(detect(None, &["usr/bin/zypper"]).unwrap(), Manager::Zypper);
        assert_eq!(detect(None, &["sbin/apk"]).unwrap(), Manager::Apk);
        assert!(matches!(
            detect(None, &["usr/bin/dpkg"]),
            Err(Error::NoManager)
        ));
        let error = detect(Some(Manager::Pacman), &debian).unwrap_err();
        assert!(error.to_string().contains("is for pacman"), "{error}");
    }
}
