//! The install phase: by name, from a repository of exactly the locked files, without a network.
//!
//! apk wants an index that is signed by a key of the image's. Nobody has one but the distribution,
//! so this one is not signed, and apk is told to take it (`--allow-untrusted`). That holds for this
//! one command, which sees no other repository, no cache and no network; the index and the files
//! are the host's, which the guest cannot write to, and each file is what the lock says by SHA-256.
//! What was looked up in signed indices was so when the lock was made.

use std::fs;

use super::package::ApkFile;
use super::resolve::{lines, validate};
use super::{COMMON, index};
use crate::package::Package;
use crate::provision::job::{environment, shell};
use crate::provision::request::split;
use crate::provision::{Error, Exchange, Fetched, Job, Network, Request, Result};

const SCRIPT: &str = include_str!("install.sh");

/// The job that changes the tree; writes the repository into the exchange directory.
pub(super) fn job(
    request: &Request,
    packages: &[Fetched],
    epoch: i64,
    exchange: &Exchange,
) -> Result<Job> {
    validate(request)?;
    let repo = exchange.fresh("repo")?;
    let mut entries = String::new();
    let mut locked = String::new();
    for fetched in packages {
        let Package { name, version, .. } = &fetched.package;
        let file = ApkFile::read(&fetched.file)?;
        check(&fetched.package, &file).map_err(|reason| Error::BadPackage {
            path: fetched.file.clone(),
            reason,
        })?;
        let path = repo.join(format!("{name}-{version}.apk"));
        fs::hard_link(&fetched.file, &path)
            .or_else(|_| fs::copy(&fetched.file, &path).map(drop))
            .map_err(Error::io(&path))?;
        entries.push_str(&index::entry(&fetched.package, &file));
        locked.push_str(&format!("{name} {version}\n"));
    }
    let path = repo.join("APKINDEX.tar.gz");
    index::pack(&entries)
        .and_then(|bytes| fs::write(&path, bytes))
        .map_err(Error::io(&path))?;
    let directory = exchange.fresh("install")?;
    for (name, text) in [
        ("remove", lines(&request.remove)),
        ("locked", locked),
        ("finish.sh", request.finish.clone()),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }
    let env: Vec<(&str, &str)> = request
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let names = request.install.iter().map(|it| split(it).0.to_owned());
    Ok(Job {
        argv: shell(&[COMMON, SCRIPT].concat(), names),
        env: environment(Some(epoch), &env),
        binds: vec![exchange.bind()],
        network: if request.network {
            Network::Host
        } else {
            Network::None
        },
    })
}

/// Holds a package against what the lock says that it is. Indices may have a package without an
/// architecture under that of the repository.
fn check(package: &Package, file: &ApkFile) -> Result<(), String> {
    for (field, expected) in [("pkgname", &package.name), ("pkgver", &package.version)] {
        let found = file.info.get(field).unwrap_or("missing");
        if found != expected {
            return Err(format!("its {field} is {found}, the lock has {expected}"));
        }
    }
    match file.info.get("arch") {
        Some(arch) if arch == package.arch || arch == "noarch" => Ok(()),
        arch => Err(format!(
            "its arch is {}, the lock has {}",
            arch.unwrap_or("missing"),
            package.arch
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::package::tests::make;
    use super::*;

    #[test]
    fn the_repository_and_the_job() {
        let directory = tempfile::tempdir().unwrap();
        let host = directory.path().join("exchange");
        fs::create_dir(&host).unwrap();
        let exchange = Exchange::new(host);
        let path = directory.path().join("blob");
        let info = "pkgname = a\npkgver = 1-r0\narch = noarch\ndepend = b\ndepend = c>1\n\
                    install_if = d e\nprovides = cmd:a=1-r0\n";
        fs::write(&path, make(info).0).unwrap();
        let package = Package {
            name: "a".to_owned(),
            version: "1-r0".to_owned(),
            arch: "x86_64".to_owned(),
            url: String::new(),
            size: 5,
            sha256: format!("sha256:{:064}", 0).parse().unwrap(),
            signature: None,
        };
        let mut fetched = Fetched {
            package,
            file: path.clone(),
            signature: None,
        };
        let request = Request {
            install: vec!["a=1*".to_owned()],
            ..Request::default()
        };
        let made = job(&request, std::slice::from_ref(&fetched), 7, &exchange).unwrap();
        assert_eq!(made.argv[5..], ["a"]);
        assert_eq!(made.network, Network::None);
        assert_eq!(
            exchange.read("install/locked").unwrap().unwrap(),
            "a 1-r0\n"
        );
        assert!(exchange.host().join("repo/a-1-r0.apk").exists());
        let text = index::entry(&fetched.package, &ApkFile::read(&path).unwrap());
        assert!(text.starts_with("C:Q1"), "{text}");
        assert!(text.contains("\nP:a\nV:1-r0\nA:x86_64\nS:5\n"), "{text}");
        assert!(text.ends_with("D:b c>1\np:cmd:a=1-r0\ni:d e\n\n"), "{text}");
        fetched.package.version = "2-r0".to_owned();
        let error = job(&request, &[fetched], 7, &exchange).unwrap_err();
        let said = error.to_string();
        assert!(
            said.ends_with("its pkgver is 1-r0, the lock has 2-r0"),
            "{said}"
        );
    }
}
