//! Package steps: resolve, fetch, install.

use racker_store::{Content, NodeRef, ObjectId, Tree, TreeId};

use super::guest::{Guest, with_guest};
use super::outcome::{excluded, failed, finish};
use super::step::{Made, Parent, Step, switched_off};
use super::{Error, Event, archives, fetch, metadata, settle};
use crate::container::direct::Outcome;
use crate::package::{Manager, Package};
use crate::plan::lock::{Lock, Section, Stale};
use crate::plan::{Action, inputs};
use crate::provision::apt::Settings;
use crate::provision::normalise::{self, After};
use crate::provision::{self, Fetched, PackageManager, Request, Resolution};
use crate::recipe::{PackagesStep, Step as RecipeStep};

/// Resolves the step where the lock has no answer to what it asks.
pub(super) fn pin(step: &Step<'_>, parent: TreeId, lock: &mut Lock) -> Result<(), Error> {
    if stale(step, lock, None)?.is_none() {
        return Ok(());
    }
    let parent = Parent {
        id: parent,
        tree: step.shop.store.tree(parent)?,
    };
    renew(step, &parent, lock).map(drop)
}

/// Resolves the step again where the lock's answer was for another question or another parent;
/// says whether it did.
pub(super) fn renew(step: &Step<'_>, parent: &Parent, lock: &mut Lock) -> Result<bool, Error> {
    let Action::Step(RecipeStep::Packages(packages)) = &step.planned.action else {
        return Ok(false);
    };
    let manager = manager(step, packages, &parent.tree)?;
    let set = package_set(&parent.tree, manager.manager());
    let Some(stale) = stale(step, lock, Some(&set))? else {
        return Ok(false);
    };
    refuse_when_locked(step, stale)?;
    let mut request = request(packages, step)?;
    request.hold = held(step, || archives::of(step.shop.store, &parent.tree))?;
    step.shop.reporter.event(Event::Message(&format!(
        "{}: resolving packages",
        step.planned.id
    )));
    let known = known_metadata(step, lock, manager.manager());
    let resolution = with_guest(step.shop, parent.id, |guest| {
        resolve(step, guest, manager.as_ref(), &request, known)
    })?;
    let archives = archives::of(step.shop.store, &parent.tree);
    pin_resolution(
        step,
        lock,
        manager.as_ref(),
        &resolution,
        set,
        None,
        &archives,
    )?;
    Ok(true)
}

/// An error when the lock may not be changed.
pub(super) fn refuse_when_locked(step: &Step<'_>, stale: Stale) -> Result<(), Error> {
    let id = step.planned.id.clone();
    if step.options.locked {
        return Err(Error::Locked {
            id,
            reason: stale.to_string(),
        });
    }
    if step.shop.settings.offline {
        return Err(Error::Offline(format!("the package list of step {id}")));
    }
    Ok(())
}

fn stale(step: &Step<'_>, lock: &Lock, parent: Option<&str>) -> Result<Option<Stale>, Error> {
    let Some(request) = step.planned.request()? else {
        return Ok(None);
    };
    Ok(lock.stale(&step.planned.id, step.platform, &request, parent))
}

/// The packages that an update leaves as they are, with their files.
pub(super) fn held(
    step: &Step<'_>,
    archives: impl Fn() -> Vec<String>,
) -> Result<Vec<Fetched>, Error> {
    let Some(update) = &step.options.update else {
        return Ok(Vec::new());
    };
    let locked = update.before.packages(&step.planned.id, step.platform);
    let held: Vec<Package> = locked
        .unwrap_or_default()
        .iter()
        .filter(|package| !update.names.contains(&package.name))
        .cloned()
        .collect();
    fetch::fetch(step, &held, archives)
}

/// The metadata that the recipe's steps before this one, or this one before it changed, were
/// resolved with.
fn known_metadata(step: &Step<'_>, lock: &Lock, manager: Manager) -> Option<racker_store::Digest> {
    let sections = step.planned.dated.iter().rev();
    sections
        .filter_map(|id| lock.section(id, step.platform))
        .find(|section| section.manager == manager)
        .map(|section| section.metadata)
}

/// Puts a resolution into the lock.
pub(super) fn pin_resolution(
    step: &Step<'_>,
    lock: &mut Lock,
    manager: &dyn PackageManager,
    resolution: &Resolution,
    parent: String,
    sources: Option<String>,
    archives: &[String],
) -> Result<(), Error> {
    let before = step.options.update.iter().map(|update| &update.before);
    let known: Vec<&Package> = before
        .chain([&*lock])
        .flat_map(Lock::sections)
        .flat_map(|section| &section.packages)
        .collect();
    let packages = settle::settle(step, manager, &resolution.packages, &known, archives)?;
    lock.set_section(Section {
        step: step.planned.id.clone(),
        platform: step.platform.to_owned(),
        manager: manager.manager(),
        request: step.planned.request()?.unwrap_or_default(),
        parent,
        date: resolution.date,
        metadata: resolution.metadata,
        sources,
        tool: None,
        packages,
    });
    Ok(())
}

fn resolve(
    step: &Step<'_>,
    guest: &Guest<'_>,
    manager: &dyn PackageManager,
    request: &Request,
    known: Option<racker_store::Digest>,
) -> Result<Resolution, Error> {
    let exchange = guest.exchange()?;
    if let Some(known) = known {
        let owner = Some(guest.root_id());
        metadata::restore(step.shop.store, &known, &exchange, owner)?;
    }
    let job = manager
        .resolve(request, &exchange)
        .map_err(|error| step.provision(error))?;
    let log = step.shop.store.create_log()?;
    let outcome = step.timed("resolving", || guest.run_job(&job, &log))?;
    let resolved = manager.resolution(request, &exchange);
    if let (Outcome::Exited(exit), Ok(resolution)) = (outcome, &resolved)
        && exit.success()
    {
        let digest = resolution.metadata;
        step.keeper.keep(step.shop.store, digest, &exchange)?;
        return Ok(resolution.clone());
    }
    step.note_log(&log)?;
    match resolved {
        Err(error) => Err(step.provision(error)),
        Ok(_) => Err(failed(step, outcome, &log, Some(manager))),
    }
}

/// All that an installation needs, fetched.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) manager: Box<dyn PackageManager>,
    pub(super) request: Request,
    pub(super) fetched: Vec<Fetched>,
    pub(super) epoch: i64,
}

/// Fetches what the lock says.
pub(super) fn prepare(
    step: &Step<'_>,
    packages: &PackagesStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Prepared, Error> {
    let archives = || archives::of(step.shop.store, &parent.tree);
    Ok(Prepared {
        manager: manager(step, packages, &parent.tree)?,
        request: request(packages, step)?,
        fetched: step.timed("fetching", || fetch::locked(step, lock, archives))?,
        epoch: step.epoch(lock),
    })
}

/// Installs what the lock says.
pub(super) fn make(
    step: &Step<'_>,
    packages: &PackagesStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    let Prepared {
        manager,
        mut request,
        fetched,
        epoch,
    } = prepare(step, packages, parent, lock)?;
    request.spared = normalise::spared(
        &parent.tree,
        After::Packages,
        &switched_off(step.planned),
        |name| fetched.iter().any(|it| it.package.name == name),
    );
    request.finish = normalise::finish(&switched_off(step.planned));
    let log = step.log()?;
    let changes = with_guest(step.shop, parent.id, |guest| {
        let exchange = guest.exchange()?;
        let mut job = step
            .timed("making the repository", || {
                manager.install(&request, &fetched, epoch, &exchange)
            })
            .map_err(|error| step.provision(error))?;
        if packages.network {
            job.network = provision::Network::Host;
        }
        let outcome = step.timed("installing", || guest.run_job(&job, &log))?;
        finish(step, guest, outcome, &log, Some(manager.as_ref()))?;
        step.timed("capturing", || {
            guest.capture(step.clamp(lock), excluded(packages.network))
        })
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    step.normalise(&parent.tree, &mut tree, After::Packages, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
}

/// The image's package manager, detected from its files.
fn manager(
    step: &Step<'_>,
    packages: &PackagesStep,
    tree: &Tree,
) -> Result<Box<dyn PackageManager>, Error> {
    provision::manager_of(tree, packages.manager)
        .map(|found| provision::implementation(found, &Settings::of_this_host()))
        .map_err(|error| step.provision(error))
}

fn request(packages: &PackagesStep, step: &Step<'_>) -> Result<Request, Error> {
    let find = |name: &String| inputs::find(&step.planned.directory, name);
    let files = packages.files.iter().map(find).collect::<Result<_, _>>();
    Ok(Request {
        install: packages.install.clone(),
        files: files.map_err(|error| step.planned.unread(error))?,
        remove: packages.remove.clone(),
        hold: Vec::new(),
        recommends: packages.recommends,
        debconf: packages
            .debconf
            .iter()
            .map(|it| {
                (
                    format!("{} {}", it.owner, it.question),
                    format!("{} {}", it.kind, it.value),
                )
            })
            .collect(),
        spared: Vec::new(),
        finish: String::new(),
        unsigned: packages.unsigned,
        network: packages.network,
        env: step.planned.env.clone(),
    })
}

/// A digest of what is installed: that of the package manager's own database.
fn package_set(tree: &Tree, manager: Manager) -> String {
    if manager == Manager::Pacman {
        return directory_set(tree, b"var/lib/pacman/local");
    }
    let databases: &[&[u8]] = match manager {
        Manager::Apt => &[b"var/lib/dpkg/status"],
        Manager::Apk => &[b"lib/apk/db/installed", b"usr/lib/apk/db/installed"],
        _ => &[
            b"var/lib/rpm/rpmdb.sqlite",
            b"var/lib/rpm/rpmdb.sqlite-wal",
            b"var/lib/rpm/Packages.db",
            b"var/lib/rpm/Packages",
            b"usr/lib/sysimage/rpm/rpmdb.sqlite",
            b"usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
            b"usr/lib/sysimage/rpm/Packages.db",
            b"usr/lib/sysimage/rpm/Packages",
        ],
    };
    let found = databases.iter().filter_map(|path| object(tree.get(path)));
    found.map(|it| it.to_string()).collect::<Vec<_>>().join("+")
}

/// What a regular file holds, if anything.
fn object(node: Option<NodeRef<'_>>) -> Option<ObjectId> {
    match node? {
        NodeRef::Inode(_, inode) => match inode.content {
            Content::File { object, .. } => object,
            _ => None,
        },
        NodeRef::Directory(_) => None,
    }
}

/// A digest of a database that is a directory with one for each package; nothing where there is
/// none.
fn directory_set(tree: &Tree, root: &[u8]) -> String {
    let Some(NodeRef::Directory(directory)) = tree.get(root) else {
        return String::new();
    };
    let mut hasher = blake3::Hasher::new();
    for name in directory.entries.keys() {
        let description = [root, name, b"desc"].join(&b'/');
        if let Some(object) = object(tree.get(&description)) {
            hasher
                .update(name)
                .update(format!(" {object}\n").as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
