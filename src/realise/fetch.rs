//! Locked package files into the store.

use std::cell::OnceCell;
use std::path::PathBuf;

use racker_store::Digest;

use super::Error;
use super::step::Step;
use crate::oci::Download;
use crate::package::Package;
use crate::plan::lock::Lock;
use crate::provision::Fetched;
use crate::provision::archives::elsewhere;

/// Makes sure that every locked package of the step is in the store.
pub(super) fn locked(
    step: &Step<'_>,
    lock: &Lock,
    archives: impl Fn() -> Vec<String>,
) -> Result<Vec<Fetched>, Error> {
    let packages = lock.packages(&step.planned.id, step.platform);
    fetch(step, packages.unwrap_or_default(), archives)
}

/// Makes sure that these packages, and what signs them, are in the store. The `archives` that the
/// image is configured with are asked for what is not where the lock says.
pub(super) fn fetch(
    step: &Step<'_>,
    packages: &[Package],
    archives: impl Fn() -> Vec<String>,
) -> Result<Vec<Fetched>, Error> {
    let store = step.shop.store;
    let known = OnceCell::new();
    let mut list = Vec::new();
    let mut owners = Vec::new();
    for package in packages {
        let signature = package.signature.map(|digest| (digest, None, ".sig"));
        let file = (package.sha256, Some(package.size), "");
        for (digest, size, ending) in [file].into_iter().chain(signature) {
            if store.blob(&digest).is_none() {
                let url = format!("{}{ending}", package.url);
                let known = known.get_or_init(&archives);
                list.push(Download {
                    mirrors: mirrors(step, &url),
                    others: elsewhere(&url, known),
                    url,
                    digest: Some(digest),
                    size,
                });
                owners.push(package);
            }
        }
    }
    if step.shop.settings.offline
        && let Some(first) = owners.first()
    {
        let what = format!("package {} {}", first.name, first.version);
        return Err(Error::Offline(what));
    }
    step.shop.fetch_all(&list).map_err(|(place, source)| {
        let package = owners[place];
        Error::Package {
            id: step.planned.id.clone(),
            package: format!("{} {}", package.name, package.version),
            name: package.name.clone(),
            source: Box::new(source),
        }
    })?;
    let find = |digest: &Digest, package: &Package| -> Result<PathBuf, Error> {
        let missing = || Error::Offline(format!("package {}", package.name));
        store.blob(digest).ok_or_else(missing)
    };
    packages
        .iter()
        .map(|package| {
            let signature = package.signature.as_ref();
            Ok(Fetched {
                file: find(&package.sha256, package)?,
                signature: signature.map(|it| find(it, package)).transpose()?,
                package: package.clone(),
            })
        })
        .collect()
}

/// Where else the user says that a file may be.
fn mirrors(step: &Step<'_>, url: &str) -> Vec<String> {
    let mirrors = &step.shop.settings.package_mirrors;
    mirrors
        .iter()
        .filter_map(|(prefix, location)| {
            let rest = url.strip_prefix(prefix.as_str())?;
            Some(format!("{location}{rest}"))
        })
        .collect()
}
