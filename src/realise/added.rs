//! Packages on top of an image, without a recipe: one package step, locked and kept like any other.

use std::fs;
use std::path::Path;

use racker_store::{Image, TreeId};
use tempfile::TempDir;

use super::bake::Options;
use super::metadata::Keeper;
use super::step::Step;
use super::{Error, Workshop};
use crate::oci::{Download, Platform};
use crate::package::Manager;
use crate::plan::lock::{Fetched, Lock};
use crate::plan::{Action, PlannedStep};
use crate::provision::detect;
use crate::recipe::{PackagesStep, Step as RecipeStep};

/// The image's tree with these packages: names, files, or URLs of files.
///
/// The packages are resolved with their dependencies by the image's own package manager, with what
/// it recommends, as its users would have it. What `lock` lacks is added to it.
pub fn add(
    shop: Workshop<'_>,
    image: &Image,
    packages: &[String],
    lock: &mut Lock,
) -> Result<TreeId, Error> {
    let directory = tempfile::tempdir().map_err(Error::io("make a temporary directory"))?;
    let mut wanted = PackagesStep {
        recommends: recommends(shop, image.tree)?,
        ..PackagesStep::default()
    };
    for package in packages {
        match package {
            url if is_url(url) => wanted.files.push(download(shop, url, &directory, lock)?),
            path if is_file(path) => wanted.files.push(copy(path, &directory)?),
            name => wanted.install.push(name.clone()),
        }
    }
    let id = "probe/1".to_owned();
    let planned = PlannedStep {
        id: id.clone(),
        recipe: "probe".into(),
        place: 1,
        number: 1,
        summary: format!("packages {}", packages.join(" ")),
        impure: false,
        action: Action::Step(RecipeStep::Packages(wanted)),
        env: std::collections::BTreeMap::new(),
        switched_off: Vec::new(),
        directory: directory.path().to_owned(),
        timeout: None,
        dated: vec![id],
    };
    let keeper = Keeper::default();
    let outcome = Step {
        shop,
        planned: &planned,
        platform: &Platform::host().to_string(),
        total: 1,
        options: &Options::default(),
        keeper: &keeper,
    }
    .realise(image.tree, lock);
    keeper.finish()?;
    Ok(outcome?.realisation.tree)
}

/// Whether the image's package manager knows recommendations and, left alone, follows them.
fn recommends(shop: Workshop<'_>, tree: TreeId) -> Result<bool, Error> {
    let tree = shop.store.tree(tree)?;
    let exists = |path: &str| tree.lookup(path.as_bytes()).is_ok();
    // A tree without any is an error later, which then names the step.
    let manager = detect(None, exists).ok();
    Ok(!matches!(manager, Some(Manager::Pacman | Manager::Apk)))
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A name has no slash in it, a path of a package may do without one.
fn is_file(text: &str) -> bool {
    const ENDINGS: [&str; 4] = [".deb", ".rpm", ".apk", ".pkg.tar.zst"];
    text.contains('/') || ENDINGS.iter().any(|ending| text.ends_with(ending))
}

fn copy(path: &str, directory: &TempDir) -> Result<String, Error> {
    let name = file_name(path);
    fs::copy(path, directory.path().join(&name)).map_err(Error::io(format!("read {path}")))?;
    Ok(format!("./{name}"))
}

/// Fetches a file, the one that the lock knows if it does.
fn download(
    shop: Workshop<'_>,
    url: &str,
    directory: &TempDir,
    lock: &mut Lock,
) -> Result<String, Error> {
    let known = lock.fetch(url).map(|fetched| fetched.digest);
    let present = known.filter(|digest| shop.store.blob(digest).is_some());
    let digest = match present {
        Some(digest) => digest,
        None => shop.fetch(&[Download {
            url: url.to_owned(),
            mirrors: Vec::new(),
            others: Vec::new(),
            digest: known,
            size: None,
        }])?[0],
    };
    let gone = || Error::Offline(url.to_owned());
    let blob = shop.store.blob(&digest).ok_or_else(gone)?;
    let name = file_name(url.split(['?', '#']).next().unwrap_or(url));
    let size = fs::copy(&blob, directory.path().join(&name));
    let size = size.map_err(Error::io(format!("read {}", blob.display())))?;
    lock.set_fetch(Fetched {
        url: url.to_owned(),
        digest,
        size,
    });
    Ok(format!("./{name}"))
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
