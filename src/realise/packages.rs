//! Package steps: resolve, fetch, install.

use racker_store::{Content, NodeRef, Tree, TreeId};

use super::guest::{Guest, tail, with_guest};
use super::step::{Made, Parent, Step, epoch};
use super::{Error, Event};
use crate::container::direct::Outcome;
use crate::oci::Download;
use crate::plan::Action;
use crate::plan::lock::{Lock, Package, Section, Stale};
use crate::provision::apt::Settings;
use crate::provision::normalise::{self, After};
use crate::provision::{
    Exchange, Fetched, Job, LockedPackage, Manager, PackageManager, Request, Resolution,
};
use crate::recipe::{self, PackagesStep, Step as RecipeStep};

/// Lines of a failed step's output that are shown.
const SHOWN: usize = 15;

/// Resolves the step where the lock has no answer to what it asks.
pub(super) fn pin(step: &Step<'_>, parent: TreeId, lock: &mut Lock) -> Result<(), Error> {
    if stale(step, lock, None).is_none() {
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
    let set = package_set(&parent.tree);
    let Some(stale) = stale(step, lock, Some(&set)) else {
        return Ok(false);
    };
    refuse_when_locked(step, stale)?;
    let request = request(packages, step);
    let manager = manager(step, packages, &parent.tree)?;
    step.shop.reporter.event(Event::Message(&format!(
        "{}: resolving packages",
        step.planned.id
    )));
    let resolution = with_guest(step.shop, parent.id, |guest| {
        resolve(step, guest, manager.as_ref(), &request)
    })?;
    pin_resolution(step, lock, manager.manager(), &resolution, set, None);
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

fn stale(step: &Step<'_>, lock: &Lock, parent: Option<&str>) -> Option<Stale> {
    let request = step.planned.request()?;
    lock.stale(&step.planned.id, step.platform, &request, parent)
}

/// Puts a resolution into the lock.
pub(super) fn pin_resolution(
    step: &Step<'_>,
    lock: &mut Lock,
    manager: Manager,
    resolution: &Resolution,
    parent: String,
    sources: Option<String>,
) {
    lock.epoch.get_or_insert(resolution.epoch);
    lock.set_section(Section {
        step: step.planned.id.clone(),
        platform: step.platform.to_owned(),
        manager: to_recipe(manager),
        request: step.planned.request().unwrap_or_default(),
        parent,
        metadata: resolution.metadata.to_string(),
        sources,
        tool: None,
        packages: resolution.packages.iter().map(to_lock).collect(),
    });
}

fn resolve(
    step: &Step<'_>,
    guest: &Guest<'_>,
    manager: &dyn PackageManager,
    request: &Request,
) -> Result<Resolution, Error> {
    let exchange = guest.exchange()?;
    let job = manager
        .resolve(request, &exchange)
        .map_err(|error| step.provision(error))?;
    let log = step.shop.store.create_log()?;
    let outcome = guest.run_job(&job, &log)?;
    let resolved = manager.resolution(&exchange);
    if let (Outcome::Exited(exit), Ok(resolution)) = (outcome, &resolved)
        && exit.success()
    {
        return Ok(resolution.clone());
    }
    step.note_log(&log)?;
    match resolved {
        Err(error) => Err(step.provision(error)),
        Ok(_) => Err(failed(step, outcome, &log, Some(manager))),
    }
}

/// Installs what the lock says.
pub(super) fn make(
    step: &Step<'_>,
    packages: &PackagesStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    let manager = manager(step, packages, &parent.tree)?;
    let mut request = request(packages, step);
    let fetched = step.timed("fetching", || fetch(step, lock))?;
    request.spared = normalise::spared(
        &parent.tree,
        After::Packages,
        &step.switched_off(),
        |name| fetched.iter().any(|it| it.package.name == name),
    );
    let log = step.log()?;
    let changes = with_guest(step.shop, parent.id, |guest| {
        let exchange: Exchange = guest.exchange()?;
        let mut job: Job = step
            .timed("making the repository", || {
                manager.install(&request, &fetched, epoch(lock), &exchange)
            })
            .map_err(|error| step.provision(error))?;
        if packages.network {
            job.network = crate::provision::Network::Host;
        }
        let outcome = step.timed("installing", || guest.run_job(&job, &log))?;
        finish(step, guest, outcome, &log, Some(manager.as_ref()))?;
        step.timed("capturing", || {
            guest.capture(epoch(lock), excluded(packages.network))
        })
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    step.normalise(&parent.tree, &mut tree, After::Packages, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
}

/// Makes sure that every locked package of the step is in the store.
pub(super) fn fetch(step: &Step<'_>, lock: &Lock) -> Result<Vec<Fetched>, Error> {
    let store = step.shop.store;
    let packages = lock
        .packages(&step.planned.id, step.platform)
        .unwrap_or_default();
    let missing: Vec<Download> = packages
        .iter()
        .filter(|package| store.blob(&package.sha256).is_none())
        .map(|package| Download {
            url: package.url.clone(),
            digest: Some(package.sha256),
            size: Some(package.size),
        })
        .collect();
    step.shop.fetch(&missing)?;
    packages
        .iter()
        .map(|package| {
            let file = store
                .blob(&package.sha256)
                .ok_or_else(|| Error::Offline(format!("package {}", package.name)))?;
            Ok(Fetched {
                package: from_lock(package),
                file,
            })
        })
        .collect()
}

/// Turns a failure of a step's command into an error, after offering a shell.
pub(super) fn finish(
    step: &Step<'_>,
    guest: &Guest<'_>,
    outcome: Outcome,
    log: &racker_store::LogWriter,
    manager: Option<&dyn PackageManager>,
) -> Result<(), Error> {
    if matches!(outcome, Outcome::Exited(exit) if exit.success()) {
        return Ok(());
    }
    let error = failed(step, outcome, log, manager);
    if step.options.shell_on_failure {
        step.shop.reporter.event(Event::StepFailed {
            id: &step.planned.id,
        });
        step.shop.reporter.event(Event::Message(&format!(
            "{error}\na shell in it; exit ends it"
        )));
        guest.shell()?;
    }
    Err(error)
}

fn failed(
    step: &Step<'_>,
    outcome: Outcome,
    log: &racker_store::LogWriter,
    manager: Option<&dyn PackageManager>,
) -> Error {
    let (id, summary) = (step.planned.id.clone(), step.planned.summary.clone());
    let path = step.shop.store.log_path(log.id());
    match outcome {
        Outcome::TimedOut => Error::TimedOut {
            id,
            summary,
            seconds: step.planned.timeout.unwrap_or_default().as_secs(),
            log: path,
        },
        Outcome::Exited(exit) => {
            let tail = tail(&path, SHOWN);
            let reason = manager.map(|manager| Box::new(manager.explain(&tail)));
            Error::StepFailed {
                id,
                summary,
                code: exit.0,
                tail,
                log: path,
                reason,
            }
        }
    }
}

/// What a network of the host's leaves in a tree: a place to mount its resolver's configuration.
pub(super) fn excluded(network: bool) -> &'static [&'static str] {
    if network { &["etc/resolv.conf"] } else { &[] }
}

/// The image's package manager, detected from its files.
fn manager(
    step: &Step<'_>,
    packages: &PackagesStep,
    tree: &Tree,
) -> Result<Box<dyn PackageManager>, Error> {
    let wanted = packages.manager.map(from_recipe);
    Manager::detect(|path| tree.lookup(path.as_bytes()).is_ok())
        .and_then(|found| found.implementation(wanted, &Settings::of_this_host()))
        .map_err(|error| step.provision(error))
}

fn request(packages: &PackagesStep, step: &Step<'_>) -> Request {
    Request {
        install: packages.install.clone(),
        remove: packages.remove.clone(),
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
        network: packages.network,
        env: step.planned.env.clone(),
    }
}

/// A digest of what is installed: that of the package manager's own database.
pub(super) fn package_set(tree: &Tree) -> String {
    let databases: [&[u8]; 5] = [
        b"var/lib/dpkg/status",
        b"var/lib/rpm/rpmdb.sqlite",
        b"usr/lib/sysimage/rpm/rpmdb.sqlite",
        b"lib/apk/db/installed",
        b"usr/lib/apk/db/installed",
    ];
    databases
        .iter()
        .find_map(|path| match tree.get(path)? {
            NodeRef::Inode(_, inode) => match &inode.content {
                Content::File { object, .. } => {
                    Some(object.map_or_else(String::new, |o| o.to_string()))
                }
                _ => None,
            },
            NodeRef::Directory(_) => None,
        })
        .unwrap_or_default()
}

fn to_lock(package: &LockedPackage) -> Package {
    Package {
        name: package.name.clone(),
        version: package.version.clone(),
        arch: package.arch.clone(),
        url: package.url.clone(),
        size: package.size,
        sha256: package.sha256,
    }
}

fn from_lock(package: &Package) -> LockedPackage {
    LockedPackage {
        name: package.name.clone(),
        version: package.version.clone(),
        arch: package.arch.clone(),
        url: package.url.clone(),
        size: package.size,
        sha256: package.sha256,
    }
}

fn to_recipe(manager: Manager) -> recipe::Manager {
    match manager {
        Manager::Apt => recipe::Manager::Apt,
        Manager::Dnf => recipe::Manager::Dnf,
        Manager::Zypper => recipe::Manager::Zypper,
        Manager::Pacman => recipe::Manager::Pacman,
        Manager::Apk => recipe::Manager::Apk,
    }
}

fn from_recipe(manager: recipe::Manager) -> Manager {
    match manager {
        recipe::Manager::Apt => Manager::Apt,
        recipe::Manager::Dnf => Manager::Dnf,
        recipe::Manager::Zypper => Manager::Zypper,
        recipe::Manager::Pacman => Manager::Pacman,
        recipe::Manager::Apk => Manager::Apk,
    }
}
