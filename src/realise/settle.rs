//! From a solution to what a lock says: every file by its SHA-256.
//!
//! Most repositories say it. Where one does not, the file is fetched now, held against what the
//! repository says instead, and pinned by what it is. Detached signatures are fetched too.

use racker_store::Digest;

use super::Error;
use super::step::Step;
use crate::oci::Download;
use crate::package::Package;
use crate::provision::{self, Found, Identity, PackageManager};

/// Pins the packages of a solution.
pub(super) fn settle(
    step: &Step<'_>,
    manager: &dyn PackageManager,
    found: &[Found],
) -> Result<Vec<Package>, Error> {
    let own = found
        .iter()
        .filter(|it| matches!(it.identity, Identity::Own(_)))
        .map(|it| download(&it.url, Some(it.size)));
    let signatures = found
        .iter()
        .filter(|it| it.signed)
        .map(|it| download(&format!("{}.sig", it.url), None));
    let list: Vec<Download> = own.chain(signatures).collect();
    let mut fetched = step.shop.fetch(&list)?.into_iter();
    let mut next = || {
        fetched
            .next()
            .ok_or_else(|| Error::Offline("a package".into()))
    };

    let mut packages = Vec::with_capacity(found.len());
    for found in found {
        let sha256 = match &found.identity {
            Identity::Sha256(digest) => *digest,
            Identity::Own(said) => check(step, manager, found, said, next()?)?,
        };
        packages.push(Package {
            name: found.name.clone(),
            version: found.version.clone(),
            arch: found.arch.clone(),
            url: found.url.clone(),
            size: found.size,
            sha256,
            signature: None,
        });
    }
    for (package, found) in packages.iter_mut().zip(found) {
        if found.signed {
            package.signature = Some(next()?);
        }
    }
    Ok(packages)
}

fn download(url: &str, size: Option<u64>) -> Download {
    Download {
        url: url.to_owned(),
        mirrors: Vec::new(),
        others: Vec::new(),
        digest: None,
        size,
    }
}

/// Holds a fetched file against what the repository says of it.
fn check(
    step: &Step<'_>,
    manager: &dyn PackageManager,
    found: &Found,
    said: &str,
    digest: Digest,
) -> Result<Digest, Error> {
    let store = step.shop.store;
    let path = store
        .blob(&digest)
        .ok_or_else(|| Error::Offline(found.url.clone()))?;
    let actual = manager
        .identity(&path)
        .map_err(|error| step.provision(error))?;
    if actual == said {
        return Ok(digest);
    }
    store.remove_blob(&digest)?;
    Err(step.provision(provision::Error::BadPackage {
        path: found.url.clone().into(),
        reason: format!("its identity is {actual}, the repository says {said}"),
    }))
}
