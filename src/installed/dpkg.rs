//! dpkg: `var/lib/dpkg`.
//!
//! ```text
//! status              one stanza per package, removed ones too
//! status.d/NAME       a stanza of its own per package, in images made without dpkg
//! status.d/NAME.md5sums    digests and paths of its files
//! info/NAME.list      paths of a package, one a line; NAME:ARCH.list where several
//!                     architectures of it may be installed at the same time
//! diversions          three lines each: path, where the others' file is put instead, package
//! ```
//!
//! Sources: dpkg(1), deb-control(5), deb-src-control(5), dpkg-divert(1), dpkg-query(1).

use std::collections::HashMap;

use super::files::Files;
use super::listing::Listing;
use super::stanza::{Stanza, stanzas};
use super::text::{lines, number, optional, text};
use super::{Database, Error, Package, Source};

const ROOT: &str = "var/lib/dpkg";

/// Paths that belong to another package than the one that has the name.
type Diversions = HashMap<Vec<u8>, (Vec<u8>, String)>;

pub(super) fn read(files: &Files<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    let status = format!("{ROOT}/status");
    if let Some(database) = files.read(&status)? {
        let diversions = diversions(files)?;
        for package in stanzas(&database).filter_map(|it| package(&it)) {
            let name = package.name.clone();
            let lists = [
                format!("{ROOT}/info/{name}:{}.list", package.architecture),
                format!("{ROOT}/info/{name}.list"),
            ];
            listing.package(&status, package)?;
            for list in lists {
                if let Some(paths) = files.read(&list)? {
                    paths_of_list(&list, &name, &paths, &diversions, listing)?;
                    break;
                }
            }
        }
    }
    let directory = format!("{ROOT}/status.d");
    for entry in files.names(&directory) {
        let path = format!("{directory}/{entry}");
        if entry.ends_with(".md5sums") {
            continue;
        }
        let database = files.read(&path)?.unwrap_or_default();
        for package in stanzas(&database).filter_map(|it| package(&it)) {
            listing.package(&path, package)?;
            let sums = format!("{path}.md5sums");
            for line in lines(&files.read(&sums)?.unwrap_or_default()) {
                if let Some(at) = line.iter().position(|byte| *byte == b' ') {
                    listing.path(&sums, line[at..].trim_ascii_start().to_vec())?;
                }
            }
        }
    }
    Ok(())
}

/// A package, if its files are there: removed ones stay in the list with their configuration.
fn package(stanza: &Stanza<'_>) -> Option<Package> {
    let name = optional(stanza.get("Package")?)?;
    let version = optional(stanza.get("Version")?)?;
    if let Some(status) = stanza.get("Status") {
        let state = status.split(|byte| *byte == b' ').next_back();
        if matches!(state, Some(b"not-installed" | b"config-files")) {
            return None;
        }
    }
    let get = |field| stanza.get(field).and_then(optional);
    Some(Package {
        architecture: get("Architecture").unwrap_or_default(),
        source: Some(source(stanza.get("Source"), &name, &version)),
        maintainer: get("Maintainer"),
        homepage: get("Homepage"),
        summary: get("Description"),
        installed_size: stanza
            .get("Installed-Size")
            .and_then(number)
            .and_then(|kibibytes| kibibytes.checked_mul(1024)),
        ..Package::new(Database::Dpkg, name, version)
    })
}

/// `Source: NAME` or `NAME (VERSION)`; what is left out is the package's own.
fn source(field: Option<&[u8]>, name: &str, version: &str) -> Source {
    let field = field.map(text).unwrap_or_default();
    let (found, in_brackets) = field.split_once('(').unwrap_or((&field, ""));
    let or = |found: &str, own: &str| if found.is_empty() { own } else { found }.to_owned();
    Source {
        name: or(found.trim(), name),
        version: or(in_brackets.trim_end_matches(')').trim(), version),
    }
}

fn paths_of_list(
    list: &str,
    package: &str,
    paths: &[u8],
    diversions: &Diversions,
    listing: &mut Listing<'_>,
) -> Result<(), Error> {
    for path in lines(paths).filter(|path| !path.is_empty()) {
        let path = match diversions.get(path) {
            Some((elsewhere, diverter)) if diverter != package => elsewhere,
            _ => path,
        };
        listing.path(list, path.to_vec())?;
    }
    Ok(())
}

/// The diverted paths: where the file of all packages but one lies, and that one; `:` for none.
fn diversions(files: &Files<'_>) -> Result<Diversions, Error> {
    let path = format!("{ROOT}/diversions");
    let database = files.read(&path)?.unwrap_or_default();
    let mut lines = lines(&database);
    let mut all = Diversions::new();
    while let (Some(from), Some(to), Some(package)) = (lines.next(), lines.next(), lines.next()) {
        files.charge(&path, (from.len() + to.len() + 128) as u64)?;
        all.insert(from.to_vec(), (to.to_vec(), text(package)));
    }
    Ok(all)
}

#[cfg(test)]
#[path = "dpkg_tests.rs"]
mod tests;
