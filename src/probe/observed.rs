//! What was seen of a thing, held against what is claimed of it.

use std::collections::BTreeMap;

use super::Evidence;
use crate::check::{Claim, Form, Seen};

/// What was seen of a thing.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    /// Its properties; what is not there has none but the main one.
    pub(super) properties: BTreeMap<&'static str, Seen>,
    /// All that matters, in a few words.
    pub(super) summary: String,
    /// What there is to read where the claim does not hold.
    pub(super) evidence: Vec<Evidence>,
}

impl Observed {
    /// This seen of it, in a few words.
    pub(super) fn new(
        property: &'static str,
        seen: impl Into<Seen>,
        summary: impl Into<String>,
    ) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
        .with(property, seen)
    }

    /// And this.
    pub(super) fn with(mut self, property: &'static str, seen: impl Into<Seen>) -> Self {
        self.properties.insert(property, seen.into());
        self
    }

    /// Whether the claim holds, and a line that says so or why not.
    pub(super) fn verdict(&self, claim: &Claim) -> (bool, String) {
        let main = claim.kind.main();
        let mut wrong = Vec::new();
        let mut holds = true;
        for (name, expected) in &claim.expected {
            // Of what is not to be there, nothing else can be said.
            if claim.denies() && *name != main.name {
                continue;
            }
            let Some(seen) = self.properties.get(name) else {
                holds = false;
                continue;
            };
            if expected.holds(seen) {
                continue;
            }
            holds = false;
            if *name != main.name {
                wrong.push(format!(
                    "{name} {seen}, expected {}",
                    expected.missing(seen)
                ));
            } else if main.form != Form::Flag {
                wrong.push(format!("expected {expected}"));
            }
        }
        if wrong.is_empty() {
            return (holds, self.summary.clone());
        }
        (holds, format!("{}: {}", self.summary, wrong.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Expected, Kind};

    #[test]
    fn verdicts() {
        let mut claim = Claim::plain(Kind::File, "/x");
        let gone = Observed::new("exists", false, "is not there");
        let there = Observed::new("exists", true, "is there").with("mode", "0644");
        assert_eq!(there.verdict(&claim), (true, "is there".into()));
        assert_eq!(gone.verdict(&claim), (false, "is not there".into()));
        claim.expected.push(("mode", Expected::Is("0600".into())));
        let wrong = "is there: mode `0644`, expected `0600`";
        assert_eq!(there.verdict(&claim), (false, wrong.into()));
        assert_eq!(gone.verdict(&claim), (false, "is not there".into()));
        claim.expected[0].1 = Expected::Is("false".into());
        assert_eq!(gone.verdict(&claim), (true, "is not there".into()));
        assert_eq!(there.verdict(&claim), (false, "is there".into()));
        let claim = Claim::plain(Kind::Command, "x");
        let ended = Observed::new("exit-status", "3".to_owned(), "ends with 3");
        assert_eq!(
            ended.verdict(&claim),
            (false, "ends with 3: expected `0`".into())
        );
    }
}
