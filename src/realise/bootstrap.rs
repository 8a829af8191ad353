//! The first step of a recipe without a base image: packages into an empty tree.

use std::fs;

use racker_store::CaptureOptions;

use super::guest::{bind, capture};
use super::packages::{held, pin_resolution, refuse_when_locked};
use super::step::{Made, Parent, Step};
use super::{Error, Event, fetch};
use crate::container::host::Workplace;
use crate::container::on_own_thread;
use crate::files::tail;
use crate::package::Manager;
use crate::plan::Action;
use crate::plan::lock::{Lock, Section};
use crate::provision::apt::Settings;
use crate::provision::archives::archives;
use crate::provision::normalise::After;
use crate::provision::{Exchange, bootstrap, implementation};
use crate::recipe::Bootstrap;

/// Memory that a bootstrap may take.
const SIZE: u64 = 8 << 30;

fn request(bootstrap: &Bootstrap) -> bootstrap::Bootstrap {
    bootstrap::Bootstrap {
        distribution: bootstrap.distribution.to_string(),
        suite: bootstrap.suite.clone(),
        include: bootstrap.include.clone(),
        variant: Some(bootstrap.variant.clone()),
        mirror: bootstrap.mirror.clone(),
    }
}

/// Resolves the packages where the lock has none.
pub(super) fn pin(step: &Step<'_>, lock: &mut Lock) -> Result<(), Error> {
    let Action::Bootstrap(wanted) = &step.planned.action else {
        return Ok(());
    };
    let asked = step.planned.request()?.unwrap_or_default();
    let Some(stale) = lock.stale(&step.planned.id, step.platform, &asked, None) else {
        return Ok(());
    };
    refuse_when_locked(step, stale)?;
    let message = format!("{}: resolving packages", step.planned.id);
    step.shop.reporter.event(Event::Message(&message));
    let hold = held(step, Vec::new)?;
    let stage = step.shop.store.stage()?;
    let exchange = Exchange::new(stage.path());
    let settings = Settings::of_this_host();
    let resolved = bootstrap::resolve(&request(wanted), &hold, &exchange, &settings)
        .map_err(|error| step.provision(error))?;
    let digest = resolved.resolution.metadata;
    step.keeper.keep(step.shop.store, digest, &exchange)?;
    let apt = implementation(Manager::Apt, &settings);
    pin_resolution(
        step,
        lock,
        apt.as_ref(),
        &resolved.resolution,
        String::new(),
        Some(resolved.sources),
        &[],
    )?;
    renew(step, lock).map(drop)
}

/// Notes the version of the program that will do it; says whether the lock had another. Only a
/// step that is really made asks for it, so that finding one needs no such program.
pub(super) fn renew(step: &Step<'_>, lock: &mut Lock) -> Result<bool, Error> {
    if !matches!(step.planned.action, Action::Bootstrap(_)) {
        return Ok(false);
    }
    let tool = bootstrap::tool_version().map_err(|error| step.provision(error))?;
    let Some(section) = lock.section(&step.planned.id, step.platform) else {
        return Ok(false);
    };
    if section.tool.as_ref() == Some(&tool) {
        return Ok(false);
    }
    let section = Section {
        tool: Some(tool),
        ..section.clone()
    };
    lock.set_section(section);
    Ok(true)
}

/// Makes the tree from the locked packages.
pub(super) fn make(
    step: &Step<'_>,
    wanted: &Bootstrap,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    bootstrap::check_tools().map_err(|error| step.provision(error))?;
    let sources = lock
        .section(&step.planned.id, step.platform)
        .and_then(|section| section.sources.clone())
        .unwrap_or_default();
    let packages = fetch::locked(step, lock, || archives(&sources))?;
    let log = step.log()?;
    let changes = on_own_thread(|| {
        let place = Workplace::open(SIZE)?;
        let exchange = Exchange::new(place.make("exchange")?);
        let target = place.make("target")?;
        let job = bootstrap::job(
            &request(wanted),
            &packages,
            step.epoch(lock),
            &sources,
            &exchange,
            &target,
        )
        .map_err(|error| step.provision(error))?;
        let binds: Vec<_> = job.binds.iter().map(bind).collect();
        let exit = place.run(&job.argv, &job.env, &binds, log.file(), None)?;
        let path = step.shop.store.log_path(log.id());
        if !exit.is_some_and(crate::container::Exit::success) {
            return Err(Error::StepFailed {
                id: step.planned.id.clone(),
                summary: step.planned.summary.clone(),
                code: exit.map_or(137, |exit| exit.0),
                tail: tail(&path, 15),
                log: path,
                reason: None,
            });
        }
        // Freed before the capture needs memory of its own.
        let _ = fs::remove_dir_all(exchange.host());
        let ids = place.slot().ids();
        let options = CaptureOptions {
            id_base: ids.base,
            id_count: ids.count,
            move_files: false,
            exclude: Vec::new(),
            clamp: step.clamp(lock),
        };
        let changes = capture(step.shop, &target, &options)?;
        place.release()?;
        Ok(changes)
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    step.normalise(&parent.tree, &mut tree, After::Bootstrap, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
}
