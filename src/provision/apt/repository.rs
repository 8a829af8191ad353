//! A repository of exactly the locked files, for an installation without a network.
//!
//! ```text
//! <repo>/Packages                    each file's control stanza, Filename, Size, SHA256
//!        Release                     Origin, Suite and Codename, so that it can be preferred
//!        NAME_VERSION_ARCH.deb ...
//! ```

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use racker_store::Digest;
use sha2::{Digest as _, Sha256};

use super::Deb;
use crate::package::Package;
use crate::provision::{Error, Fetched, Result};

/// Up to which sum of sizes packages are unpacked beforehand.
const PLAIN_LIMIT: u64 = 256 << 20;

/// How the package files get into the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// The files themselves: a hard link, or a copy where that is impossible.
    Linked,
    /// The same packages uncompressed. dpkg unpacks one after the other, and mmdebstrap most of
    /// them twice, so the decompression is done beforehand, once and on all cores.
    Plain,
}

impl Bodies {
    /// Uncompressed, unless that would take too much room: packages grow to about five times.
    pub fn fitting(packages: &[Fetched]) -> Bodies {
        let total: u64 = packages.iter().map(|fetched| fetched.package.size).sum();
        if total <= PLAIN_LIMIT {
            Bodies::Plain
        } else {
            Bodies::Linked
        }
    }
}

/// A repository to be written.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    /// What `Suite` and `Codename` say.
    pub codename: &'a str,
    /// What `Date` says, as seconds since 1970.
    pub epoch: i64,
    /// How the files get there.
    pub bodies: Bodies,
}

impl Repository<'_> {
    /// Writes the repository into an empty directory.
    pub fn write(&self, directory: &Path, packages: &[Fetched]) -> Result<()> {
        // The large ones first, so that no core is left with one at the end.
        let mut order: Vec<&Fetched> = packages.iter().collect();
        order.sort_by_key(|fetched| std::cmp::Reverse(fetched.package.size));
        let next = AtomicUsize::new(0);
        let stanzas = Mutex::new(Vec::with_capacity(order.len()));
        let work = || -> Result<()> {
            while let Some(fetched) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let stanza = self.add(directory, fetched)?;
                stanzas
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push(stanza);
            }
            Ok(())
        };
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(order.len());
        std::thread::scope(|scope| -> Result<()> {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                match worker.join() {
                    Ok(outcome) => outcome?,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(())
        })?;
        let mut stanzas = stanzas
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        stanzas.sort();
        let stanzas = stanzas.concat();
        let release = format!(
            "Origin: racker\nLabel: racker\nSuite: {0}\nCodename: {0}\nDate: {1}\n\
             SHA256:\n {2} {3} Packages\n",
            self.codename,
            super::dates::format_date(self.epoch),
            Digest::of(stanzas.as_bytes()).hex(),
            stanzas.len()
        );
        for (name, text) in [("Packages", stanzas), ("Release", release)] {
            let path = directory.join(name);
            fs::write(&path, text).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    /// Puts one package there and returns its stanza.
    fn add(&self, directory: &Path, fetched: &Fetched) -> Result<String> {
        let deb = Deb::open(&fetched.file)?;
        let control = deb.control()?;
        check(&fetched.package, &control).map_err(|reason| Error::BadPackage {
            path: fetched.file.clone(),
            reason,
        })?;
        let name = file_name(&fetched.package);
        let path = directory.join(&name);
        let (size, sha256) = match self.bodies {
            Bodies::Linked => {
                fs::hard_link(&fetched.file, &path)
                    .or_else(|_| fs::copy(&fetched.file, &path).map(drop))
                    .map_err(Error::io(&path))?;
                (fetched.package.size, fetched.package.sha256)
            }
            Bodies::Plain => {
                deb.write_plain(&path)?;
                measure(&path).map_err(Error::io(&path))?
            }
        };
        let sha256 = sha256.hex();
        Ok(format!(
            "{control}\nFilename: ./{name}\nSize: {size}\nSHA256: {sha256}\n\n"
        ))
    }
}

/// The customary name of a package file, which leaves the version's epoch out.
pub(super) fn file_name(package: &Package) -> String {
    let version = package
        .version
        .split_once(':')
        .map_or(&*package.version, |(_, rest)| rest);
    format!("{}_{version}_{}.deb", package.name, package.arch).replace('/', "-")
}

/// Holds a package against what the lock says that it is.
fn check(package: &Package, control: &str) -> Result<(), String> {
    for (field, expected) in [
        ("Package", &package.name),
        ("Version", &package.version),
        ("Architecture", &package.arch),
    ] {
        let found = self::field(control, field);
        if found != Some(expected) {
            let found = found.unwrap_or("missing");
            return Err(format!("its {field} is {found}, the lock has {expected}"));
        }
    }
    Ok(())
}

/// The value of a field of a control stanza.
pub(in crate::provision) fn field<'a>(control: &'a str, wanted: &str) -> Option<&'a str> {
    control
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value.trim()))
}

/// Size and SHA-256 of a file.
pub(crate) fn measure(path: &Path) -> std::io::Result<(u64, Digest)> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((size, Digest::from_bytes(hasher.finalize().into())));
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(directory: &Path, name: &str, version: &str) -> Fetched {
        let file = directory.join(format!("{name}.blob"));
        let control = format!("Package: {name}\nVersion: {version}\nArchitecture: all\n");
        super::super::deb::tests::make(&file, &control, ".xz");
        let (size, sha256) = measure(&file).unwrap();
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            arch: "all".to_owned(),
            url: String::new(),
            size,
            sha256,
            signature: None,
        };
        Fetched {
            package,
            file,
            signature: None,
        }
    }

    #[test]
    fn both_kinds_describe_their_files() {
        let directory = tempfile::tempdir().unwrap();
        let packages = [
            fetched(directory.path(), "b", "2:1"),
            fetched(directory.path(), "a", "1~rc+2"),
        ];
        for bodies in [Bodies::Linked, Bodies::Plain] {
            let repo = directory.path().join(format!("{bodies:?}"));
            fs::create_dir(&repo).unwrap();
            let repository = Repository {
                codename: "trixie",
                epoch: 0,
                bodies,
            };
            repository.write(&repo, &packages).unwrap();
            let text = fs::read_to_string(repo.join("Packages")).unwrap();
            let (size, sha256) = measure(&repo.join("a_1~rc+2_all.deb")).unwrap();
            assert!(text.starts_with(&format!(
                "Package: a\nVersion: 1~rc+2\nArchitecture: all\nFilename: ./a_1~rc+2_all.deb\n\
                 Size: {size}\nSHA256: {}\n\nPackage: b\n",
                sha256.hex()
            )));
            assert!(repo.join("b_1_all.deb").exists());
            let release = fs::read_to_string(repo.join("Release")).unwrap();
            assert!(release.contains("Date: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n "));
        }
    }

    #[test]
    fn another_package_under_the_digest_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut package = fetched(directory.path(), "a", "1");
        package.package.version = "2".to_owned();
        let repository = Repository {
            codename: "x",
            epoch: 0,
            bodies: Bodies::Linked,
        };
        let error = repository.write(directory.path(), &[package]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("its Version is 1, the lock has 2"),
            "{error}"
        );
    }
}
