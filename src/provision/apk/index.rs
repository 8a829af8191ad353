//! The indices of repositories, as apk downloaded them.
//!
//! ```text
//! metadata/repositories              the lines of /etc/apk/repositories that they are of
//! metadata/index/N/url               where the Nth is: URL/ARCH
//!                 /APKINDEX.*.tar.gz
//! ```
//!
//! An index is a tar in gzip members of `.SIGN.*`, `DESCRIPTION` and `APKINDEX`; the last has lines
//! `LETTER:VALUE`, a blank line behind each package. Source: apk-index(8), and the page "Apk spec" of
//! Alpine's wiki.
//!
//! The digest of it all is SHA-256 over those of the files, sorted, so that two mirrors give the same.
//! An index has no date of its own: the newest build of a package stands for it.

use std::collections::HashMap;
use std::io::{self, Read};

use racker_store::Digest;

use super::package::ApkFile;
use crate::package::Package;
use crate::provision::{Error, Exchange, Found, Identity, Result};

const INDEX: &str = "metadata/index";
/// The largest file that is read, and what it is unpacked.
const LIMIT: u64 = 256 << 20;

/// What stands where in a `.PKGINFO` and in an index.
const FIELDS: [(&str, char); 11] = [
    ("size", 'I'),
    ("pkgdesc", 'T'),
    ("url", 'U'),
    ("license", 'L'),
    ("origin", 'o'),
    ("maintainer", 'm'),
    ("builddate", 't'),
    ("commit", 'c'),
    ("provider_priority", 'k'),
    ("depend", 'D'),
    ("provides", 'p'),
];

/// The indices of one resolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indices {
    digests: Vec<Digest>,
    packages: Vec<Found>,
    date: Option<i64>,
}

impl Indices {
    /// Reads what lies in an exchange directory.
    pub fn read(exchange: &Exchange) -> Result<Indices> {
        let mut indices = Indices::default();
        for path in exchange.files(INDEX)? {
            let Some((directory, name)) = path.rsplit_once('/') else {
                continue;
            };
            if !name.starts_with("APKINDEX.") || !name.ends_with(".tar.gz") {
                continue;
            }
            let url = exchange.read(&format!("{directory}/url"))?;
            let url = url.unwrap_or_default().trim_end().to_owned();
            if let Some(file) = exchange.open(&path)? {
                indices.add(file, &url).map_err(|error| Error::Metadata {
                    file: format!("{url}/APKINDEX.tar.gz"),
                    reason: error.to_string(),
                })?;
            }
        }
        Ok(indices)
    }

    fn add(&mut self, file: impl Read, url: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        file.take(LIMIT).read_to_end(&mut bytes)?;
        self.digests.push(Digest::of(&bytes));
        let plain = flate2::bufread::MultiGzDecoder::new(&bytes[..]).take(LIMIT);
        for entry in tar::Archive::new(plain).entries()? {
            let mut entry = entry?;
            if *entry.path_bytes() == *b"APKINDEX" {
                let mut text = Vec::new();
                entry.read_to_end(&mut text)?;
                return self.parse(&String::from_utf8_lossy(&text), url);
            }
        }
        Err(io::Error::other("it has no APKINDEX in it"))
    }

    fn parse(&mut self, text: &str, url: &str) -> io::Result<()> {
        for stanza in text.split("\n\n").filter(|it| !it.trim().is_empty()) {
            let fields: HashMap<&str, &str> = stanza
                .lines()
                .filter_map(|line| line.split_once(':'))
                .collect();
            let found = package(&fields, url)
                .ok_or_else(|| io::Error::other("a package has no name, size or checksum"))?;
            let built = fields.get("t").and_then(|it| it.parse().ok()).unwrap_or(0);
            self.date = self.date.max(Some(built));
            self.packages.push(found);
        }
        Ok(())
    }

    /// The newest date; `None` where there is no package at all.
    pub fn date(&self) -> Option<i64> {
        self.date
    }

    /// One digest over everything.
    pub fn digest(&self) -> Digest {
        let mut lines: Vec<String> = self.digests.iter().map(|it| it.hex() + "\n").collect();
        lines.sort();
        Digest::of(lines.concat().as_bytes())
    }

    /// Every package of every index.
    pub fn packages(&self) -> Vec<Found> {
        self.packages.clone()
    }

    /// A package in a version, if all that have it mean the same file.
    pub(super) fn find(&self, name: &str, version: &str) -> Option<&Found> {
        let same = |it: &&Found| it.name == name && it.version == version;
        let mut all = self.packages.iter().filter(same);
        let first = all.next()?;
        all.all(|it| it.identity == first.identity).then_some(first)
    }
}

fn package(fields: &HashMap<&str, &str>, url: &str) -> Option<Found> {
    let field = |name| fields.get(name).copied().filter(|it| !it.contains('/'));
    let (name, version, arch) = (field("P")?, field("V")?, field("A")?);
    let identity = *fields.get("C")?;
    if !identity.starts_with("Q1") {
        return None;
    }
    // A package lies below its own architecture, next to the index's.
    let root = url.rsplit_once('/').map_or(url, |(root, _)| root);
    Some(Found {
        name: name.to_owned(),
        version: version.to_owned(),
        arch: arch.to_owned(),
        url: format!("{root}/{arch}/{name}-{version}.apk"),
        size: field("S")?.parse().ok()?,
        identity: Identity::Own(identity.to_owned()),
        signed: false,
    })
}

/// The entry of a package file.
pub(super) fn entry(package: &Package, file: &ApkFile) -> String {
    let Package {
        name,
        version,
        arch,
        size,
        ..
    } = package;
    let identity = &file.identity;
    let mut text = format!("C:{identity}\nP:{name}\nV:{version}\nA:{arch}\nS:{size}\n");
    let mut line = |letter: char, values: &[&str]| {
        if !values.is_empty() {
            text.push_str(&format!("{letter}:{}\n", values.join(" ")));
        }
    };
    for (name, letter) in FIELDS {
        let values: Vec<&str> = file.info.all(name).filter(|it| !it.is_empty()).collect();
        line(letter, &values);
    }
    line('i', &file.info.all("install_if").collect::<Vec<_>>());
    text.push('\n');
    text
}

/// An index without a signature.
pub(super) fn pack(entries: &str) -> io::Result<Vec<u8>> {
    let level = flate2::Compression::fast();
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), level));
    for (name, content) in [("DESCRIPTION", "racker"), ("APKINDEX", entries)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    // Shortened from what Alpine has.
    const TEXT: &str = "C:Q1aGVsbG8gd29ybGQgaGVsbG8gdwo=\nP:busybox\nV:1.36.1-r29\nA:x86_64\nS:507831\nI:962560\n\
        T:Size optimized toolbox of many common UNIX utilities\nU:https://busybox.test/\nL:GPL-2.0-only\n\
        o:busybox\nt:1718282582\nD:so:libc.musl-x86_64.so.1\np:cmd:busybox=1.36.1-r29\n\n\
        C:Q1aGVsbG8gd29ybGQgaGVsbG8geAo=\nP:doc\nV:1-r0\nA:noarch\nS:5\n\n";

    fn read(texts: &[&str]) -> Result<Indices> {
        let directory = tempfile::tempdir().unwrap();
        for (place, text) in texts.iter().enumerate() {
            let below = directory.path().join(INDEX).join(place.to_string());
            fs::create_dir_all(&below).unwrap();
            fs::write(below.join("url"), "http://m.test/v3.20/main/x86_64\n").unwrap();
            fs::write(below.join("APKINDEX.0123abcd.tar.gz"), pack(text).unwrap()).unwrap();
        }
        Indices::read(&Exchange::new(directory.path()))
    }

    #[test]
    fn an_index_is_read() {
        let indices = read(&[TEXT]).unwrap();
        assert_eq!(indices.date(), Some(1_718_282_582));
        let found = indices.find("busybox", "1.36.1-r29").unwrap();
        let place = "http://m.test/v3.20/main/x86_64/busybox-1.36.1-r29.apk";
        assert_eq!((&*found.url, found.size), (place, 507_831));
        let noarch = indices.find("doc", "1-r0").unwrap();
        assert_eq!(noarch.url, "http://m.test/v3.20/main/noarch/doc-1-r0.apk");
        assert!(indices.find("doc", "2-r0").is_none());
    }

    #[test]
    fn what_is_ambiguous_is_not_found() {
        let other = TEXT.replace("Q1a", "Q1b");
        let indices = read(&[TEXT, &other]).unwrap();
        assert!(indices.find("doc", "1-r0").is_none());
        assert!(read(&[TEXT, TEXT]).unwrap().find("doc", "1-r0").is_some());
        assert_eq!(indices.digest(), read(&[&other, TEXT]).unwrap().digest());
        assert_ne!(indices.digest(), read(&[TEXT]).unwrap().digest());
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            TEXT.replace("P:doc\n", ""),
            TEXT.replace("S:5\n", "S:five\n"),
            TEXT.replace("P:doc", "P:../doc"),
            TEXT.replace("C:Q1", "C:X2"),
        ] {
            let error = read(&[&text]).unwrap_err();
            assert!(matches!(error, Error::Metadata { .. }), "{error}");
        }
    }
}
