//! Test Anything Protocol.

use std::fmt::Write;

use super::{details, findings, title};
use crate::probe::Probed;

/// Source: the TAP 14 specification; details are YAML blocks, findings are comments.
pub(super) fn tap(all: &[Probed]) -> String {
    let count: usize = all.iter().map(|it| it.checks.len().max(1)).sum();
    let mut text = format!("TAP version 14\n1..{count}\n");
    let mut number = 0;
    let mut line = |text: &mut String, ok: bool, name: String, details: Vec<String>| {
        number += 1;
        let mark = if ok { "ok" } else { "not ok" };
        let name = name.replace('\\', "\\\\").replace('#', "\\#");
        let _ = writeln!(text, "{mark} {number} - {name}");
        if !ok && !details.is_empty() {
            let _ = writeln!(text, "  ---\n  details: |");
            for detail in details {
                let _ = writeln!(text, "    {detail}");
            }
            let _ = writeln!(text, "  ...");
        }
    };
    for probed in all {
        let title = title(probed);
        for outcome in &probed.checks {
            let (kind, check, message) = (outcome.kind, &outcome.check, &outcome.message);
            let name = format!("{title}: {kind} {check}: {message}");
            line(&mut text, outcome.ok, name, details(outcome));
        }
        if probed.checks.is_empty() {
            let error = probed.error.as_deref().unwrap_or_default();
            let details = error.lines().map(str::to_owned).collect();
            line(&mut text, probed.error.is_none(), title, details);
        }
        for finding in findings(probed) {
            let _ = writeln!(text, "# {finding}");
        }
    }
    text
}
