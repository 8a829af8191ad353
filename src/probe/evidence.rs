//! What is gathered where a check does not hold.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::container::{Guest, Process};

/// Lines of a journal that are shown.
const LINES: &str = "20";

/// How long the guest may take to show its journal.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to read about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What it is.
    pub title: String,
    /// It.
    pub lines: Vec<String>,
}

/// A command as root with the standard environment.
pub(super) fn command(argv: &[&str]) -> Process {
    let argv = argv.iter().map(|&it| it.to_owned()).collect();
    let env = [("LC_ALL", "C.UTF-8"), ("TERM", "dumb")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Process::of_root(argv, env.to_vec())
}

/// The last lines that a unit wrote, or that were written about it.
pub(super) fn journal(guest: &mut Guest<'_>, unit: &str, name: &str) -> Option<Evidence> {
    let argv = [
        "journalctl",
        "--no-pager",
        "--output=cat",
        "--lines",
        LINES,
        "--unit",
        unit,
    ];
    let captured = guest
        .capture(name, &command(&argv), Instant::now() + PATIENCE)
        .ok()?;
    let lines = lines(&captured.output);
    (!lines.is_empty()).then(|| Evidence {
        title: format!("journal of {unit}"),
        lines,
    })
}

/// Output as lines without control characters.
pub(super) fn lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    text.lines()
        .map(|line| {
            line.chars()
                .filter(|it| !it.is_control() || *it == '\t')
                .collect()
        })
        .collect()
}
