//! Units of a booted guest: started, watched, asked about.
//!
//! Source: `org.freedesktop.systemd1(5)`, `systemd.service(5)`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use zbus::{OwnedObjectPath, OwnedVariant};

use super::bus::{Heard, MANAGER, MANAGER_PATH, PROPERTIES, changes, job_removed, object_path};
use super::unit_state::text;
use super::{Error, Guest};

pub use super::unit_state::{Ended, UnitState};

/// What all kinds of units have.
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// How long PID 1 may take for an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How starting a unit went.
#[derive(Debug, Clone)]
pub struct Started {
    /// How its job ended: `done`, `failed`, `dependency`, `timeout`, ...; none where time ran out.
    pub result: Option<String>,
    /// Why systemd would not even try.
    pub refused: Option<String>,
    /// Whether it was enabled for that.
    pub enabled: bool,
    /// How long the job took.
    pub took: Duration,
}

/// A unit that is waited for.
#[derive(Debug)]
struct Waiting {
    job: OwnedObjectPath,
    since: Instant,
}

impl Guest<'_> {
    /// Enables and starts units, all at once, and waits for the end of their jobs.
    pub fn start_units(
        &mut self,
        units: &[String],
        deadline: Instant,
    ) -> Result<Vec<Started>, Error> {
        let mut all = Vec::new();
        let mut waiting: BTreeMap<usize, Waiting> = BTreeMap::new();
        for (place, unit) in units.iter().enumerate() {
            let since = Instant::now();
            let mut started = Started {
                result: None,
                refused: None,
                enabled: false,
                took: Duration::ZERO,
            };
            match self.enable_and_start(unit, &mut started.enabled) {
                Ok(job) => {
                    waiting.insert(place, Waiting { job, since });
                }
                Err(Error::Bus(reason)) => started.refused = Some(reason),
                Err(error) => return Err(error),
            }
            all.push(started);
        }
        while !waiting.is_empty() {
            let message = match self.bus.receive(Some(deadline))? {
                Heard::Message(message) => message,
                Heard::Ended => return Err(self.died()),
                Heard::TimedOut => break,
            };
            let Some((job, result)) = job_removed(&message)? else {
                continue;
            };
            let found = waiting.iter().find(|(_, it)| it.job == job);
            if let Some((&place, it)) = found {
                all[place].took = it.since.elapsed();
                all[place].result = Some(result);
                waiting.remove(&place);
            }
        }
        for (place, it) in waiting {
            all[place].took = it.since.elapsed();
        }
        Ok(all)
    }

    fn enable_and_start(
        &mut self,
        unit: &str,
        enabled: &mut bool,
    ) -> Result<OwnedObjectPath, Error> {
        let deadline = Instant::now() + ANSWER;
        if self.unit(unit)?.file == "disabled" {
            let body = (vec![unit], false, false);
            let _: (bool, Vec<(String, String, String)>) =
                self.manager("EnableUnitFiles", &body, deadline)?;
            *enabled = true;
        }
        self.manager("StartUnit", &(unit, "replace"), deadline)
    }

    /// Disables units, which run on.
    pub fn disable_units(&mut self, units: &[String]) -> Result<(), Error> {
        let deadline = Instant::now() + ANSWER;
        let body = (units, false);
        let _: Vec<(String, String, String)> = self.manager("DisableUnitFiles", &body, deadline)?;
        Ok(())
    }

    fn manager<B, T>(&mut self, method: &str, body: &B, deadline: Instant) -> Result<T, Error>
    where
        B: Serialize + zbus::DynamicType,
        T: for<'de> serde::Deserialize<'de> + zbus::DynamicType + zbus::Type,
    {
        self.bus.ask(MANAGER_PATH, MANAGER, method, body, deadline)
    }

    /// Watches units until `until`, or until one of them is no longer active.
    pub fn watch_units(&mut self, units: &[String], until: Instant) -> Result<(), Error> {
        let paths: Vec<String> = units.iter().map(|unit| object_path(unit)).collect();
        loop {
            let message = match self.bus.receive(Some(until))? {
                Heard::Message(message) => message,
                Heard::Ended => return Err(self.died()),
                Heard::TimedOut => return Ok(()),
            };
            for path in &paths {
                let changed = changes(&message, path)?.unwrap_or_default();
                let state = changed.get("ActiveState").map(text);
                if state.is_some_and(|state| state != "active") {
                    return Ok(());
                }
            }
        }
    }

    /// What systemd says of a unit now.
    pub fn unit(&mut self, unit: &str) -> Result<UnitState, Error> {
        let deadline = Instant::now() + ANSWER;
        let path: OwnedObjectPath = self.manager("LoadUnit", &unit, deadline)?;
        // No name of an interface stands for all of them. A command line that is no UTF-8 makes
        // that fail; then there is less to know.
        let mut get = |interface: &str| -> Result<BTreeMap<String, OwnedVariant>, Error> {
            let path = path.as_str();
            self.bus
                .ask(path, PROPERTIES, "GetAll", &interface, deadline)
        };
        let all = match get("") {
            Err(Error::Bus(_)) => get(UNIT)?,
            all => all?,
        };
        Ok(UnitState::of(&all))
    }

    /// The names of the units that failed so far, sorted.
    pub fn failed_units(&mut self) -> Result<Vec<String>, Error> {
        self.units_in(&["failed"])
    }

    /// Services whose last run was ended by a signal, for want of memory, or by their watchdog, and
    /// those that were started again. With `all`, those that run are asked too.
    pub fn ended_units(&mut self, all: bool) -> Result<Vec<Ended>, Error> {
        let states: &[&str] = if all {
            &["failed", "auto-restart", "running"]
        } else {
            &["failed", "auto-restart"]
        };
        let mut ended = Vec::new();
        for unit in self.units_in(states)? {
            if !unit.ends_with(".service") {
                continue;
            }
            let state = self.unit(&unit)?;
            if state.was_ended() || state.restarts > 0 {
                ended.push(Ended {
                    unit,
                    how: state.described(),
                    result: state.result,
                });
            }
        }
        Ok(ended)
    }

    /// The names of the units in any of these states, sorted.
    fn units_in(&mut self, states: &[&str]) -> Result<Vec<String>, Error> {
        type Row = (
            String,
            String,
            String,
            String,
            String,
            String,
            OwnedObjectPath,
            u32,
            String,
            OwnedObjectPath,
        );
        let deadline = Instant::now() + ANSWER;
        let rows: Vec<Row> = self.manager("ListUnitsFiltered", &states, deadline)?;
        let mut names: Vec<String> = rows.into_iter().map(|row| row.0).collect();
        names.sort();
        Ok(names)
    }

    /// Whether it is on its way down. One that does not answer any more is left to be killed.
    pub(super) fn is_shutting_down(&mut self) -> bool {
        let body = (MANAGER, "SystemState");
        let deadline = Instant::now() + ANSWER;
        let state: Result<OwnedVariant, Error> =
            self.bus
                .ask(MANAGER_PATH, PROPERTIES, "Get", &body, deadline);
        state.is_ok_and(|it| <&str>::try_from(&it).is_ok_and(|it| it == "stopping"))
    }

    /// Waits until everything that belongs to the boot was started or failed to; whether that was
    /// so before `until`.
    pub fn wait_until_booted(&mut self, until: Instant) -> Result<bool, Error> {
        loop {
            // 0 until then. What is signalled after the answer comes after it.
            let body = (MANAGER, "FinishTimestampMonotonic");
            let deadline = Instant::now() + ANSWER;
            let finished: OwnedVariant =
                self.bus
                    .ask(MANAGER_PATH, PROPERTIES, "Get", &body, deadline)?;
            if u64::try_from(finished).is_ok_and(|at| at > 0) {
                return Ok(true);
            }
            loop {
                let message = match self.bus.receive(Some(until))? {
                    Heard::Message(message) => message,
                    Heard::Ended => return Err(self.died()),
                    Heard::TimedOut => return Ok(false),
                };
                let header = message.header();
                if header
                    .member()
                    .is_some_and(|it| it.as_str() == "StartupFinished")
                {
                    break;
                }
            }
        }
    }

    fn died(&self) -> Error {
        Error::BootDied {
            console: self.console(10),
        }
    }
}
