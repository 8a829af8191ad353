//! What became of a step's command.

use super::guest::Guest;
use super::step::Step;
use super::{Error, Event};
use crate::container::direct::Outcome;
use crate::files::tail;
use crate::provision::PackageManager;

/// Lines of a failed step's output that are shown.
const SHOWN: usize = 15;

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

/// The error of a command that failed.
pub(super) fn failed(
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
