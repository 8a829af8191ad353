//! Reports of probes: for people, JSON, TAP, JUnit.

use std::fmt::Write;

use super::Ui;
use crate::failure::Failure;
use crate::probe::{Outcome, Probed};

/// A form of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ProbeFormat {
    /// Text
    Human,
    /// JSON
    Json,
    /// Test Anything Protocol, version 14
    Tap,
    /// JUnit's XML, as continuous integration reads it
    Junit,
}

impl Ui {
    /// Writes what came of probes.
    pub fn probes(&self, all: &[Probed], format: ProbeFormat) -> Result<(), Failure> {
        match format {
            ProbeFormat::Human => self.data(human(all).trim_end()),
            ProbeFormat::Json => self.json(&all),
            ProbeFormat::Tap => self.data(tap(all).trim_end()),
            ProbeFormat::Junit => self.data(junit(all).trim_end()),
        }
    }
}

fn title(probed: &Probed) -> String {
    let mut text = probed.image.clone();
    for package in &probed.packages {
        let name = package.rsplit('/').next().unwrap_or(package);
        let _ = write!(text, " + {name}");
    }
    text
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// What a failed check has to show, line by line.
fn details(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for evidence in &outcome.evidence {
        lines.push(format!("{}:", evidence.title));
        lines.extend(evidence.lines.iter().map(|line| format!("  {line}")));
    }
    lines
}

fn human(all: &[Probed]) -> String {
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
        if !probed.failed_units.is_empty() {
            let units = probed.failed_units.join(" ");
            let _ = writeln!(text, "        failed units: {units}");
        }
        for line in probed.error.iter().flat_map(|error| error.lines()) {
            let _ = writeln!(text, "        {line}");
        }
    }
    if all.len() > 1 {
        let good = all.iter().filter(|it| it.holds()).count();
        let _ = writeln!(text, "{good} of {} probes hold", all.len());
    }
    text
}

/// Source: the TAP 14 specification; details are YAML blocks.
fn tap(all: &[Probed]) -> String {
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
    }
    text
}

fn junit(all: &[Probed]) -> String {
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
        let _ = writeln!(text, "  </testsuite>");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Text for XML, without what XML 1.0 cannot have.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(one),
            it if it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            it => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Evidence;

    fn probed() -> Vec<Probed> {
        let check = |ok: bool, message: &str| Outcome {
            kind: "unit",
            check: "a.service".into(),
            ok,
            milliseconds: 12,
            message: message.into(),
            evidence: vec![Evidence {
                title: "journal".into(),
                lines: vec!["<died> \u{1}#1".into()],
            }],
        };
        let one = Probed {
            image: "box".into(),
            packages: vec!["/tmp/a.deb".into()],
            tree: None,
            installed: Vec::new(),
            boot_milliseconds: 3,
            milliseconds: 1234,
            checks: vec![check(false, "is failed"), check(true, "fine #1")],
            failed_units: Vec::new(),
            error: None,
        };
        let other = Probed {
            checks: Vec::new(),
            error: Some("no & never".into()),
            ..one.clone()
        };
        vec![one, other]
    }

    #[test]
    fn test_anything_protocol() {
        assert_eq!(
            tap(&probed()),
            "TAP version 14\n1..3\n\
             not ok 1 - box + a.deb: unit a.service: is failed\n  ---\n  details: |\n    journal:\n      \
             <died> \u{1}#1\n  ...\n\
             ok 2 - box + a.deb: unit a.service: fine \\#1\n\
             not ok 3 - box + a.deb\n  ---\n  details: |\n    no & never\n  ...\n"
        );
    }

    #[test]
    fn junit_is_well_formed() {
        let text = junit(&probed());
        assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.234\""));
        assert!(text.contains("journal:\n  &lt;died&gt; \u{fffd}#1</failure>"));
        assert!(text.contains("<error message=\"could not be tried\">no &amp; never</error>"));
    }
}
