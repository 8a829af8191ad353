//! The install phase: by name, from repositories of exactly the locked files, without a network.
//!
//! pacman's database of repositories, its cache and its log lie in the exchange directory, so that
//! the image gets nothing but the packages and the database of what is installed.

use std::fs;
use std::path::Path;

use super::pkginfo::PackageInfo;
use super::resolve::{lines, validate};
use super::{COMMON, repository};
use crate::package::Package;
use crate::provision::apt::repository::measure;
use crate::provision::job::{environment, shell};
use crate::provision::request::split;
use crate::provision::{Error, Exchange, Fetched, Job, Network, Request, Result};

const SCRIPT: &str = include_str!("install.sh");

/// The job that changes the tree; writes the repositories into the exchange directory.
pub(super) fn job(
    request: &Request,
    packages: &[Fetched],
    epoch: i64,
    exchange: &Exchange,
) -> Result<Job> {
    validate(request)?;
    let mut packages = packages.to_vec();
    let mut wanted: Vec<String> = request
        .install
        .iter()
        .map(|selector| split(selector).0.to_owned())
        .collect();
    for file in &request.files {
        let local = read_local(file)?;
        wanted.push(local.package.name.clone());
        packages.push(local);
    }
    let infos = repository::write(&exchange.fresh("repo")?, &packages)?;
    let (targets, present) = targets(&wanted, &infos);
    let locked = packages.iter().map(|it| {
        let Package { name, version, .. } = &it.package;
        format!("{name} {version}\n")
    });
    let directory = exchange.fresh("install")?;
    let mut files = vec![
        ("remove", lines(&request.remove)),
        ("present", lines(&present)),
        ("locked", locked.collect()),
        ("finish.sh", request.finish.clone()),
    ];
    if packages.iter().any(|it| it.signature.is_some()) {
        files.push(("signed", String::new()));
    }
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }
    let mut env: Vec<(&str, &str)> = request
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    env.push(("SYSTEMD_OFFLINE", "1"));
    Ok(Job {
        argv: shell(&[COMMON, SCRIPT].concat(), targets),
        env: environment(Some(epoch), &env),
        binds: vec![exchange.bind()],
        network: if request.network {
            Network::Host
        } else {
            Network::None
        },
    })
}

/// Tells names that a locked package answers to from those of what must be there already.
fn targets(wanted: &[String], infos: &[PackageInfo]) -> (Vec<String>, Vec<String>) {
    let answered = |name: &&String| infos.iter().any(|info| info.answers(name));
    let (targets, present): (Vec<&String>, Vec<&String>) = wanted.iter().partition(answered);
    let owned = |names: Vec<&String>| names.into_iter().cloned().collect();
    (owned(targets), owned(present))
}

/// A package file of the recipe.
pub(super) fn read_local(file: &Path) -> Result<Fetched> {
    let info = PackageInfo::read(file)?;
    let field = |name| info.get(name).unwrap_or_default().to_owned();
    let (size, sha256) = measure(file).map_err(Error::io(file))?;
    Ok(Fetched {
        package: Package {
            name: field("pkgname"),
            version: field("pkgver"),
            arch: field("arch"),
            url: String::new(),
            size,
            sha256,
            signature: None,
        },
        file: file.to_owned(),
        signature: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::tarball;
    use super::*;

    fn package(directory: &Path, name: &str, rest: &str) -> Fetched {
        let path = directory.join(format!("{name}.pkg.tar"));
        let info = format!("pkgname = {name}\npkgver = 1-1\narch = any\n{rest}");
        fs::write(&path, tarball(&[(".PKGINFO", &info), ("usr/x", "")])).unwrap();
        read_local(&path).unwrap()
    }

    #[test]
    fn the_job_installs_what_the_lock_answers_and_looks_for_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let host = directory.path().join("exchange");
        fs::create_dir(&host).unwrap();
        let exchange = Exchange::new(host);
        let mut signed = package(directory.path(), "b", "provides = www=1\n");
        let signature = directory.path().join("sig");
        fs::write(&signature, "sig").unwrap();
        signed.signature = Some(signature);
        let packages = [package(directory.path(), "a", "group = g\n"), signed];
        let request = Request {
            install: ["a=1*", "g", "www", "other=3"].map(str::to_owned).into(),
            remove: vec!["c".to_owned()],
            ..Request::default()
        };
        let job = job(&request, &packages, 1_700_000_000, &exchange).unwrap();
        assert_eq!(job.argv[5..], ["a", "g", "www"]);
        assert_eq!(job.network, Network::None);
        let read = |name: &str| exchange.read(name).unwrap();
        assert_eq!(read("install/present").as_deref(), Some("other\n"));
        assert_eq!(read("install/remove").as_deref(), Some("c\n"));
        assert_eq!(read("install/locked").as_deref(), Some("a 1-1\nb 1-1\n"));
        assert!(read("install/signed").is_some());
        assert!(read("repo/b-1-1-any.pkg.tar.sig").is_some());
        let database = read("repo/racker-signed.db").unwrap();
        assert!(database.contains("%PGPSIG%\nc2ln\n"), "{database}");
        assert!(!database.contains("%NAME%\na\n"));
        assert!(
            read("repo/racker-plain.db")
                .unwrap()
                .contains("%NAME%\na\n")
        );
    }

    #[test]
    fn another_package_under_the_digest_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(directory.path());
        let mut other = package(directory.path(), "a", "");
        other.package.version = "2-1".to_owned();
        let error = job(&Request::default(), &[other], 0, &exchange).unwrap_err();
        let said = error.to_string();
        assert!(
            said.ends_with("its pkgver is 1-1, the lock has 2-1"),
            "{said}"
        );
    }

    #[test]
    fn what_pacman_cannot_do_is_said() {
        for request in [
            Request {
                recommends: true,
                ..Request::default()
            },
            Request {
                debconf: [("a b".to_owned(), "c".to_owned())].into(),
                ..Request::default()
            },
        ] {
            let directory = tempfile::tempdir().unwrap();
            let exchange = Exchange::new(directory.path());
            let error = job(&request, &[], 0, &exchange).unwrap_err();
            assert!(error.to_string().starts_with("pacman has no "), "{error}");
        }
    }
}
