//! rpm: `usr/lib/sysimage/rpm`, or `var/lib/rpm`, which mostly is a link to it.
//!
//! ```text
//! rpmdb.sqlite     since rpm 4.16; read
//! Packages.db      ndb, of SUSE; refused
//! Packages         Berkeley DB, up to rpm 4.15; refused
//! ```
//!
//! A header has everything about a package, its files as names, directories, and for each name the
//! number of its directory. A public key that was imported is a package `gpg-pubkey` to rpm; here it
//! is none. Tags: `rpmtag.h`, as rpm's documentation lists them.

use super::files::Files;
use super::listing::Listing;
use super::rpm_database::headers;
use super::text::{optional, text};
use super::{Database, Error, Package, Source};
use crate::rpm::Header;
use crate::rpm::tag::{
    ARCH, BASE_NAMES, DIR_INDEXES, DIR_NAMES, EPOCH, FILE_STATES, LICENSE, LONG_SIZE, NAME,
    PACKAGER, RELEASE, SIZE, SOURCE_RPM, SUMMARY, URL, VENDOR, VERSION,
};

const DIRECTORIES: [&str; 2] = ["usr/lib/sysimage/rpm", "var/lib/rpm"];
const REFUSED: [(&str, &str); 2] = [("Packages.db", "ndb"), ("Packages", "Berkeley DB")];

/// Longest path, as in Linux.
const MAX_PATH: usize = 4096;
/// Most directories of one package.
const MAX_DIRECTORIES: usize = 1 << 18;

pub(super) fn read(files: &Files<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    let mut seen = Vec::new();
    for directory in DIRECTORIES {
        let path = format!("{directory}/rpmdb.sqlite");
        let Some(found) = files.find(&path) else {
            continue;
        };
        // The two are one where a link leads from one to the other.
        if !seen.contains(&found.path) {
            seen.push(found.path);
            headers(files, &path, |blob| take(&path, blob, listing))?;
        }
    }
    if !seen.is_empty() {
        return Ok(());
    }
    for directory in DIRECTORIES {
        for (name, format) in REFUSED {
            let path = format!("{directory}/{name}");
            if files.find(&path).is_some_and(|found| found.size > 0) {
                return Err(Error::Format { path, format });
            }
        }
    }
    Ok(())
}

fn take(path: &str, blob: &[u8], listing: &mut Listing<'_>) -> Result<(), Error> {
    let damaged = |reason: String| Error::damaged(path, reason);
    let header = Header::parse(blob).map_err(damaged)?;
    let package = package(&header).map_err(damaged)?;
    if package.name == "gpg-pubkey" {
        return Ok(());
    }
    listing.package(path, package)?;
    for file in paths(&header).map_err(damaged)? {
        listing.path(path, file.map_err(damaged)?)?;
    }
    Ok(())
}

/// What a header says of its package.
pub(crate) fn package(header: &Header<'_>) -> Result<Package, String> {
    let get = |tag| Ok::<_, String>(header.string(tag)?.and_then(optional));
    let need = |tag| get(tag)?.ok_or(format!("a header has no tag {tag}"));
    let epoch = match header.number(EPOCH)? {
        Some(epoch) => format!("{epoch}:"),
        None => String::new(),
    };
    let version = format!("{epoch}{}-{}", need(VERSION)?, need(RELEASE)?);
    let size = match header.long(LONG_SIZE)? {
        Some(size) => Some(size),
        None => header.number(SIZE)?.map(u64::from),
    };
    Ok(Package {
        architecture: get(ARCH)?.unwrap_or_default(),
        source: get(SOURCE_RPM)?.and_then(|file| source(&file)),
        licences: get(LICENSE)?.into_iter().collect(),
        maintainer: get(PACKAGER)?,
        vendor: get(VENDOR)?,
        homepage: get(URL)?,
        summary: get(SUMMARY)?,
        installed_size: size,
        ..Package::new(Database::Rpm, need(NAME)?, version)
    })
}

/// Takes `NAME-VERSION-RELEASE.src.rpm` apart.
fn source(file: &str) -> Option<Source> {
    let stem = file
        .strip_suffix(".src.rpm")
        .or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(Source {
        name: name.to_owned(),
        version: format!("{version}-{release}"),
    })
}

/// The paths of a package that are there: those that were replaced or left out are not.
fn paths<'a>(
    header: &Header<'a>,
) -> Result<impl Iterator<Item = Result<Vec<u8>, String>> + use<'a>, String> {
    let directories: Vec<&[u8]> = match header.strings(DIR_NAMES)? {
        Some(all) => all.take(MAX_DIRECTORIES).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let indexes = header.numbers(DIR_INDEXES)?.unwrap_or_default();
    let states = header.bytes(FILE_STATES)?;
    let names = header.strings(BASE_NAMES)?;
    let names = names.into_iter().flatten().enumerate();
    Ok(names.filter_map(move |(place, name)| {
        let installed = match states {
            Some(states) => states.get(place).is_none_or(|state| *state == [0]),
            None => true,
        };
        installed.then(|| {
            let name = name?;
            let index = indexes.get(place).map(|bytes| u32::from_be_bytes(*bytes));
            let directory = index.and_then(|index| directories.get(index as usize));
            let directory = directory.ok_or("a file without directory")?;
            if directory.len() + name.len() > MAX_PATH {
                return Err(format!(
                    "an overlong path: {}...",
                    text(&name[..name.len().min(40)])
                ));
            }
            Ok([*directory, name].concat())
        })
    }))
}

#[cfg(test)]
#[path = "rpm_tests.rs"]
mod tests;
