//! What systemd says of a unit. Source: `org.freedesktop.systemd1(5)`, `systemd.service(5)`.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use zbus::OwnedVariant;

/// What systemd says of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, ...
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`, ...
    pub active: String,
    /// What that is in its kind of unit, such as `running`.
    pub sub: String,
    /// `enabled`, `disabled`, `static`, ...
    pub file: String,
    /// Why it ended, such as `exit-code`, `signal`, `core-dump`, `oom-kill`; `success` else.
    pub result: String,
    /// How often systemd started it again.
    pub restarts: u32,
    /// How its main process ended, if it did: `CLD_*` of `sigaction(2)`, and the exit code or signal.
    pub main: (i32, i32),
    /// Since when it is active, in microseconds of `CLOCK_MONOTONIC`.
    #[serde(skip)]
    since: u64,
    /// The one run that this is, 128 random bits.
    #[serde(skip)]
    invocation: Vec<u8>,
}

impl UnitState {
    /// Out of the properties of a unit and of its kind.
    pub(super) fn of(all: &BTreeMap<String, OwnedVariant>) -> Self {
        let string = |name: &str| all.get(name).map(text).unwrap_or_default();
        let number = |name: &str| {
            let value = all.get(name);
            value.and_then(|value| i32::try_from(value).ok())
        };
        Self {
            load: string("LoadState"),
            active: string("ActiveState"),
            sub: string("SubState"),
            file: string("UnitFileState"),
            result: string("Result"),
            since: all
                .get("ActiveEnterTimestampMonotonic")
                .and_then(|value| u64::try_from(value).ok())
                .unwrap_or_default(),
            restarts: all
                .get("NRestarts")
                .and_then(|value| u32::try_from(value).ok())
                .unwrap_or_default(),
            main: (
                number("ExecMainCode").unwrap_or_default(),
                number("ExecMainStatus").unwrap_or_default(),
            ),
            invocation: all
                .get("InvocationID")
                .and_then(|value| value.try_clone().ok())
                .and_then(|value| Vec::<u8>::try_from(value).ok())
                .unwrap_or_default(),
        }
    }

    /// How long it has been active.
    pub fn age(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::try_from(now).unwrap_or_default();
        now.saturating_sub(Duration::from_micros(self.since))
    }

    /// Whether it runs, and is the same run as before.
    pub fn still(&self, before: &Self) -> bool {
        self.active == "active"
            && self.restarts == before.restarts
            && self.invocation == before.invocation
    }

    /// All of it in words.
    pub fn described(&self) -> String {
        let mut text = format!("{} ({})", self.active, self.sub);
        if !matches!(self.result.as_str(), "" | "success") {
            text.push_str(&format!(", result {}", self.result));
        }
        if let Some(end) = self.end() {
            text.push_str(&format!(", {end}"));
        }
        if self.restarts > 0 {
            text.push_str(&format!(", started again {} times", self.restarts));
        }
        text
    }

    /// Whether something other than itself ended it.
    pub(super) fn was_ended(&self) -> bool {
        matches!(
            self.result.as_str(),
            "signal" | "core-dump" | "watchdog" | "oom-kill"
        )
    }

    /// The end of its main process in words, if it ended badly.
    pub fn end(&self) -> Option<String> {
        let (code, status) = self.main;
        match code {
            libc::CLD_EXITED if status != 0 => Some(format!("exit code {status}")),
            libc::CLD_KILLED => Some(format!("signal {status}")),
            libc::CLD_DUMPED => Some(format!("signal {status}, core dumped")),
            _ => None,
        }
    }
}

/// A service that did not simply run, or end by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// The unit.
    pub unit: String,
    /// How its last run ended, as systemd has it: `signal`, `core-dump`, ...; `success` where it was
    /// started again and runs.
    pub result: String,
    /// All that in words.
    pub how: String,
}

/// A property that is a word.
pub(super) fn text(value: &OwnedVariant) -> String {
    <&str>::try_from(value).unwrap_or_default().to_owned()
}
