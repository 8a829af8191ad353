//! One tree: booted, checked, gone.

use std::time::{Duration, Instant};

use racker_store::{Store, TreeId};

use super::check::{Address, Check};
use super::evidence::{self, command};
use super::network;
use super::{Evidence, Outcome};
use crate::container::boot::Purpose;
use crate::container::direct::Options;
use crate::container::units::{Started, UnitState};
use crate::container::{Error, Guest, Method, Snapshot, Upper};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A unit to become active, or a command to end.
    pub unit: Duration,
    /// How long a unit must stay active.
    pub settle: Duration,
    /// An address to answer.
    pub network: Duration,
}

/// What was seen of a tree.
#[derive(Debug)]
pub struct Seen {
    /// From the start of the boot until PID 1 answered.
    pub boot: Duration,
    /// The checks, in their order.
    pub checks: Vec<Outcome>,
    /// Units that had failed when the checks were over.
    pub failed_units: Vec<String>,
}

/// Boots a snapshot of a tree and carries out the checks. A thread of its own must call this: the
/// snapshot's mounts are the thread's.
pub fn probe(
    store: &Store,
    tree: TreeId,
    method: Method,
    checks: &[Check],
    limits: Limits,
) -> Result<Seen, Error> {
    let snapshot = Snapshot::open(store, tree, method, Upper::Disk)?;
    let result = in_snapshot(&snapshot, checks, limits);
    let released = snapshot.release();
    let seen = result?;
    released?;
    Ok(seen)
}

fn in_snapshot(snapshot: &Snapshot, checks: &[Check], limits: Limits) -> Result<Seen, Error> {
    if snapshot.root()?.init().is_none() {
        return Err(Error::NoInit);
    }
    let start = Instant::now();
    let mut options = Options::new("probe");
    options.own_hosts = true;
    let guest = Guest::boot(snapshot, &options, Purpose::Services, false)?;
    let boot = start.elapsed();
    let mut session = Session {
        guest,
        snapshot,
        limits,
        commands: 0,
    };
    let mut outcomes: Vec<Option<Outcome>> = vec![None; checks.len()];
    let mut units = Vec::new();
    for (place, check) in checks.iter().enumerate() {
        if let Check::Unit(name) = check {
            units.push((place, name.clone()));
        }
    }
    let running = session.units(&units, &mut outcomes)?;
    for (place, check) in checks.iter().enumerate() {
        outcomes[place] = match check {
            Check::Unit(_) => continue,
            Check::Network(address) => Some(session.network(check, address)?),
            Check::File(path) => Some(session.file(check, path)),
            Check::Command(script) => Some(session.command(check, script)?),
        };
    }
    // What was active must be so still: a service may fall over when it is first talked to.
    session.still(&running, &mut outcomes)?;
    let mut failed_units = session.guest.failed_units()?;
    // Commands that were checks.
    failed_units.retain(|unit| !unit.starts_with("racker-"));
    Ok(Seen {
        boot,
        checks: outcomes.into_iter().flatten().collect(),
        failed_units,
    })
}

/// A unit that was found active.
#[derive(Debug)]
struct Running {
    place: usize,
    name: String,
    state: UnitState,
}

struct Session<'a> {
    guest: Guest<'a>,
    snapshot: &'a Snapshot,
    limits: Limits,
    commands: u32,
}

impl Session<'_> {
    fn units(
        &mut self,
        units: &[(usize, String)],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<Vec<Running>, Error> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = units.iter().map(|(_, name)| name.clone()).collect();
        let begin = Instant::now();
        let started = self.guest.start_units(&names, begin + self.limits.unit)?;
        let mut before = Vec::new();
        for name in &names {
            before.push(self.guest.unit(name)?);
        }
        let active = before.iter().filter(|state| state.active == "active");
        let left = active.map(|state| self.limits.settle.saturating_sub(state.age()));
        if let Some(left) = left.max() {
            self.guest.watch_units(&names, Instant::now() + left)?;
        }
        let mut running = Vec::new();
        for (((place, name), started), before) in units.iter().zip(started).zip(before) {
            let state = self.guest.unit(name)?;
            let verdict = verdict(&started, &before, &state, self.limits.unit);
            let check = Check::Unit(name.clone());
            outcomes[*place] = Some(match verdict {
                Ok(message) => {
                    running.push(Running {
                        place: *place,
                        name: name.clone(),
                        state,
                    });
                    outcome(&check, true, started.took, message, Vec::new())
                }
                Err(message) => {
                    let evidence = self.about_unit(name, &state);
                    outcome(&check, false, started.took, message, evidence)
                }
            });
        }
        Ok(running)
    }

    fn still(
        &mut self,
        running: &[Running],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Error> {
        for it in running {
            let state = self.guest.unit(&it.name)?;
            if state.still(&it.state) {
                continue;
            }
            let evidence = self.about_unit(&it.name, &state);
            if let Some(outcome) = &mut outcomes[it.place] {
                outcome.ok = false;
                outcome.message = format!("was active, then {}", described(&state));
                outcome.evidence = evidence;
            }
        }
        Ok(())
    }

    fn network(&mut self, check: &Check, address: &Address) -> Result<Outcome, Error> {
        let begin = Instant::now();
        let leader = self.guest.leader();
        let answer = network::reach(leader, address, begin + self.limits.network)
            .map_err(Error::io("enter the container's network"))?;
        Ok(match answer {
            Ok(message) => outcome(check, true, begin.elapsed(), message, Vec::new()),
            Err(reason) => {
                let seconds = self.limits.network.as_secs_f64();
                let message = format!("no answer within {seconds} s: {reason}");
                let evidence = vec![evidence::listening(leader)];
                outcome(check, false, begin.elapsed(), message, evidence)
            }
        })
    }

    fn file(&self, check: &Check, path: &str) -> Outcome {
        let begin = Instant::now();
        let found = self
            .snapshot
            .root()
            .is_ok_and(|root| root.mode(path).is_some());
        let message = if found { "is there" } else { "is not there" };
        outcome(check, found, begin.elapsed(), message.into(), Vec::new())
    }

    fn command(&mut self, check: &Check, script: &str) -> Result<Outcome, Error> {
        let begin = Instant::now();
        let name = self.name();
        let process = command(&["sh", "-c", script]);
        let captured = self
            .guest
            .capture(&name, &process, begin + self.limits.unit)?;
        let message = match captured.exit {
            Some(exit) => format!("ends with {}", exit.0),
            None => format!("not done within {} s", self.limits.unit.as_secs_f64()),
        };
        let ok = captured.exit.is_some_and(crate::container::Exit::success);
        let mut evidence = Vec::new();
        let mut lines = evidence::lines(&captured.output);
        if !ok && !lines.is_empty() {
            lines.drain(..lines.len().saturating_sub(20));
            evidence.push(Evidence {
                title: "output".into(),
                lines,
            });
        }
        Ok(outcome(check, ok, begin.elapsed(), message, evidence))
    }

    fn about_unit(&mut self, unit: &str, state: &UnitState) -> Vec<Evidence> {
        let name = self.name();
        let mut all = vec![Evidence {
            title: format!("state of {unit}"),
            lines: vec![described(state)],
        }];
        all.extend(evidence::journal(&mut self.guest, unit, &name));
        all
    }

    /// A name for a transient unit.
    fn name(&mut self) -> String {
        self.commands += 1;
        format!("racker-{}.service", self.commands)
    }
}

fn outcome(
    check: &Check,
    ok: bool,
    took: Duration,
    message: String,
    evidence: Vec<Evidence>,
) -> Outcome {
    Outcome {
        kind: check.kind(),
        check: check.to_string(),
        ok,
        milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        message,
        evidence,
    }
}

/// Whether a unit does what it should, from how its start went, and its state then and after it
/// had time to settle.
fn verdict(
    started: &Started,
    before: &UnitState,
    after: &UnitState,
    limit: Duration,
) -> Result<String, String> {
    if before.load == "not-found" {
        return Err("there is no such unit".into());
    }
    if before.load == "masked" {
        return Err("is masked".into());
    }
    if let Some(reason) = &started.refused {
        return Err(format!("cannot be started: {reason}"));
    }
    match started.result.as_deref() {
        None => return Err(format!("not started within {} s", limit.as_secs_f64())),
        Some("done") => {}
        Some("dependency") => return Err("something that it needs did not start".into()),
        Some(result) => return Err(format!("start {result}: {}", described(after))),
    }
    if before.active != "active" {
        return Err(format!("is {}", described(before)));
    }
    if after.restarts > 0 || !after.still(before) {
        return Err(format!("was active, then {}", described(after)));
    }
    Ok(format!("active after {} ms", started.took.as_millis()))
}

fn described(state: &UnitState) -> String {
    let mut text = format!("{} ({})", state.active, state.sub);
    if !matches!(state.result.as_str(), "" | "success") {
        text.push_str(&format!(", result {}", state.result));
    }
    if let Some(end) = state.end() {
        text.push_str(&format!(", {end}"));
    }
    if state.restarts > 0 {
        text.push_str(&format!(", started again {} times", state.restarts));
    }
    text
}
