//! `[probe]`: what must hold in a booted snapshot.

use std::time::Duration;

use serde::Serialize;

use crate::check::Claim;

/// Checks of a booted snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Units that must be active.
    pub units: Vec<String>,
    /// URLs that must answer.
    pub network: Vec<String>,
    /// Shell commands that must succeed.
    pub run: Vec<String>,
    /// Paths that must exist.
    pub files: Vec<String>,
    /// What must hold of things that have a name.
    pub claims: Vec<Claim>,
    /// How long all of it may take.
    pub timeout: Option<Duration>,
}
