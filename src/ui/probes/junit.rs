//! JUnit's XML, as continuous integration reads it.

use std::fmt::Write;

use super::{details, escape, findings, seconds, title};
use crate::probe::Probed;

/// One suite for each probe, one case for each check.
pub(super) fn junit(all: &[Probed]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for probed in all {
        let tests = probed.checks.len().max(1);
        let failures = probed.checks.iter().filter(|check| !check.ok).count();
        let errors = usize::from(probed.error.is_some());
        let (name, time) = (escape(&title(probed)), seconds(probed.milliseconds));
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" \
             errors=\"{errors}\" time=\"{time}\">"
        );
        for outcome in &probed.checks {
            let case = escape(&format!("{} {}", outcome.kind, outcome.check));
            let time = seconds(outcome.milliseconds);
            let _ = write!(
                text,
                "    <testcase classname=\"{name}\" name=\"{case}\" time=\"{time}\""
            );
            if outcome.ok {
                let _ = writeln!(text, "/>");
                continue;
            }
            let (message, details) = (escape(&outcome.message), details(outcome).join("\n"));
            let _ = writeln!(
                text,
                ">\n      <failure message=\"{message}\">{}</failure>\n    </testcase>",
                escape(&details)
            );
        }
        if probed.checks.is_empty() {
            let _ = write!(text, "    <testcase classname=\"{name}\" name=\"boot\"");
            let _ = match &probed.error {
                None => writeln!(text, "/>"),
                Some(error) => writeln!(
                    text,
                    ">\n      <error message=\"could not be tried\">{}</error>\n    </testcase>",
                    escape(error)
                ),
            };
        }
        let findings = findings(probed);
        if !findings.is_empty() {
            let lines = escape(&findings.join("\n"));
            let _ = writeln!(text, "    <system-out>{lines}</system-out>");
        }
        let _ = writeln!(text, "  </testsuite>");
    }
    text.push_str("</testsuites>\n");
    text
}
