//! apk: `lib/apk/db/installed`, or `usr/lib/apk/db/installed` where `/usr` is merged.
//!
//! ```text
//! P:name  V:version  A:architecture  L:licence  T:summary  U:homepage  m:maintainer
//! o:source package  I:installed size
//! F:directory       the lines up to the next F: are in it
//! R:file
//! ```
//!
//! One field a line, a blank line behind each package. Lower and upper case are different fields.
//! Source: apk-package(5), and the page "Apk spec" of Alpine's wiki. Written from these: no apk was
//! at hand to try it against.

use super::files::Files;
use super::listing::Listing;
use super::stanza::field;
use super::text::{lines, number, optional};
use super::{Database, Error, Package, Source};

const PATHS: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// Longest path, as in Linux.
const MAX_PATH: usize = 4096;

pub(super) fn read(files: &Files<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    let mut seen = Vec::new();
    for path in PATHS {
        let Some(found) = files.find(path) else {
            continue;
        };
        // The two are one where a link leads from one to the other.
        if !seen.contains(&found.path) {
            seen.push(found.path);
            parse(path, &files.read(path)?.unwrap_or_default(), listing)?;
        }
    }
    Ok(())
}

fn parse(path: &str, database: &[u8], listing: &mut Listing<'_>) -> Result<(), Error> {
    let mut fields = Vec::new();
    for line in lines(database).chain([&b""[..]]) {
        if let Some(found) = field(line) {
            fields.push(found);
        } else if line.is_empty() && !fields.is_empty() {
            take(path, &fields, listing)?;
            fields.clear();
        }
    }
    Ok(())
}

fn take(path: &str, fields: &[(&[u8], &[u8])], listing: &mut Listing<'_>) -> Result<(), Error> {
    let Some(package) = package(fields) else {
        return Err(Error::damaged(path, "an entry has no name or no version"));
    };
    listing.package(path, package)?;
    let mut directory = &b""[..];
    for (name, value) in fields {
        let full = match *name {
            b"F" => {
                directory = value;
                directory.to_vec()
            }
            b"R" => [directory, value].join(&b'/'),
            _ => continue,
        };
        if full.len() > MAX_PATH {
            return Err(Error::damaged(path, "an overlong path"));
        }
        listing.path(path, full)?;
    }
    Ok(())
}

fn package(fields: &[(&[u8], &[u8])]) -> Option<Package> {
    let first = |letter: &[u8]| {
        let found = fields.iter().find(|(name, _)| *name == letter);
        found.map(|(_, value)| *value)
    };
    let get = |letter| first(letter).and_then(optional);
    let name = get(b"P")?;
    let version = get(b"V")?;
    Some(Package {
        architecture: get(b"A").unwrap_or_default(),
        source: get(b"o").map(|name| Source {
            name,
            version: version.clone(),
        }),
        licences: get(b"L").into_iter().collect(),
        maintainer: get(b"m"),
        homepage: get(b"U"),
        summary: get(b"T"),
        installed_size: first(b"I").and_then(number),
        ..Package::new(Database::Apk, name, version)
    })
}

#[cfg(test)]
#[path = "apk_tests.rs"]
mod tests;
