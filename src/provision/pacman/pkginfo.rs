//! A package file: a compressed tar with `.PKGINFO` near its beginning.
//!
//! ```text
//! # a comment
//! pkgname = nginx
//! pkgver = 1.26.1-1
//! depend = pcre2
//! ```
//!
//! Source: `PKGBUILD(5)` and what makepkg writes.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use super::archive;
use crate::provision::{Error, Result};

/// The longest `.PKGINFO` that is believed.
const LIMIT: u64 = 4 << 20;

/// What a package says of itself: names and values in their order, several of some names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageInfo(Vec<(String, String)>);

impl PackageInfo {
    /// Reads that of a package file.
    pub fn read(path: &Path) -> Result<PackageInfo> {
        let file = File::open(path).map_err(Error::io(path))?;
        let bad = |reason: String| Error::BadPackage {
            path: path.to_owned(),
            reason,
        };
        let mut text = None;
        archive::walk(file, |entry| {
            // The package's own files come after everything that describes it.
            if !entry.name.starts_with('.') {
                return Ok(ControlFlow::Break(()));
            }
            if entry.name == ".PKGINFO" {
                text = Some(entry.text(LIMIT)?);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })
        .map_err(|error| bad(error.to_string()))?;
        let info = PackageInfo::parse(&text.ok_or_else(|| bad("no .PKGINFO".to_owned()))?);
        for field in ["pkgname", "pkgver", "arch"] {
            if !info.get(field).is_some_and(is_word) {
                return Err(bad(format!("its .PKGINFO has no usable {field}")));
            }
        }
        Ok(info)
    }

    /// Reads the text of a `.PKGINFO`.
    pub fn parse(text: &str) -> PackageInfo {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pair = |line: &str| {
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        PackageInfo(lines.filter_map(pair).collect())
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.0.iter().filter(move |(it, _)| it == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// Whether the package is what somebody calls by this name: its own, that of something it
    /// provides, or that of a group.
    pub fn answers(&self, name: &str) -> bool {
        let bare = |provided: &str| {
            let end = provided.find(['=', '<', '>']).unwrap_or(provided.len());
            provided[..end] == *name
        };
        self.get("pkgname") == Some(name)
            || self.all("group").any(|group| group == name)
            || self.all("provides").any(bare)
    }
}

/// Whether a value can be a part of a file's name.
fn is_word(value: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"@._+-:~".contains(&byte);
    !value.is_empty() && !value.starts_with(['.', '-']) && value.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::archive::tests::tarball;
    use super::*;

    const INFO: &str = "# made by a test\npkgname = nginx\npkgver = 1:1.26-1\narch = any\n\
                        provides = www=1\ngroup = servers\ndepend = a>=1\ndepend = b\n";

    #[test]
    fn a_package_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.pkg.tar.zst");
        let write = |files: &[(&str, &str)]| {
            fs::write(&path, zstd::encode_all(&tarball(files)[..], 1).unwrap()).unwrap();
            PackageInfo::read(&path)
        };
        let info = write(&[(".MTREE", "x"), (".PKGINFO", INFO), ("usr/a", "")]).unwrap();
        assert_eq!(info.get("pkgver"), Some("1:1.26-1"));
        assert_eq!(info.all("depend").collect::<Vec<_>>(), ["a>=1", "b"]);
        for name in ["nginx", "www", "servers"] {
            assert!(info.answers(name), "{name}");
        }
        assert!(!info.answers("a"));
        for files in [
            &[("usr/a", ""), (".PKGINFO", INFO)][..],
            &[(".PKGINFO", "pkgname = x\npkgver = 1-1\n")],
            &[(".PKGINFO", "pkgname = ../x\npkgver = 1-1\narch = any\n")],
        ] {
            assert!(matches!(write(files), Err(Error::BadPackage { .. })));
        }
    }
}
