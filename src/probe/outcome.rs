//! What came of a probe.

use serde::Serialize;

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

/// Something to read about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What it is.
    pub title: String,
    /// It.
    pub lines: Vec<String>,
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
    /// Why it could not be tried.
    pub error: Option<String>,
}

impl Probed {
    /// Whether everything holds that was asked for.
    pub fn holds(&self) -> bool {
        self.error.is_none() && self.checks.iter().all(|check| check.ok)
    }
}
