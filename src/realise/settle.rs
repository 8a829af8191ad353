//! From a solution to what a lock says: every file by its SHA-256.
//!
//! Most repositories say it. Where one does not, the file is fetched now, held against what the
//! repository says instead, and pinned by what it is. Detached signatures are fetched too.

use racker_store::Digest;

use super::Error;
use super::step::Step;
use crate::oci::Download;
use crate::package::Package;
use crate::provision::archives::elsewhere;
use crate::provision::{self, Found, Identity, PackageManager};

/// Pins the packages of a solution; other `archives` of the image are asked for what its own has not.
/// What a lock had already of the very same file is `known`: nobody may have it by now.
pub(super) fn settle(
    step: &Step<'_>,
    manager: &dyn PackageManager,
    found: &[Found],
    known: &[&Package],
    archives: &[String],
) -> Result<Vec<Package>, Error> {
    let known: Vec<Option<&Package>> = found
        .iter()
        .map(|found| {
            known
                .iter()
                .copied()
                .find(|it| same(step, manager, found, it))
        })
        .collect();
    let all = || found.iter().zip(&known);
    let own = all()
        .filter(|(it, known)| matches!(it.identity, Identity::Own(_)) && known.is_none())
        .map(|(it, _)| download(&it.url, Some(it.size), archives));
    let mut files = step.shop.fetch(&own.collect::<Vec<_>>())?.into_iter();
    let signature = |known: Option<&Package>| known.and_then(|it| it.signature);
    let unsigned: Vec<&Found> = all()
        .filter(|(it, known)| it.signed && signature(**known).is_none())
        .map(|(it, _)| it)
        .collect();
    let mut signatures = signatures(step, &unsigned, archives)?.into_iter();
    let missing = || Error::Offline("a package".into());

    let mut packages = Vec::with_capacity(found.len());
    for (found, known) in all() {
        let sha256 = match (&found.identity, known) {
            (Identity::Sha256(digest), _) => *digest,
            (Identity::Own(_), Some(known)) => known.sha256,
            (Identity::Own(said), None) => check(
                step,
                manager,
                found,
                said,
                files.next().ok_or_else(missing)?,
            )?,
        };
        let signature = match signature(*known) {
            _ if !found.signed => None,
            None => Some(signatures.next().ok_or_else(missing)?),
            known => known,
        };
        packages.push(Package {
            name: found.name.clone(),
            version: found.version.clone(),
            arch: found.arch.clone(),
            url: found.url.clone(),
            size: found.size,
            sha256,
            signature,
        });
    }
    Ok(packages)
}

/// Whether a locked package is the very file that was found.
fn same(step: &Step<'_>, manager: &dyn PackageManager, found: &Found, known: &Package) -> bool {
    let named = known.order() == (&*found.name, &*found.arch, &*found.version);
    named
        && known.size == found.size
        && match &found.identity {
            Identity::Sha256(digest) => *digest == known.sha256,
            Identity::Own(said) => step
                .shop
                .store
                .blob(&known.sha256)
                .and_then(|path| manager.identity(&path).ok())
                .is_some_and(|actual| actual == *said),
        }
}

/// Fetches the detached signatures of packages.
fn signatures(
    step: &Step<'_>,
    found: &[&Found],
    archives: &[String],
) -> Result<Vec<Digest>, Error> {
    let list: Vec<Download> = found
        .iter()
        .map(|it| download(&format!("{}.sig", it.url), None, archives))
        .collect();
    if step.shop.settings.offline {
        return step.shop.fetch(&list);
    }
    step.shop.fetch_all(&list).map_err(|(place, source)| {
        let Found { name, version, .. } = found[place];
        step.provision(provision::Error::Unsigned {
            details: format!("that of {name} {version} cannot be fetched: {source}"),
        })
    })
}

fn download(url: &str, size: Option<u64>, archives: &[String]) -> Download {
    Download {
        url: url.to_owned(),
        mirrors: Vec::new(),
        others: elsewhere(url, archives),
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
