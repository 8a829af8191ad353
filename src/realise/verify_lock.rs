//! A lock held against the metadata of the repositories that it was made from.
//!
//! The lock names the metadata by a digest over what is signed. The store kept it, after the
//! package manager had checked the signatures. What is signed has the digests of the indices, and
//! those have the digests of the packages: so an entry that somebody changed is found.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::{Error, Workshop, metadata};
use crate::package::Package;
use crate::plan::lock::{Lock, Section};
use crate::provision::apt::Settings;
use crate::provision::{Exchange, Found, Identity, implementation};

/// What a verification found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LockReport {
    /// Packages that are what their repository says.
    pub verified: usize,
    /// Packages that are not.
    pub wrong: Vec<WrongEntry>,
    /// Steps of which the metadata is not kept.
    pub unknown: Vec<String>,
}

/// An entry that its repository does not have like this.
#[derive(Debug, Clone, Serialize)]
pub struct WrongEntry {
    /// The step.
    pub step: String,
    /// The package's name.
    pub package: String,
    /// The package's version.
    pub version: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for WrongEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            package,
            version,
            reason,
        } = self;
        write!(formatter, "{step}: {package} {version}: {reason}")
    }
}

/// Verifies every section of a lock.
pub fn verify_lock(shop: Workshop<'_>, lock: &Lock) -> Result<LockReport, Error> {
    let mut report = LockReport::default();
    for section in lock.sections() {
        verify_section(shop, section, &mut report)?;
    }
    Ok(report)
}

fn verify_section(
    shop: Workshop<'_>,
    section: &Section,
    report: &mut LockReport,
) -> Result<(), Error> {
    let failed = |source| Error::Provision {
        id: section.step.clone(),
        source: Box::new(source),
    };
    let stage = shop.store.stage()?;
    let exchange = Exchange::new(stage.path());
    if !metadata::restore(shop.store, &section.metadata, &exchange, None)? {
        report.unknown.push(section.step.clone());
        return Ok(());
    }
    let manager = implementation(section.manager, &Settings::default());
    let known = manager.known(&exchange).map_err(failed)?;
    let mut wrong = |package: &Package, reason: String| {
        report.wrong.push(WrongEntry {
            step: section.step.clone(),
            package: package.name.clone(),
            version: package.version.clone(),
            reason,
        });
    };
    if known.metadata != section.metadata {
        let all = "the kept metadata is not what the lock names".to_owned();
        section
            .packages
            .iter()
            .for_each(|package| wrong(package, all.clone()));
        return Ok(());
    }
    let mut by_name: HashMap<(&str, &str, &str), Vec<&Found>> = HashMap::new();
    for found in &known.packages {
        let key = (&*found.name, &*found.version, &*found.arch);
        by_name.entry(key).or_default().push(found);
    }
    for package in &section.packages {
        let key = (&*package.name, &*package.version, &*package.arch);
        let candidates = by_name.get(&key).map_or(&[][..], Vec::as_slice);
        match candidates {
            [] => wrong(package, "no repository has it".to_owned()),
            all if all.iter().any(|found| same(found, package)) => report.verified += 1,
            [first, ..] => wrong(package, difference(first, package)),
        }
    }
    Ok(())
}

fn same(found: &Found, package: &Package) -> bool {
    let digest = match &found.identity {
        Identity::Sha256(digest) => *digest == package.sha256,
        // Checked when it was locked; the repository cannot say more.
        Identity::Own(_) => true,
    };
    digest && found.size == package.size
}

fn difference(found: &Found, package: &Package) -> String {
    match &found.identity {
        Identity::Sha256(digest) if *digest != package.sha256 => {
            format!(
                "its sha256 is {}, the repository says {}",
                package.sha256.hex(),
                digest.hex()
            )
        }
        _ => format!(
            "its size is {}, the repository says {}",
            package.size, found.size
        ),
    }
}
