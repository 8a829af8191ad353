//! Packages on top of an image, without a recipe: one package step, locked and kept like any other.

use std::fs;
use std::path::Path;

use racker_store::{Image, TreeId};
use tempfile::TempDir;

use super::bake::Options;
use super::metadata::Keeper;
use super::step::Step;
use super::{Error, Event, Reporter, Workshop};
use crate::oci::{Download, Platform, Progress};
use crate::package::Manager;
use crate::plan::lock::{Fetched, Lock};
use crate::plan::{Action, PlannedStep};
use crate::provision::manager_of;
use crate::recipe::{PackagesStep, Step as RecipeStep, is_url};

/// What is added.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// The word for it, in ids of steps and names of locks.
    pub name: &'a str,
    /// Packages: names, files, or URLs of files.
    pub packages: &'a [String],
    /// Whether what they recommend comes along; where nothing is said, as it would if a user of the
    /// image installed them.
    pub recommends: Option<bool>,
}

/// The image's tree with the addition, resolved with its dependencies by the image's own package
/// manager. What `lock` lacks is added to it.
pub fn add(
    shop: Workshop<'_>,
    image: &Image,
    addition: &Addition<'_>,
    lock: &mut Lock,
) -> Result<TreeId, Error> {
    let Addition { name, packages, .. } = *addition;
    let quiet = Quiet(shop.reporter);
    let shop = Workshop {
        reporter: &quiet,
        ..shop
    };
    let directory = tempfile::tempdir().map_err(Error::io("make a temporary directory"))?;
    let mut wanted = PackagesStep {
        recommends: recommends(shop, image.tree, addition.recommends)?,
        ..PackagesStep::default()
    };
    for package in packages {
        match package {
            url if is_url(url) => wanted.files.push(download(shop, url, &directory, lock)?),
            path if is_file(path) => wanted.files.push(copy(path, &directory)?),
            name => wanted.install.push(name.clone()),
        }
    }
    let id = format!("{name}/1");
    let planned = PlannedStep {
        id: id.clone(),
        recipe: name.to_owned(),
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

/// A reporter that is not told what was there already.
struct Quiet<'a>(&'a dyn Reporter);

impl Reporter for Quiet<'_> {
    fn event(&self, event: Event<'_>) {
        if !matches!(event, Event::StepCached { .. }) {
            self.0.event(event);
        }
    }

    fn progress(&self) -> &dyn Progress {
        self.0.progress()
    }
}

/// Whether the image's package manager knows recommendations and follows them, asked to or alone.
fn recommends(shop: Workshop<'_>, tree: TreeId, wanted: Option<bool>) -> Result<bool, Error> {
    if wanted == Some(false) {
        return Ok(false);
    }
    let tree = shop.store.tree(tree)?;
    // A tree without any is an error later, which then names the step.
    let manager = manager_of(&tree, None).ok();
    Ok(!matches!(manager, Some(Manager::Pacman | Manager::Apk)))
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
