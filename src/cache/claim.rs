//! What is signed, as text in which every value has its place.

use std::str::FromStr;

use racker_store::{Digest, LayerId, StepKey, TreeId};

const STEP: &str = "racker-step 1";
const BASE: &str = "racker-base 1";
const LOG: &str = "racker-log 1";

/// That a step with this key, which starts from `parent`, gives `tree`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepClaim {
    pub(super) key: StepKey,
    pub(super) parent: TreeId,
    pub(super) tree: TreeId,
    /// The difference between the two trees.
    pub(super) layer: LayerId,
}

/// That `copy` in the cache is the image whose manifest has the digest `manifest` where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BaseClaim {
    pub(super) manifest: Digest,
    pub(super) copy: Digest,
}

/// That the blob `log` is what the step with this key wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogClaim {
    pub(super) key: StepKey,
    pub(super) log: Digest,
}

impl StepClaim {
    pub(super) fn text(&self) -> String {
        format!(
            "{STEP}\nkey {}\nparent {}\ntree {}\nlayer {}\n",
            self.key, self.parent, self.tree, self.layer
        )
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let claim = Self {
            key: value(lines.next(), "key")?,
            parent: value(lines.next(), "parent")?,
            tree: value(lines.next(), "tree")?,
            layer: value(lines.next(), "layer")?,
        };
        (claim.text() == text).then_some(claim)
    }
}

impl BaseClaim {
    pub(super) fn text(&self) -> String {
        format!("{BASE}\nmanifest {}\ncopy {}\n", self.manifest, self.copy)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let claim = Self {
            manifest: value(lines.next(), "manifest")?,
            copy: value(lines.next(), "copy")?,
        };
        (claim.text() == text).then_some(claim)
    }
}

impl LogClaim {
    pub(super) fn text(&self) -> String {
        format!("{LOG}\nkey {}\nlog {}\n", self.key, self.log)
    }
}

fn value<T: FromStr>(line: Option<&str>, name: &str) -> Option<T> {
    let value = line?.strip_prefix(name)?.strip_prefix(' ')?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_one_text() {
        let step = StepClaim {
            key: StepKey::from_bytes([1; 32]),
            parent: TreeId::from_bytes([2; 32]),
            tree: TreeId::from_bytes([3; 32]),
            layer: LayerId::from_bytes([4; 32]),
        };
        let base = BaseClaim {
            manifest: Digest::from_bytes([5; 32]),
            copy: Digest::from_bytes([6; 32]),
        };
        assert_eq!(StepClaim::parse(&step.text()), Some(step));
        assert_eq!(BaseClaim::parse(&base.text()), Some(base));
        assert_eq!(StepClaim::parse(&base.text()), None);
        assert_eq!(BaseClaim::parse(&step.text()), None);
        for text in [
            step.text() + "more\n",
            step.text().replace("key ", "key  "),
            step.text().replace("step 1", "step 2"),
            step.text().replace('\n', "\r\n"),
        ] {
            assert_eq!(StepClaim::parse(&text), None, "{text}");
        }
    }
}
