//! What differs between two locks, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::lock::Lock;

/// One thing that a newer lock has otherwise than an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockChange {
    /// The step, by its id; `from` for what the first step starts from.
    pub step: String,
    /// Such as `linux/amd64`; none for a fetched file.
    pub platform: Option<String>,
    /// The image, file or package.
    pub name: String,
    /// What it was; none where it was not there.
    pub old: Option<String>,
    /// What it is; none where it is there no more.
    pub new: Option<String>,
}

/// Step, platform and name to what they stand for.
type Entries = BTreeMap<(String, Option<String>, String), BTreeSet<String>>;

/// Everything that differs, sorted by step and name. A package of which only the file changed has
/// digests for its versions.
pub fn changes(old: &Lock, new: &Lock) -> Vec<LockChange> {
    let (before, after) = (entries(old), entries(new));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let text = |set: Option<&BTreeSet<String>>, other: Option<&BTreeSet<String>>| {
        let set = set?;
        // Of `VERSION DIGEST` the digest says something only where the version is the same.
        let version = |it: &String| it.split(' ').next().unwrap_or(it).to_owned();
        let same = other.is_some_and(|other| set.iter().map(version).eq(other.iter().map(version)));
        let shown = set
            .iter()
            .map(|it| if same { it.clone() } else { version(it) });
        Some(shown.collect::<Vec<_>>().join(", "))
    };
    keys.into_iter()
        .filter(|key| before.get(key) != after.get(key))
        .map(|key| {
            let (old, new) = (before.get(key), after.get(key));
            let (step, platform, name) = key.clone();
            LockChange {
                step,
                platform,
                name,
                old: text(old, new),
                new: text(new, old),
            }
        })
        .collect()
}

fn entries(lock: &Lock) -> Entries {
    let mut entries = Entries::new();
    let mut add = |step: &str, platform: Option<&str>, name: &str, what: String| {
        let key = (
            step.to_owned(),
            platform.map(str::to_owned),
            name.to_owned(),
        );
        entries.entry(key).or_default().insert(what);
    };
    for base in lock.bases() {
        let digest = base.digest.to_string();
        add("from", Some(&base.platform), &base.reference, digest);
    }
    for file in lock.files() {
        add("fetch", None, &file.url, file.digest.to_string());
    }
    for section in lock.sections() {
        for package in &section.packages {
            let what = format!("{} {}", package.version, package.sha256);
            add(&section.step, Some(&section.platform), &package.name, what);
        }
    }
    entries
}

impl fmt::Display for LockChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            name,
            old,
            new,
            ..
        } = self;
        match (old, new) {
            (Some(old), Some(new)) => write!(formatter, "{step}: {name} {old} -> {new}"),
            (None, Some(new)) => write!(formatter, "{step}: {name} {new} added"),
            (Some(old), None) => write!(formatter, "{step}: {name} {old} removed"),
            (None, None) => write!(formatter, "{step}: {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Manager, Package};
    use crate::plan::lock::{Base, Section};

    fn lock(packages: &[(&str, &str, u8)], base: u8) -> Lock {
        let digest = |byte: u8| format!("sha256:{}", format!("{byte:02x}").repeat(32));
        let mut lock = Lock::default();
        lock.set_base(Base {
            reference: "debian".into(),
            platform: "linux/amd64".into(),
            digest: digest(base).parse().unwrap(),
        });
        lock.set_section(Section {
            step: "web/1".into(),
            platform: "linux/amd64".into(),
            manager: Manager::Apt,
            request: String::new(),
            parent: String::new(),
            date: 0,
            metadata: digest(0).parse().unwrap(),
            sources: None,
            tool: None,
            packages: packages
                .iter()
                .map(|(name, version, byte)| Package {
                    name: (*name).into(),
                    version: (*version).into(),
                    arch: "amd64".into(),
                    url: String::new(),
                    size: 1,
                    sha256: digest(*byte).parse().unwrap(),
                    signature: None,
                })
                .collect(),
        });
        lock
    }

    #[test]
    fn changes_are_told_in_a_line() {
        let old = lock(
            &[
                ("a", "1", 1),
                ("b", "1", 1),
                ("c", "1", 1),
                ("same", "1", 1),
            ],
            1,
        );
        let new = lock(
            &[
                ("a", "2", 2),
                ("c", "1", 2),
                ("d", "1", 1),
                ("same", "1", 1),
            ],
            2,
        );
        let lines: Vec<String> = changes(&old, &new)
            .iter()
            .map(ToString::to_string)
            .collect();
        let digest = |byte: &str| format!("sha256:{}", byte.repeat(32));
        assert_eq!(
            lines,
            [
                format!("from: debian {} -> {}", digest("01"), digest("02")),
                "web/1: a 1 -> 2".into(),
                "web/1: b 1 removed".into(),
                format!("web/1: c 1 {} -> 1 {}", digest("01"), digest("02")),
                "web/1: d 1 added".into(),
            ]
        );
        assert!(changes(&old, &old).is_empty());
    }
}
