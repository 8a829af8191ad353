//! Units that are started and must stay.

use std::time::{Duration, Instant};

use super::outcome::outcome;
use super::session::Session;
use super::{Evidence, Outcome, evidence};
use crate::check::Check;
use crate::container::Error;
use crate::container::units::{Started, UnitState};

/// A unit that was found active.
#[derive(Debug)]
pub(super) struct Running {
    place: usize,
    name: String,
    state: UnitState,
    took: Duration,
    /// From the start of the boot until it was active.
    after_boot: Duration,
}

impl Session<'_> {
    /// Enables and starts units, each with the place of its check. Those that do not become active
    /// have their outcome; the others are given back.
    pub(super) fn start(
        &mut self,
        units: &[(usize, String)],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<Vec<Running>, Error> {
        let names: Vec<String> = units.iter().map(|(_, name)| name.clone()).collect();
        let limit = self.plan.limits.unit;
        let started = self.guest.start_units(&names, Instant::now() + limit)?;
        let mut running = Vec::new();
        for ((place, name), started) in units.iter().zip(started) {
            let state = self.guest.unit(name)?;
            if started.enabled {
                self.enabled.push(name.clone());
            }
            match verdict(&started, &state, limit) {
                Ok(()) => running.push(Running {
                    place: *place,
                    name: name.clone(),
                    took: started.took,
                    after_boot: self.begin.elapsed().saturating_sub(state.age()),
                    state,
                }),
                Err(message) => {
                    let evidence = self.about_unit(name, &state);
                    let check = Check::Unit(name.clone());
                    outcomes[*place] =
                        Some(outcome(&check, false, started.took, message, evidence));
                }
            }
        }
        Ok(running)
    }

    /// Waits until every unit was active for long enough, or is not any more.
    pub(super) fn settle(
        &mut self,
        mut running: Vec<Running>,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Error> {
        let settle = self.plan.limits.settle;
        loop {
            let mut left = Duration::ZERO;
            let mut kept = Vec::new();
            for it in running {
                let state = self.guest.unit(&it.name)?;
                if state.restarts > 0 || !state.still(&it.state) {
                    let message = format!("was active, then {}", state.described());
                    let evidence = self.about_unit(&it.name, &state);
                    outcomes[it.place] = Some(it.outcome(false, message, evidence));
                } else {
                    left = left.max(settle.saturating_sub(state.age()));
                    kept.push(it);
                }
            }
            running = kept;
            if left.is_zero() {
                break;
            }
            let names: Vec<String> = running.iter().map(|it| it.name.clone()).collect();
            self.guest.watch_units(&names, Instant::now() + left)?;
        }
        for it in &running {
            let (took, boot) = (it.took.as_millis(), it.after_boot.as_millis());
            let message = format!("active after {took} ms, {boot} ms into the boot");
            outcomes[it.place] = Some(it.outcome(true, message, Vec::new()));
        }
        Ok(())
    }

    /// What there is to read about a unit.
    pub(super) fn about_unit(&mut self, unit: &str, state: &UnitState) -> Vec<Evidence> {
        let name = self.name();
        let mut all = vec![Evidence {
            title: format!("state of {unit}"),
            lines: vec![state.described()],
        }];
        all.extend(evidence::journal(&mut self.guest, unit, &name));
        all
    }
}

impl Running {
    fn outcome(&self, ok: bool, message: String, evidence: Vec<Evidence>) -> Outcome {
        let check = Check::Unit(self.name.clone());
        outcome(&check, ok, self.took, message, evidence)
    }
}

/// Whether a unit became active, from how its start went and its state then.
fn verdict(started: &Started, state: &UnitState, limit: Duration) -> Result<(), String> {
    if state.load == "not-found" {
        return Err("there is no such unit".into());
    }
    if state.load == "masked" {
        return Err("is masked".into());
    }
    if let Some(reason) = &started.refused {
        return Err(format!("cannot be started: {reason}"));
    }
    match started.result.as_deref() {
        None => Err(format!("not started within {} s", limit.as_secs_f64())),
        Some("done") if state.active == "active" => Ok(()),
        Some("done") => Err(format!("is {}", state.described())),
        Some("dependency") => Err("something that it needs did not start".into()),
        Some(result) => Err(format!("start {result}: {}", state.described())),
    }
}
