//! Steps that run something of the recipe's in the image.

use std::fs;

use racker_store::{NodeRef, Tree};

use super::Error;
use super::cache::Cache;
use super::guest::with_guest;
use super::outcome::{excluded, finish};
use super::step::{Made, Parent, Step};
use crate::container::Process;
use crate::container::nspawn::Network;
use crate::container::users::User;
use crate::plan::lock::Lock;
use crate::provision::normalise::After;
use crate::provision::units::Units;
use crate::recipe::{RunStep, UnitsStep};

/// Runs a script with `/bin/sh -e`.
pub(super) fn script(
    step: &Step<'_>,
    run: &RunStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    let secrets = secrets(step, run)?;
    let log = step.log()?;
    let changes = with_guest(step.shop, parent.id, |guest| {
        let mut env: Vec<(String, String)> = vec![
            // What is random otherwise: the order of Python's sets.
            ("PYTHONHASHSEED".into(), "0".into()),
            ("SOURCE_DATE_EPOCH".into(), step.epoch(lock).to_string()),
        ];
        env.extend(step.planned.env.clone());
        env.extend(run.env.clone());
        let user = guest.user(&run.user)?;
        let mut binds = Vec::new();
        for (id, value) in &secrets {
            binds.push(guest.secret(id, value, &user)?);
        }
        let caches = caches(step, run, &user)?;
        for cache in &caches {
            binds.push(guest.cache(cache)?);
        }
        let argv = ["/bin/sh", "-e", "-c", &run.script].map(str::to_owned);
        let process = Process {
            user,
            directory: run.workdir.clone(),
            ..Process::of_root(argv.to_vec(), env)
        };
        let network = if run.network {
            Network::Host
        } else {
            Network::None
        };
        let outcome = guest.run(&process, network, &binds, run.timeout, &log)?;
        finish(step, guest, outcome, &log, None)?;
        let mut exclude = excluded(run.network).to_vec();
        exclude.extend(run.cache.iter().map(|path| path.trim_start_matches('/')));
        guest.capture(step.clamp(lock), &exclude)
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    for path in &run.cache {
        remove_mount_point(&parent.tree, &mut tree, path);
    }
    step.normalise(&parent.tree, &mut tree, After::Run, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
}

/// The values of the step's secrets, by id.
fn secrets<'a>(step: &Step<'_>, run: &'a RunStep) -> Result<Vec<(&'a str, Vec<u8>)>, Error> {
    let read = |id: &'a String| {
        let path = step
            .options
            .secrets
            .get(id)
            .ok_or_else(|| Error::NoSecret {
                id: step.planned.id.clone(),
                secret: id.clone(),
            })?;
        let value = fs::read(path).map_err(Error::io(format!("read {}", path.display())))?;
        Ok((id.as_str(), value))
    };
    run.secrets.iter().map(read).collect()
}

/// The step's caches, taken in one order by everybody, so that nobody waits in a circle.
fn caches(step: &Step<'_>, run: &RunStep, user: &User) -> Result<Vec<Cache>, Error> {
    let mut paths: Vec<&String> = run.cache.iter().collect();
    paths.sort();
    let open = |path| Cache::open(step.shop.store, &step.planned.recipe, path, user);
    paths.into_iter().map(|path| open(path)).collect()
}

/// Takes away the directories that were made to mount something at `path`, as far as nothing
/// else came into them.
fn remove_mount_point(base: &Tree, tree: &mut Tree, path: &str) {
    let mut path = path.trim_matches('/');
    while let Some((parent, _)) = path.rsplit_once('/') {
        path = parent;
        let empty = matches!(tree.get(path.as_bytes()), Some(NodeRef::Directory(it)) if it.entries.is_empty());
        if !empty || base.get(path.as_bytes()).is_some() {
            return;
        }
        tree.remove(path.as_bytes());
    }
}

/// Enables, disables and masks units.
pub(super) fn units(
    step: &Step<'_>,
    units: &UnitsStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    let wanted = Units {
        enable: units.enable.clone(),
        disable: units.disable.clone(),
        mask: units.mask.clone(),
    };
    let job = wanted
        .job(step.epoch(lock), |path| {
            parent.tree.lookup(path.as_bytes()).is_ok()
        })
        .map_err(|error| step.provision(error))?;
    let log = step.log()?;
    let changes = with_guest(step.shop, parent.id, |guest| {
        let outcome = guest.run_job(&job, &log)?;
        finish(step, guest, outcome, &log, None)?;
        guest.capture(step.clamp(lock), excluded(false))
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    step.normalise(&parent.tree, &mut tree, After::Run, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
}
