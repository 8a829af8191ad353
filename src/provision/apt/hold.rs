//! Packages that a solution shall keep in their versions: offered by a repository of their own and
//! preferred to everything else.

use std::fs;

use super::settings::option;
use super::{Bodies, Repository};
use crate::provision::{Error, Exchange, Fetched, Found, Identity, Result};

/// Where the repository is, in the exchange directory.
const HOLD: &str = "hold";

/// Writes the repository; `root` is what apt calls the exchange directory. Returns apt's
/// configuration for it: nothing where there is nothing to hold.
pub(crate) fn write(packages: &[Fetched], exchange: &Exchange, root: &str) -> Result<String> {
    if packages.is_empty() {
        return Ok(String::new());
    }
    let directory = exchange.fresh(HOLD)?;
    Repository {
        codename: "racker",
        epoch: 0,
        bodies: Bodies::Linked,
    }
    .write(&directory, packages)?;
    let pins: String = packages
        .iter()
        .map(|held| {
            let (name, version) = (&held.package.name, &held.package.version);
            format!("Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n")
        })
        .collect();
    for (name, text) in [
        ("preferences", pins),
        ("sources.list", sources(packages, root)),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }
    let preferences = format!("{root}/{HOLD}/preferences");
    Ok(option("Dir::Etc::preferences", &preferences))
}

/// The source of the repository.
pub(crate) fn sources(packages: &[Fetched], root: &str) -> String {
    if packages.is_empty() {
        return String::new();
    }
    format!("deb [trusted=yes] file:{root}/{HOLD} ./\n")
}

/// Gives what a solution takes from the repository the addresses that it had before.
pub(crate) fn restore(found: &mut [Found], packages: &[Fetched], root: &str) {
    let own = format!("file:{root}/{HOLD}/");
    for found in found.iter_mut().filter(|it| it.url.starts_with(&own)) {
        let same = |held: &&Fetched| Identity::Sha256(held.package.sha256) == found.identity;
        if let Some(held) = packages.iter().find(same) {
            found.url.clone_from(&held.package.url);
        }
    }
}
