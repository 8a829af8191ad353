//! Reports of probes: for people, JSON, TAP, JUnit, HTML.

mod html;
mod human;
mod junit;
mod tap;

use html::html;
use human::human;
use junit::junit;
use tap::tap;

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
    /// One page with everything
    Html,
}

impl Ui {
    /// Writes what came of probes.
    pub fn probes(&self, all: &[Probed], format: ProbeFormat) -> Result<(), Failure> {
        match format {
            ProbeFormat::Human => self.data(human(all).trim_end()),
            ProbeFormat::Json => self.json(&all),
            ProbeFormat::Tap => self.data(tap(all).trim_end()),
            ProbeFormat::Junit => self.data(junit(all).trim_end()),
            ProbeFormat::Html => self.data(html(all).trim_end()),
        }
    }
}

/// What a probe is called: the image, and the packages without the way to their files.
pub fn probe_title(image: &str, packages: &[String]) -> String {
    let names = packages.iter().map(|it| format!(" + {}", short(it)));
    image.to_owned() + &names.collect::<String>()
}

fn short(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}

fn title(probed: &Probed) -> String {
    probe_title(&probed.image, &probed.packages)
}

/// What is to be known of a probe besides its checks, line by line.
fn findings(probed: &Probed) -> Vec<String> {
    let mut lines = Vec::new();
    if !probed.failed_units.is_empty() {
        lines.push(format!("failed units: {}", probed.failed_units.join(" ")));
    }
    if !probed.image_failed_units.is_empty() {
        let units = probed.image_failed_units.join(" ");
        lines.push(format!("failed units of the image alone: {units}"));
    }
    for it in &probed.ended_units {
        lines.push(format!("{} was ended: {}", it.unit, it.how));
    }
    for it in &probed.privileged_files {
        lines.push(format!("runs as {}: {} ({})", it.owner, it.path, it.mode));
    }
    lines
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
            packages: vec!["/tmp/a.deb".into()],
            boot_milliseconds: 3,
            milliseconds: 1234,
            checks: vec![check(false, "is failed"), check(true, "fine #1")],
            image_failed_units: vec!["old.service".into()],
            ..Probed::new("box")
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
             # failed units of the image alone: old.service\n\
             not ok 3 - box + a.deb\n  ---\n  details: |\n    no & never\n  ...\n\
             # failed units of the image alone: old.service\n"
        );
    }

    #[test]
    fn junit_is_well_formed() {
        let text = junit(&probed());
        assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.234\""));
        assert!(text.contains("journal:\n  &lt;died&gt; \u{fffd}#1</failure>"));
        assert!(text.contains("<error message=\"could not be tried\">no &amp; never</error>"));
    }

    #[test]
    fn a_page_has_everything_and_nothing_active() {
        let mut all = probed();
        all[0].checks[0].message = "</style><script>alert(1)</script>".into();
        let page = html(&all);
        assert!(page.contains("&lt;script&gt;"), "{page}");
        assert!(
            !page.contains("<script") && !page.contains("src="),
            "{page}"
        );
        assert!(page.contains("&lt;died&gt;") && page.contains("no &amp; never"));
        assert!(page.contains("failed units of the image alone: old.service"));
        // The matrix leads to both.
        for place in ["#probe-1", "#probe-2", "id=\"probe-1\"", "id=\"probe-2\""] {
            assert!(page.contains(place), "{place}");
        }
    }
}
