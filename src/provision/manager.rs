//! Package managers: the trait that each one implements, and how an image's is found.

use std::fmt;
use std::str::FromStr;

use super::apt::{Apt, Settings};
use super::{Error, Exchange, Fetched, Job, Request, Resolution, Result};

/// The three phases of a package step; the fetching in the middle is the caller's.
pub trait PackageManager: fmt::Debug + Send + Sync {
    /// Which one this is.
    fn manager(&self) -> Manager;

    /// The job that asks the image's package manager for a solution, with the network.
    fn resolve(&self, request: &Request, exchange: &Exchange) -> Result<Job>;

    /// What that job found out. To be asked after a failure too: the error says why.
    fn resolution(&self, exchange: &Exchange) -> Result<Resolution>;

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
}

/// A package manager that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manager {
    /// apt with dpkg.
    Apt,
    /// dnf 4, dnf 5 and microdnf.
    Dnf,
    /// zypper.
    Zypper,
    /// pacman.
    Pacman,
    /// apk.
    Apk,
}

impl Manager {
    /// Every one, in the order in which a tree is asked. dnf comes last: the others are no guests
    /// on foreign systems, but dnf is packaged for many.
    pub const ALL: [Manager; 5] = [
        Manager::Apt,
        Manager::Zypper,
        Manager::Pacman,
        Manager::Apk,
        Manager::Dnf,
    ];

    /// The name that recipes use.
    pub const fn name(self) -> &'static str {
        match self {
            Manager::Apt => "apt",
            Manager::Dnf => "dnf",
            Manager::Zypper => "zypper",
            Manager::Pacman => "pacman",
            Manager::Apk => "apk",
        }
    }

    /// Sets of files of which one must be there completely.
    const fn files(self) -> &'static [&'static [&'static str]] {
        match self {
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

    /// Finds a tree's package manager; `exists` is asked for paths relative to its root and
    /// follows symbolic links inside of it.
    pub fn detect(exists: impl Fn(&str) -> bool) -> Result<Manager> {
        Manager::ALL
            .into_iter()
            .find(|manager| {
                manager
                    .files()
                    .iter()
                    .any(|set| set.iter().all(|path| exists(path)))
            })
            .ok_or(Error::NoManager)
    }

    /// The implementation, for a step that wants `wanted` or any.
    pub fn implementation(
        self,
        wanted: Option<Manager>,
        settings: &Settings,
    ) -> Result<Box<dyn PackageManager>> {
        match wanted {
            Some(wanted) if wanted != self => Err(Error::WrongManager {
                wanted,
                found: self,
            }),
            _ if self == Manager::Apt => Ok(Box::new(Apt {
                settings: settings.clone(),
            })),
            _ => Err(Error::Unsupported { manager: self }),
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Manager {
    type Err = Error;

    fn from_str(name: &str) -> Result<Manager> {
        Manager::ALL
            .into_iter()
            .find(|m| m.name() == name)
            .ok_or(Error::NoManager)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_decide() {
        let detect = |files: &[&str]| Manager::detect(|path| files.contains(&path));
        let debian = [
            "usr/bin/apt-get",
            "usr/bin/dpkg",
            "var/lib/dpkg/status",
            "usr/bin/dnf",
        ];
        assert_eq!(detect(&debian).unwrap(), Manager::Apt);
        assert_eq!(detect(&debian[3..]).unwrap(), Manager::Dnf);
        assert_eq!(detect(&["usr/bin/zypper"]).unwrap(), Manager::Zypper);
        assert_eq!(detect(&["sbin/apk"]).unwrap(), Manager::Apk);
        assert!(matches!(detect(&["usr/bin/dpkg"]), Err(Error::NoManager)));
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let settings = Settings::default();
        let outcome = Manager::Zypper.implementation(None, &settings).unwrap_err();
        assert!(outcome.to_string().contains("zypper"));
        let outcome = Manager::Apt
            .implementation(Some(Manager::Dnf), &settings)
            .unwrap_err();
        assert!(outcome.to_string().contains("is for dnf"));
        assert!(
            Manager::Apt
                .implementation(Some(Manager::Apt), &settings)
                .is_ok()
        );
    }
}
