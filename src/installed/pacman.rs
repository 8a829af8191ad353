//! pacman: `var/lib/pacman/local/NAME-VERSION-RELEASE/`.
//!
//! ```text
//! desc     %FIELD%, its values one a line, a blank line
//! files    %FILES%, paths without a leading slash, directories with a slash behind
//! ```
//!
//! Source: the files that pacman 6 writes; alpm's `libalpm/be_local.c` has no page of its own, and
//! the fields are those of PKGINFO(5).

use super::files::Files;
use super::listing::Listing;
use super::text::{lines, number, optional};
use super::{Database, Error, Package, Source};

const ROOT: &str = "var/lib/pacman/local";

pub(super) fn read(files: &Files<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    for entry in files.names(ROOT) {
        let path = format!("{ROOT}/{entry}/desc");
        let Some(description) = files.read(&path)? else {
            continue;
        };
        let package = package(&description)
            .ok_or_else(|| Error::damaged(&path, "it names no package or no version"))?;
        listing.package(&path, package)?;
        let path = format!("{ROOT}/{entry}/files");
        let list = files.read(&path)?.unwrap_or_default();
        for path_of_package in section(&list, "FILES") {
            listing.path(&path, path_of_package.to_vec())?;
        }
    }
    Ok(())
}

fn package(description: &[u8]) -> Option<Package> {
    let first = |field| section(description, field).next();
    let get = |field| first(field).and_then(optional);
    let name = get("NAME")?;
    let version = get("VERSION")?;
    Some(Package {
        architecture: get("ARCH").unwrap_or_default(),
        source: get("BASE").map(|name| Source {
            name,
            version: version.clone(),
        }),
        licences: section(description, "LICENSE")
            .filter_map(optional)
            .collect(),
        maintainer: get("PACKAGER").filter(|packager| packager != "Unknown Packager"),
        homepage: get("URL"),
        summary: get("DESC"),
        installed_size: first("SIZE").and_then(number),
        ..Package::new(Database::Pacman, name, version)
    })
}

/// The values of a field.
fn section<'a>(text: &'a [u8], field: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let heading = format!("%{field}%").into_bytes();
    lines(text)
        .skip_while(move |line| *line != heading)
        .skip(1)
        .take_while(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESC: &[u8] = b"%NAME%\nzlib\n\n%VERSION%\n1:1.3-1\n\n%BASE%\nzlib-all\n\n\
        %DESC%\nCompression\n\n%URL%\nhttps://zlib.example/\n\n%ARCH%\nx86_64\n\n\
        %SIZE%\n350\n\n%PACKAGER%\nUnknown Packager\n\n%LICENSE%\nZlib\nMIT\n\n";

    #[test]
    fn fields_are_read() {
        let package = package(DESC).unwrap();
        assert_eq!(package.name, "zlib");
        assert_eq!(package.version, "1:1.3-1");
        assert_eq!(package.architecture, "x86_64");
        assert_eq!(package.source.unwrap().name, "zlib-all");
        assert_eq!(package.licences, ["Zlib", "MIT"]);
        assert_eq!(package.maintainer, None);
        assert_eq!(package.installed_size, Some(350));
    }

    #[test]
    fn a_list_ends_at_a_blank_line_or_the_end() {
        let list = b"%FILES%\nusr/\nusr/lib/x\n\n%BACKUP%\netc/x\tdigest\n";
        let all: Vec<_> = section(list, "FILES").collect();
        assert_eq!(all, [&b"usr/"[..], b"usr/lib/x"]);
        assert_eq!(section(b"%FILES%\na", "FILES").count(), 1);
        assert_eq!(section(b"%FILES%", "FILES").count(), 0);
        assert_eq!(section(b"", "FILES").count(), 0);
    }

    #[test]
    fn without_a_name_there_is_no_package() {
        assert_eq!(package(b""), None);
        assert_eq!(package(b"%NAME%\n\n%VERSION%\n1\n"), None);
        assert_eq!(package(b"%NAME%\nx"), None);
    }
}
