//! How a container is, as its supervisor wrote it down last.

use serde::{Deserialize, Serialize};

use super::config::Port;
use super::health::Report;

/// What is known of a container's runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How far it came.
    pub phase: Phase,
    /// When it was started, in nanoseconds since 1970.
    pub started: i64,
    /// When it ended; 0 before.
    pub finished: i64,
    /// Its exit code.
    pub exit_code: u8,
    /// Why it could not be started.
    pub error: String,
    /// The pid of its first process on the host.
    pub leader: u32,
    /// When that process started, in clock ticks since boot: tells it from a later one.
    pub leader_since: u64,
    /// The pid of its supervisor.
    pub supervisor: u32,
    /// The first of its ids on the host.
    pub base: u32,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// Whether somebody asked it to end.
    pub stopped: bool,
    /// Its address in its network.
    pub address: Option<std::net::Ipv4Addr>,
    /// The host's ports that lead to it, each one that was taken.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// Whether its way out is pasta.
    #[serde(default)]
    pub pasta: bool,
    /// How well it is.
    pub health: Option<Report>,
}

/// How far a container came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not started yet.
    #[default]
    Created,
    /// Its first process runs.
    Running,
    /// Over.
    Exited,
}

/// What a container is to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not started yet.
    Created,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It waits to be started again.
    Restarting,
    /// Over.
    Exited,
}

impl Status {
    /// Whether it has processes.
    pub fn runs(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }
}

/// The kernel's name for the time since the machine was started. Source: `random(4)`.
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.unwrap_or_default().trim().to_owned()
}

/// Nanoseconds since 1970.
pub fn now() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
