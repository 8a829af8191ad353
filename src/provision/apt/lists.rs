//! What apt downloaded about its repositories.
//!
//! ```text
//! metadata/lists/MIRROR_dists_SUITE_InRelease                     signed: digests of the indices
//!                MIRROR_dists_SUITE_main_binary-amd64_Packages    an index: digests of packages
//! metadata/sources                                                which sources that was for
//! ```
//!
//! The digest of it all is SHA-256 over a line for each file, sorted: `NAME SHA256` for a signed
//! one, and `NAME` for an index, of which that has the digest. A name is what apt calls the file
//! less everything up to `_dists_`, so that two mirrors of one archive give the same digest.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use racker_store::Digest;
use sha2::{Digest as _, Sha256};

use super::dates::parse_date;
use crate::provision::{Error, Exchange, Found, Identity, Result};

const LISTS: &str = "metadata/lists";
/// The largest signed file that is read.
const SIGNED_LIMIT: u64 = 16 << 20;

/// The files of one resolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    signed: Vec<Signed>,
    /// Names of the indices.
    indices: Vec<String>,
    /// Names of signatures that lie beside what they sign.
    signatures: Vec<String>,
}

/// An `InRelease` or `Release` file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signed {
    name: String,
    text: String,
    date: i64,
}

impl Lists {
    /// Reads what lies in an exchange directory.
    pub fn read(exchange: &Exchange) -> Result<Lists> {
        let mut lists = Lists::default();
        for path in exchange.files(LISTS)? {
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            if name.ends_with("_InRelease") || name.ends_with("_Release") {
                let mut text = Vec::new();
                if let Some(file) = exchange.open(&path)? {
                    file.take(SIGNED_LIMIT)
                        .read_to_end(&mut text)
                        .map_err(Error::io(&exchange.host().join(&path)))?;
                }
                let text = String::from_utf8_lossy(&text).into_owned();
                lists.signed.extend(Signed::new(name, text));
            } else if name.ends_with("_Packages") {
                lists.indices.push(name);
            } else if name.ends_with("_Release.gpg") {
                lists.signatures.push(name);
            }
        }
        Ok(lists)
    }

    /// The newest date; `None` when there is no metadata at all.
    pub fn date(&self) -> Option<i64> {
        self.signed.iter().map(|signed| signed.date).max()
    }

    /// One digest over everything.
    pub fn digest(&self) -> Digest {
        let bare = |name: &str| {
            let (_, rest) = name.rsplit_once("_dists_").unwrap_or(("", name));
            rest.to_owned()
        };
        let signed = self.signed.iter().map(|signed| {
            let digest = Digest::of(signed.text.as_bytes()).hex();
            format!("{} {digest}\n", bare(&signed.name))
        });
        let indices = self.indices.iter().map(|name| format!("{}\n", bare(name)));
        let mut lines: Vec<String> = signed.chain(indices).collect();
        lines.sort();
        Digest::of(lines.concat().as_bytes())
    }

    /// An index that no signature vouches for.
    pub fn unsigned(&self) -> Option<&str> {
        let signed = |index: &&String| {
            self.signed_of(index).is_some_and(|signed| {
                signed.name.ends_with("_InRelease")
                    || self.signatures.contains(&format!("{}.gpg", signed.name))
            })
        };
        self.indices
            .iter()
            .find(|index| !signed(index))
            .map(String::as_str)
    }

    /// All packages of all indices, each index held against what signs it.
    pub fn packages(&self, exchange: &Exchange) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for index in &self.indices {
            let bad = |reason: &str| Error::Metadata {
                file: index.clone(),
                reason: reason.to_owned(),
            };
            let path = format!("{LISTS}/{index}");
            let digests = self.signed_of(index).map(|signed| {
                let place = index[signed.stem().len()..].replace('_', "/");
                (signed.digests(), place)
            });
            let (digests, place) = digests.ok_or_else(|| bad("nothing signs it"))?;
            let expected = digests
                .get(place.as_str())
                .ok_or_else(|| bad("what signs it does not list it"))?;
            let file = exchange.open(&path)?.ok_or_else(|| bad("it is gone"))?;
            let mut reader = Hashing {
                inner: BufReader::with_capacity(256 << 10, file),
                hash: Sha256::new(),
            };
            let io = Error::io(&exchange.host().join(&path));
            stanzas(&mut reader, &mut found).map_err(io)?;
            let actual = Digest::from_bytes(reader.hash.finalize().into());
            if actual.hex() != *expected {
                return Err(bad("it is not what the signed file says"));
            }
        }
        Ok(found)
    }

    /// What signs an index: the file with the longest name that is the index's up to its last part.
    fn signed_of(&self, index: &str) -> Option<&Signed> {
        let covers = |signed: &&Signed| index.starts_with(signed.stem());
        let candidates = self.signed.iter().filter(covers);
        candidates.max_by_key(|signed| signed.stem().len())
    }
}

impl Signed {
    /// `None` when it has no date.
    fn new(name: String, text: String) -> Option<Signed> {
        let date = text
            .lines()
            .find_map(|line| line.strip_prefix("Date:"))
            .and_then(parse_date)?;
        Some(Signed { name, text, date })
    }

    /// What the names of its indices start with.
    fn stem(&self) -> &str {
        let name = self.name.strip_suffix("InRelease");
        name.or_else(|| self.name.strip_suffix("Release"))
            .unwrap_or(&self.name)
    }

    /// SHA-256 by the path of each index.
    fn digests(&self) -> HashMap<&str, &str> {
        let mut lines = self.text.lines().skip_while(|line| *line != "SHA256:");
        lines.next();
        let lines = lines.take_while(|line| line.starts_with(' '));
        lines
            .filter_map(|line| {
                let mut words = line.split_ascii_whitespace();
                let (digest, _size) = (words.next()?, words.next()?);
                Some((words.next()?, digest))
            })
            .collect()
    }
}

/// A reader that hashes what it reads.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

/// Adds the packages of an index.
fn stanzas<R: BufRead>(reader: &mut Hashing<R>, found: &mut Vec<Found>) -> std::io::Result<()> {
    let mut fields: HashMap<&'static str, String> = HashMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = reader.inner.read_until(b'\n', &mut line)?;
        reader.hash.update(&line);
        let text = line.trim_ascii_end();
        if text.is_empty() {
            found.extend(package(&fields));
            fields.clear();
            if count == 0 {
                return Ok(());
            }
        }
        for name in [
            "Package",
            "Version",
            "Architecture",
            "Filename",
            "Size",
            "SHA256",
        ] {
            let value = text
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b":"));
            if let Some(value) = value {
                let value = String::from_utf8_lossy(value.trim_ascii()).into_owned();
                fields.insert(name, value);
            }
        }
    }
}

fn package(fields: &HashMap<&'static str, String>) -> Option<Found> {
    let field = |name| fields.get(name).cloned();
    Some(Found {
        name: field("Package")?,
        version: field("Version")?,
        arch: field("Architecture")?,
        url: field("Filename")?,
        size: field("Size")?.parse().ok()?,
        identity: Identity::Sha256(format!("sha256:{}", field("SHA256")?).parse().ok()?),
        signed: false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const PACKAGES: &str = "Package: a\nVersion: 1\nArchitecture: all\nSize: 3\n\
        Filename: pool/a.deb\nDescription: x\n SHA256: y\nSHA256: 00\n\n";

    fn lists(directory: &Path, mirror: &str, packages: &str, signed: bool) -> Exchange {
        let lists = directory.join(LISTS);
        fs::create_dir_all(&lists).unwrap();
        let packages = packages.replace("00", &"0".repeat(64));
        let digest = Digest::of(packages.as_bytes()).hex();
        let release = format!(
            "Suite: x\nDate: Sat, 17 May 2025 09:41:05 UTC\nMD5Sum:\n 1 2 main/binary-amd64/Packages\n\
             SHA256:\n {digest} {} main/binary-amd64/Packages\nEnd: x\n",
            packages.len()
        );
        let stem = format!("{mirror}_debian_dists_bookworm_");
        let name = if signed { "InRelease" } else { "Release" };
        fs::write(lists.join(format!("{stem}{name}")), release).unwrap();
        let index = lists.join(format!("{stem}main_binary-amd64_Packages"));
        fs::write(index, packages).unwrap();
        Exchange::new(directory)
    }

    #[test]
    fn the_mirror_is_not_in_the_digest() {
        let digest = |mirror, packages| {
            let directory = tempfile::tempdir().unwrap();
            let exchange = lists(directory.path(), mirror, packages, true);
            let lists = Lists::read(&exchange).unwrap();
            assert_eq!(lists.date(), Some(1_747_474_865));
            lists.digest()
        };
        assert_eq!(digest("a.test", PACKAGES), digest("b.test", PACKAGES));
        assert_ne!(digest("a.test", PACKAGES), digest("a.test", "\n"));
    }

    #[test]
    fn indices_are_held_against_what_signs_them() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = lists(directory.path(), "m.test", PACKAGES, true);
        let read = Lists::read(&exchange).unwrap();
        assert_eq!(read.unsigned(), None);
        let packages = read.packages(&exchange).unwrap();
        assert_eq!(packages.len(), 1);
        assert_eq!((&*packages[0].url, packages[0].size), ("pool/a.deb", 3));
        let index = directory
            .path()
            .join(LISTS)
            .join("m.test_debian_dists_bookworm_main_binary-amd64_Packages");
        fs::write(index, "Package: a\n").unwrap();
        let error = read.packages(&exchange).unwrap_err();
        assert!(error.to_string().contains("not what the signed file says"));
    }

    #[test]
    fn what_nobody_signs_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = lists(directory.path(), "m.test", PACKAGES, false);
        let stem = "m.test_debian_dists_bookworm_";
        let unsigned = Lists::read(&exchange).unwrap();
        let index = format!("{stem}main_binary-amd64_Packages");
        assert_eq!(unsigned.unsigned(), Some(index.as_str()));
        let signature = directory
            .path()
            .join(LISTS)
            .join(format!("{stem}Release.gpg"));
        fs::write(signature, "").unwrap();
        assert_eq!(Lists::read(&exchange).unwrap().unsigned(), None);
    }
}
