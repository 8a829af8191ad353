//! What came of a probe.

use std::time::Duration;

use serde::Serialize;

use super::{Evidence, Privileged};
use crate::check::Check;
use crate::container::units::Ended;

/// What came of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The kind of check.
    pub kind: &'static str,
    /// What was checked.
    pub check: String,
    /// Whether it holds.
    pub ok: bool,
    /// How long it took to know, in milliseconds.
    pub milliseconds: u64,
    /// Why it does not hold, or what was seen, in one line.
    pub message: String,
    /// What says more about a check that does not hold.
    pub evidence: Vec<Evidence>,
}

/// What came of probing one image.
#[derive(Debug, Clone, Serialize)]
pub struct Probed {
    /// The image, as it was named.
    pub image: String,
    /// The packages that were added, as they were named.
    pub packages: Vec<String>,
    /// The tree that was booted; none where it never came to that.
    pub tree: Option<String>,
    /// Name and version of the packages that were asked for, as the image's database has them.
    pub installed: Vec<(String, String)>,
    /// From the start of the boot until PID 1 answered, in milliseconds.
    pub boot_milliseconds: u64,
    /// From the first to the last thing done for it, in milliseconds.
    pub milliseconds: u64,
    /// The checks, in the order in which they were asked for.
    pub checks: Vec<Outcome>,
    /// Units that had failed when the checks were over, and do not in the image alone.
    pub failed_units: Vec<String>,
    /// Units that had failed, and do in the image alone too.
    pub image_failed_units: Vec<String>,
    /// Services that a signal ended, or that were started again.
    pub ended_units: Vec<Ended>,
    /// Set-uid and set-gid files that the packages brought.
    pub privileged_files: Vec<Privileged>,
    /// Why it could not be tried.
    pub error: Option<String>,
}

impl Probed {
    /// A probe of which nothing is known yet.
    pub fn new(image: &str) -> Self {
        Self {
            image: image.to_owned(),
            packages: Vec::new(),
            tree: None,
            installed: Vec::new(),
            boot_milliseconds: 0,
            milliseconds: 0,
            checks: Vec::new(),
            failed_units: Vec::new(),
            image_failed_units: Vec::new(),
            ended_units: Vec::new(),
            privileged_files: Vec::new(),
            error: None,
        }
    }

    /// Whether everything holds that was asked for.
    pub fn holds(&self) -> bool {
        self.error.is_none() && self.checks.iter().all(|check| check.ok)
    }
}

/// What came of a check.
pub(super) fn outcome(
    check: &Check,
    ok: bool,
    took: Duration,
    message: String,
    evidence: Vec<Evidence>,
) -> Outcome {
    Outcome {
        kind: check.kind(),
        check: one_line(&check.to_string()),
        ok,
        milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        message: one_line(&message),
        evidence,
    }
}

/// Text without what would end a line of a report, or colour it.
fn one_line(text: &str) -> String {
    let plain = |one: char| if one.is_control() { ' ' } else { one };
    text.chars().map(plain).collect()
}
