//! What a package manager downloaded about its repositories.
//!
//! ```text
//! metadata/dnf/ID-0123456789abcdef/repodata/repomd.xml     dnf; the number comes from the address
//!          zypper/ALIAS/repodata/repomd.xml                zypper
//!          zypper-state/sources, checked/ALIAS             which addresses and checks that was for
//! ```
//!
//! The digest of it all is SHA-256 over a line for each repository, sorted: `dnf ID SHA256`, of its
//! `repomd.xml`, which has the digests of everything else. So two mirrors give the same digest; what
//! dnf and zypper keep of one repository is not the same.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use racker_store::Digest;
use sha2::{Digest as _, Sha256, Sha512};

use super::compressed::unpack;
use super::primary;
use super::repomd::Repomd;
use crate::provision::exchange::METADATA;
use crate::provision::{Error, Exchange, Fetched, Found, Resolution, Result};

/// The largest `repomd.xml` that is read.
const MAX_REPOMD: u64 = 16 << 20;
/// The number that dnf puts behind a repository's name.
const NUMBER: usize = 16;

/// The repositories whose metadata was kept.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Kept {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Clone, Debug)]
struct Repository {
    /// Its directory, from the exchange directory.
    root: String,
    digest: Digest,
    repomd: Repomd,
}

/// A repository that a package may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Place {
    /// Its id.
    pub(in super::super) repository: String,
    /// Its address.
    pub(in super::super) base: String,
}

/// A package that a package manager chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Wanted {
    /// Where it may come from, the best place first.
    pub(in super::super) places: Vec<Place>,
    /// Its name.
    pub(in super::super) name: String,
    /// Its version and release, with an epoch that is not 0.
    pub(in super::super) version: String,
    /// Its architecture.
    pub(in super::super) arch: String,
}

impl Wanted {
    fn is(&self, found: &Found) -> bool {
        (&self.name, &self.version, &self.arch) == (&found.name, &found.version, &found.arch)
    }
}

impl Kept {
    /// Reads what lies in an exchange directory.
    pub(in super::super) fn read(exchange: &Exchange) -> Result<Self> {
        let mut kept = Self::default();
        for path in exchange.files(METADATA)? {
            let Some(root) = path.strip_suffix("/repodata/repomd.xml") else {
                continue;
            };
            let Some(file) = exchange.open(&path)? else {
                continue;
            };
            let mut text = Vec::new();
            file.take(MAX_REPOMD)
                .read_to_end(&mut text)
                .map_err(Error::io(&exchange.host().join(&path)))?;
            let repomd = Repomd::parse(&text).map_err(|reason| Error::Metadata {
                file: path.clone(),
                reason,
            })?;
            let repository = Repository {
                root: root.to_owned(),
                digest: Digest::of(&text),
                repomd,
            };
            kept.repositories.insert(id(root).to_owned(), repository);
        }
        Ok(kept)
    }

    /// The newest date; `None` when there is no metadata at all.
    pub(in super::super) fn date(&self) -> Option<i64> {
        let dates = self.repositories.values().map(|it| it.repomd.date);
        dates.max()
    }

    /// One digest over everything.
    pub(in super::super) fn digest(&self) -> Digest {
        let lines = self.repositories.iter();
        let lines = lines.map(|(id, it)| format!("{} {id} {}\n", it.form(), it.digest.hex()));
        Digest::of(lines.collect::<String>().as_bytes())
    }

    /// All packages of all repositories, each list held against its `repomd.xml`.
    fn packages(&self, exchange: &Exchange) -> Result<Vec<Found>> {
        let mut all = Vec::new();
        for repository in self.repositories.values() {
            repository.packages(exchange, |found| all.push(found))?;
        }
        Ok(all)
    }

    /// All packages, the date and the digest.
    pub(in super::super) fn everything(&self, exchange: &Exchange) -> Result<Resolution> {
        Ok(Resolution {
            packages: self.packages(exchange)?,
            date: self.date().unwrap_or_default(),
            metadata: self.digest(),
        })
    }

    /// Finds packages in the repositories that they were chosen from; sorted. What no repository
    /// has is an error of `tool`'s.
    pub(in super::super) fn find(
        &self,
        wanted: &[Wanted],
        tool: &'static str,
        exchange: &Exchange,
    ) -> Result<Vec<Found>> {
        // For each package the best place that has it, and what it is there.
        let mut best: Vec<Option<(usize, Found)>> = vec![None; wanted.len()];
        for (id, repository) in &self.repositories {
            let rank = |it: &Wanted| it.places.iter().position(|place| place.repository == *id);
            if !wanted.iter().any(|it| rank(it).is_some()) {
                continue;
            }
            repository.packages(exchange, |found| {
                for (wanted, best) in wanted.iter().zip(&mut best) {
                    if let Some(rank) = rank(wanted).filter(|_| wanted.is(&found))
                        && best.as_ref().is_none_or(|(other, _)| rank < *other)
                    {
                        *best = Some((rank, found.clone()));
                    }
                }
            })?;
        }
        let mut all = Vec::with_capacity(wanted.len());
        for (wanted, best) in wanted.iter().zip(best) {
            let Some((rank, mut found)) = best else {
                let line = format!("{}-{}.{}", wanted.name, wanted.version, wanted.arch);
                return Err(Error::Output { tool, line });
            };
            if !found.url.contains("://") {
                let base = wanted.places[rank].base.trim_end_matches('/');
                found.url = format!("{base}/{}", found.url);
            }
            all.push(found);
        }
        all.sort();
        Ok(all)
    }
}

/// The id of a repository by its directory.
fn id(root: &str) -> &str {
    let name = root.rsplit('/').next().unwrap_or(root);
    match name.rsplit_once('-') {
        Some((id, number))
            if root.starts_with("metadata/dnf/")
                && number.len() == NUMBER
                && number.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            id
        }
        _ => name,
    }
}

impl Repository {
    /// Whose metadata it is.
    fn form(&self) -> &str {
        self.root.split('/').nth(1).unwrap_or_default()
    }

    fn packages(&self, exchange: &Exchange, take: impl FnMut(Found)) -> Result<()> {
        let primary = &self.repomd.primary;
        let path = format!("{}/{}", self.root, primary.href);
        let bad = |reason: String| Error::Metadata {
            file: path.clone(),
            reason,
        };
        let file = exchange.open(&path)?;
        let file = file.ok_or_else(|| bad("it is gone".to_owned()))?;
        let mut reader = Hashing {
            inner: file,
            sum: Sum::new(&primary.kind)
                .ok_or_else(|| bad(format!("its checksum is a mere `{}`", primary.kind)))?,
        };
        let io = |error: io::Error| bad(error.to_string());
        primary::packages(unpack(&mut reader).map_err(io)?, take).map_err(bad)?;
        io::copy(&mut reader, &mut io::sink()).map_err(io)?;
        if reader.sum.hex() == primary.checksum {
            return Ok(());
        }
        Err(bad("it is not what repomd.xml says".to_owned()))
    }
}

/// A checksum of one of the kinds that are strong enough.
enum Sum {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Sum {
    fn new(kind: &str) -> Option<Self> {
        match kind {
            "sha256" => Some(Self::Sha256(Sha256::new())),
            "sha512" => Some(Self::Sha512(Sha512::new())),
            _ => None,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Sha512(sum) => sum.update(bytes),
        }
    }

    fn hex(self) -> String {
        let bytes = match self {
            Self::Sha256(sum) => sum.finalize().to_vec(),
            Self::Sha512(sum) => sum.finalize().to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A reader that hashes what it reads.
struct Hashing<R> {
    inner: R,
    sum: Sum,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

/// The identity of a file whose repository gives its SHA-512; see [`Identity::Own`].
pub(in super::super) fn sha512(file: &Path) -> Result<String> {
    let read = || -> io::Result<String> {
        let mut reader = Hashing {
            inner: std::fs::File::open(file)?,
            sum: Sum::Sha512(Sha512::new()),
        };
        io::copy(&mut reader, &mut io::sink())?;
        Ok(format!("sha512:{}", reader.sum.hex()))
    };
    read().map_err(Error::io(file))
}

/// Gives packages that were held back the addresses that they had before: they came from a
/// repository of racker's own.
pub(in super::super) fn restore(
    packages: &[Fetched],
    name: &str,
    version: &str,
    arch: &str,
) -> Option<Found> {
    let same = |it: &&Fetched| {
        (&*it.package.name, &*it.package.version, &*it.package.arch) == (name, version, arch)
    };
    let package = &packages.iter().find(same)?.package;
    Some(Found::from(package))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn kept(directory: &Path, place: &str, release: &str) -> Exchange {
        let repodata = directory.join(METADATA).join(place).join("repodata");
        fs::create_dir_all(&repodata).unwrap();
        let primary = format!(
            "<metadata><package><name>a</name><arch>noarch</arch><version ver='1' rel='{release}'/>\
             <checksum type='sha256'>{}</checksum><size package='3'/><location href='p/a.rpm'/>\
             </package></metadata>",
            "0".repeat(64)
        );
        let packed = zstd::encode_all(primary.as_bytes(), 1).unwrap();
        fs::write(repodata.join("p.zst"), &packed).unwrap();
        let repomd = format!(
            "<repomd><data type='primary'><checksum type='sha256'>{}</checksum>\
             <location href='repodata/p.zst'/><timestamp>7</timestamp></data></repomd>",
            Digest::of(&packed).hex()
        );
        fs::write(repodata.join("repomd.xml"), repomd).unwrap();
        Exchange::new(directory)
    }

    #[test]
    fn the_mirror_is_not_in_the_digest() {
        let digest = |place, release| {
            let directory = tempfile::tempdir().unwrap();
            let kept = Kept::read(&kept(directory.path(), place, release)).unwrap();
            assert_eq!(kept.date(), Some(7));
            kept.digest()
        };
        let first = digest("dnf/updates-0123456789abcdef", "1");
        assert_eq!(first, digest("dnf/updates-fedcba9876543210", "1"));
        assert_ne!(first, digest("zypper/updates", "1"));
        assert_ne!(first, digest("dnf/updates-0123456789abcdef", "2"));
        assert_ne!(first, digest("dnf/other-0123456789abcdef", "1"));
    }

    #[test]
    fn lists_are_held_against_what_is_signed() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = kept(directory.path(), "zypper/test", "1");
        let kept = Kept::read(&exchange).unwrap();
        let wanted = |version: &str| Wanted {
            places: vec![Place {
                repository: "test".to_owned(),
                base: "http://mirror.test/x/".to_owned(),
            }],
            name: "a".to_owned(),
            version: version.to_owned(),
            arch: "noarch".to_owned(),
        };
        let found = kept.find(&[wanted("1-1")], "zypper", &exchange).unwrap();
        assert_eq!(found[0].url, "http://mirror.test/x/p/a.rpm");
        let error = kept.find(&[wanted("1-2")], "zypper", &exchange);
        assert!(error.unwrap_err().to_string().contains("a-1-2.noarch"));
        let list = directory.path().join("metadata/zypper/test/repodata/p.zst");
        let mut bytes = fs::read(&list).unwrap();
        bytes.push(0);
        fs::write(&list, bytes).unwrap();
        assert!(kept.packages(&exchange).is_err());
        fs::remove_file(list).unwrap();
        let error = kept.packages(&exchange).unwrap_err();
        assert!(error.to_string().ends_with("it is gone"), "{error}");
    }
}
