//! What a package manager is asked to install: names, or what exactly the lock has under them.

use std::path::Path;

use serde_json::{Value, json};

use super::Repository;
use super::describe::Identity;
use crate::package::Package;
use crate::provision::request::split;
use crate::provision::{Error, Exchange, Fetched, Request, Result};
use crate::rpm::PackageFile;

/// A package file of the recipe.
pub(in super::super) fn local(file: &Path) -> Result<Fetched> {
    let bad = |reason: String| Error::BadPackage {
        path: file.to_owned(),
        reason,
    };
    let opened = PackageFile::open(file).map_err(|error| bad(error.to_string()))?;
    let found = opened
        .header()
        .and_then(|header| Identity::of(&header))
        .map_err(bad)?;
    let bytes = std::fs::read(file).map_err(Error::io(file))?;
    Ok(Fetched {
        package: Package {
            name: found.name,
            version: found.version,
            arch: found.arch,
            url: String::new(),
            size: bytes.len() as u64,
            sha256: racker_store::Digest::of(&bytes),
            signature: None,
        },
        file: file.to_owned(),
        signature: None,
    })
}

/// Where, in the exchange directory, the recipe's package files are.
const LOCAL: &str = "local";
/// Where, in the exchange directory, a repository of what shall stay as it is lies.
const HOLD: &str = "hold";

/// The names of a request, each with its version if it has one.
pub(in super::super) fn selectors(request: &Request) -> Vec<(String, Option<String>)> {
    let owned = |name: &String| {
        let (name, version) = split(name);
        (name.to_owned(), version.map(str::to_owned))
    };
    request.install.iter().map(owned).collect()
}

/// The names of a request, with the exact versions of those that are locked.
pub(in super::super) fn pinned(
    request: &Request,
    packages: &[Fetched],
) -> Vec<(String, Option<String>)> {
    let locked = |name: &str| {
        let is = |it: &&Fetched| {
            let package = &it.package;
            let rest = name.strip_prefix(&*package.name);
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('.') == Some(&*package.arch)
            })
        };
        packages
            .iter()
            .find(is)
            .map(|it| it.package.version.clone())
    };
    let pin = |(name, version): (String, Option<String>)| {
        let version = locked(&name).or(version);
        (name, version)
    };
    selectors(request).into_iter().map(pin).collect()
}

/// Package files, each by its name, architecture and exact version.
pub(super) fn exact(files: &[Fetched]) -> Vec<(String, Option<String>)> {
    let packages = files.iter().map(|it| &it.package);
    let exact = packages.map(|it| (format!("{}.{}", it.name, it.arch), Some(it.version.clone())));
    exact.collect()
}

/// Writes a repository of the recipe's package files, if there are any; what to ask for.
pub(in super::super) fn write_local(
    request: &Request,
    exchange: &Exchange,
) -> Result<Vec<(String, Option<String>)>> {
    let files = request.files.iter().map(|it| local(it));
    let files = files.collect::<Result<Vec<_>>>()?;
    if !files.is_empty() {
        Repository { epoch: 0 }.write(&exchange.fresh(LOCAL)?, &files)?;
    }
    Ok(exact(&files))
}

/// Shows the recipe's package files to the guest; where.
pub(in super::super) fn show_local(request: &Request, exchange: &Exchange) -> Result<Vec<String>> {
    let directory = exchange.fresh(LOCAL)?;
    let mut paths = Vec::new();
    for file in &request.files {
        let name = file_name(&local(file)?.package);
        let path = directory.join(&name);
        std::fs::copy(file, &path).map_err(Error::io(&path))?;
        paths.push(Exchange::guest(&format!("{LOCAL}/{name}")));
    }
    Ok(paths)
}

/// Writes a repository of what the request holds, if it holds anything.
pub(in super::super) fn write_hold(request: &Request, exchange: &Exchange) -> Result<()> {
    if request.hold.is_empty() {
        return Ok(());
    }
    Repository { epoch: 0 }.write(&exchange.fresh(HOLD)?, &request.hold)
}

/// The customary name of a package file, which leaves the version's epoch out.
pub(super) fn file_name(package: &Package) -> String {
    let version = package.version.split_once(':');
    let version = version.map_or(&*package.version, |(_, rest)| rest);
    format!("{}-{version}.{}.rpm", package.name, package.arch)
}

/// What a script is told of a request.
pub(in super::super) fn document(
    request: &Request,
    install: &[(String, Option<String>)],
    files: &[String],
) -> Value {
    let hold = request.hold.iter().map(|it| &it.package);
    let hold: Vec<_> = hold.map(|it| [&it.name, &it.version, &it.arch]).collect();
    json!({
        "install": install,
        "files": files,
        "remove": request.remove,
        "recommends": request.recommends,
        "unsigned": request.unsigned,
        "hold": hold,
    })
}
