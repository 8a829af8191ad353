//! Text for people.

use std::fmt::Write;

use super::{details, findings, seconds, title};
use crate::probe::Probed;

/// A paragraph for each probe, and a summary where there are several.
pub(super) fn human(all: &[Probed]) -> String {
    let mut text = String::new();
    for probed in all {
        let verdict = match (&probed.error, probed.holds()) {
            (Some(_), _) => "could not be tried",
            (None, true) => "ok",
            (None, false) => "FAILED",
        };
        let took = seconds(probed.milliseconds);
        let _ = writeln!(text, "{}: {verdict} ({took} s)", title(probed));
        for (name, version) in &probed.installed {
            let _ = writeln!(text, "        {name} {version}");
        }
        for outcome in &probed.checks {
            let mark = if outcome.ok { "ok  " } else { "FAIL" };
            let (kind, check, message) = (outcome.kind, &outcome.check, &outcome.message);
            let _ = writeln!(text, "  {mark}  {kind} {check}: {message}");
            for line in details(outcome) {
                let _ = writeln!(text, "        {line}");
            }
        }
        for finding in findings(probed) {
            let _ = writeln!(text, "        {finding}");
        }
        for line in probed.error.iter().flat_map(|error| error.lines()) {
            let _ = writeln!(text, "        {line}");
        }
    }
    if all.len() > 1 {
        let good = all.iter().filter(|it| it.holds()).count();
        let bad: Vec<String> = all.iter().filter(|it| !it.holds()).map(title).collect();
        for title in &bad {
            let _ = writeln!(text, "not ok: {title}");
        }
        let _ = writeln!(text, "{good} of {} probes hold", all.len());
    }
    text
}
