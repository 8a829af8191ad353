//! Steps that run something of the recipe's in the image.

use super::Error;
use super::guest::with_guest;
use super::packages::{excluded, finish};
use super::step::{Made, Parent, Step, epoch};
use crate::container::Process;
use crate::container::nspawn::Network;
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
    let unsupported = |what| Error::Unsupported {
        id: step.planned.id.clone(),
        what,
    };
    if !run.secrets.is_empty() {
        return Err(unsupported("`secrets`"));
    }
    if !run.cache.is_empty() {
        return Err(unsupported("`cache`"));
    }
    let log = step.log()?;
    let changes = with_guest(step.shop, parent.id, |guest| {
        let mut env: Vec<(String, String)> =
            vec![("SOURCE_DATE_EPOCH".into(), epoch(lock).to_string())];
        env.extend(step.planned.env.clone());
        env.extend(run.env.clone());
        let process = Process {
            argv: ["/bin/sh", "-e", "-c", &run.script]
                .map(str::to_owned)
                .to_vec(),
            env,
            user: guest.user(&run.user)?,
            directory: run.workdir.clone(),
        };
        let network = if run.network {
            Network::Host
        } else {
            Network::None
        };
        let outcome = guest.run(&process, network, &[], run.timeout, &log)?;
        finish(step, guest, outcome, &log, None)?;
        guest.capture(epoch(lock), excluded(run.network))
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    step.normalise(&parent.tree, &mut tree, After::Run, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
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
        .job(epoch(lock), |path| {
            parent.tree.lookup(path.as_bytes()).is_ok()
        })
        .map_err(|error| step.provision(error))?;
    let log = step.log()?;
    let changes = with_guest(step.shop, parent.id, |guest| {
        let outcome = guest.run_job(&job, &log)?;
        finish(step, guest, outcome, &log, None)?;
        guest.capture(epoch(lock), excluded(false))
    })?;
    let mut tree = changes.apply(&parent.tree)?;
    step.normalise(&parent.tree, &mut tree, After::Run, lock)?;
    Ok(Made {
        tree,
        log: Some(log.id().to_owned()),
    })
}
