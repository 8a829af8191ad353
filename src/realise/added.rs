//! Packages on top of an image, without a recipe: one package step, locked and kept like any other.

use std::fs;
use std::path::Path;

use racker_store::{Image, TreeId};
use tempfile::TempDir;

use super::bake::Options;
use super::guest::{bind, exchange_in, process};
use super::metadata::Keeper;
use super::step::{Parent, Step};
use super::{Error, Event, Reporter, Workshop, packages};
use crate::container::nspawn::Bind;
use crate::container::{Process, Snapshot};
use crate::oci::{Download, Platform, Progress};
use crate::package::Manager;
use crate::plan::lock::{Fetched, Lock};
use crate::plan::{Action, PlannedStep};
use crate::provision::{self, Tested, manager_of};
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

/// What an addition came to.
#[derive(Debug)]
pub struct Added {
    /// The image's tree with it.
    pub tree: TreeId,
    /// What the files among its packages say they are.
    pub tested: Vec<Tested>,
}

/// The image's tree with the addition, resolved with its dependencies by the image's own package
/// manager. What `lock` lacks is added to it.
pub fn add(
    shop: Workshop<'_>,
    image: &Image,
    addition: &Addition<'_>,
    lock: &mut Lock,
) -> Result<Added, Error> {
    let tree = image.tree;
    let wanted = Wanted::new(shop, image, addition, lock)?;
    let realise = |step: &Step<'_>, lock: &mut Lock| step.realise(tree, lock);
    let outcome = wanted.step(shop, lock, realise)?;
    Ok(Added {
        tree: outcome.realisation.tree,
        tested: wanted.tested,
    })
}

/// An addition that is resolved and fetched, to be installed in a booted system.
#[derive(Debug)]
pub struct Ready {
    prepared: packages::Prepared,
    /// What the files among its packages say they are.
    pub tested: Vec<Tested>,
    /// Where those files are.
    _directory: TempDir,
}

/// Resolves and fetches an addition. What `lock` lacks is added to it.
pub fn ready(
    shop: Workshop<'_>,
    image: &Image,
    addition: &Addition<'_>,
    lock: &mut Lock,
) -> Result<Ready, Error> {
    let wanted = Wanted::new(shop, image, addition, lock)?;
    let prepared = wanted.step(shop, lock, |step, lock| {
        step.complete(image.tree, lock)?;
        let parent = Parent {
            id: image.tree,
            tree: shop.store.tree(image.tree)?,
        };
        packages::prepare(step, &wanted.packages, &parent, lock)
    })?;
    Ok(Ready {
        prepared,
        tested: wanted.tested,
        _directory: wanted.directory,
    })
}

impl Ready {
    /// Puts the packages beside a snapshot. Gives the command that installs them there, and starts
    /// what they want started, and what it needs of the host.
    pub fn stage(&self, snapshot: &Snapshot) -> Result<(Process, Vec<Bind>), Error> {
        let exchange = exchange_in(snapshot)?;
        let it = &self.prepared;
        let mut job = it
            .manager
            .install(&it.request, &it.fetched, it.epoch, &exchange)
            .map_err(|error| Error::io("make the repository")(std::io::Error::other(error)))?;
        // By this, scripts and tools know that there is nothing running.
        job.env.retain(|(name, _)| name != "SYSTEMD_OFFLINE");
        Ok((process(&job), job.binds.iter().map(bind).collect()))
    }
}

/// The one step of an addition.
struct Wanted {
    packages: PackagesStep,
    planned: PlannedStep,
    tested: Vec<Tested>,
    directory: TempDir,
}

impl Wanted {
    fn new(
        shop: Workshop<'_>,
        image: &Image,
        addition: &Addition<'_>,
        lock: &mut Lock,
    ) -> Result<Self, Error> {
        let Addition { name, packages, .. } = *addition;
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
        let read = |file: &String| provision::tested(&directory.path().join(file));
        let tested: Result<Vec<Tested>, _> = wanted.files.iter().map(read).collect();
        let unreadable = |error| Error::io("read a package")(std::io::Error::other(error));
        let tested = tested.map_err(unreadable)?;
        let id = format!("{name}/1");
        let planned = PlannedStep {
            id: id.clone(),
            recipe: name.to_owned(),
            place: 1,
            number: 1,
            summary: format!("packages {}", packages.join(" ")),
            impure: false,
            action: Action::Step(RecipeStep::Packages(wanted.clone())),
            env: std::collections::BTreeMap::new(),
            switched_off: Vec::new(),
            directory: directory.path().to_owned(),
            timeout: None,
            dated: vec![id],
        };
        Ok(Self {
            packages: wanted,
            planned,
            tested,
            directory,
        })
    }

    fn step<T>(
        &self,
        shop: Workshop<'_>,
        lock: &mut Lock,
        work: impl FnOnce(&Step<'_>, &mut Lock) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let quiet = Quiet(shop.reporter);
        let keeper = Keeper::default();
        let step = Step {
            shop: Workshop {
                reporter: &quiet,
                ..shop
            },
            planned: &self.planned,
            platform: &Platform::host().to_string(),
            total: 1,
            options: &Options::default(),
            keeper: &keeper,
        };
        let result = work(&step, lock);
        keeper.finish()?;
        result
    }
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

/// Whether a word means a file and no name: a name has no slash in it, a path of a package may do
/// without one.
pub fn is_file(text: &str) -> bool {
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
