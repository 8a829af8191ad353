//! Which rule would make two results of a step alike.

use std::collections::BTreeSet;

use racker_store::{PathBytes, Tree};
use serde::Serialize;

use super::apply::apply;
use super::context::Bodies;
use super::rule::{After, RULES, Rule, Stage};
use crate::provision::Result;

/// A rule that has to do with a path that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Likely {
    /// The rule's name.
    pub rule: &'static str,
    /// Why the path differs nevertheless.
    pub reason: Reason,
}

/// Why a rule left a path alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The recipe switches it off; it covers the path.
    SwitchedOff,
    /// It covers the path, but is not applied after steps of this kind.
    OtherSteps,
    /// It is for paths like this, but does not know this one.
    NotCovered,
}

/// Two results of one step.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// The tree that the step started from.
    pub base: &'a Tree,
    /// What came out.
    pub trees: [&'a Tree; 2],
    /// The kind of step.
    pub after: After,
    /// Seconds since 1970.
    pub epoch: i64,
    /// Rules that the recipe switches off.
    pub disabled: &'a BTreeSet<String>,
}

/// What the rules that were not applied would change in either result.
#[derive(Debug)]
pub struct Untried<'a> {
    results: Results<'a>,
    covered: Vec<(PathBytes, Likely)>,
}

impl<'a> Untried<'a> {
    /// Tries the rules that were not applied, each by itself.
    pub fn new(results: Results<'a>, bodies: &dyn Bodies) -> Result<Self> {
        let mut covered = Vec::new();
        for rule in RULES.iter().filter(|rule| rule.stage == Stage::Tree) {
            let Some(reason) = results.reason(rule) else {
                continue;
            };
            for tree in results.trees {
                let mut tree = tree.clone();
                let touched = apply(rule, results.base, &mut tree, results.epoch, bodies)?;
                let likely = Likely {
                    rule: rule.name,
                    reason,
                };
                covered.extend(touched.into_iter().map(|path| (path, likely)));
            }
        }
        Ok(Self { results, covered })
    }

    /// The rule for a path, of which `traits` says in what it differs.
    pub fn rule(&self, path: &[u8], traits: Traits) -> Option<Likely> {
        let covered = self.covered.iter().find(|(touched, _)| {
            path.strip_prefix(&**touched)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        });
        covered.map(|(_, likely)| *likely).or_else(|| {
            let (name, covers) = by_kind(&String::from_utf8_lossy(path), traits)?;
            let rule = RULES.iter().find(|rule| rule.name == name)?;
            let not_applied = self.results.reason(rule).filter(|_| covers);
            Some(Likely {
                rule: name,
                reason: not_applied.unwrap_or(Reason::NotCovered),
            })
        })
    }
}

impl Results<'_> {
    /// Why a rule was not applied, if it was not.
    fn reason(&self, rule: &Rule) -> Option<Reason> {
        if self.disabled.contains(rule.name) {
            Some(Reason::SwitchedOff)
        } else if !rule.after.contains(&self.after) {
            Some(Reason::OtherSteps)
        } else {
            None
        }
    }
}

/// In what a path differs, as far as rules ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// In nothing but the time of modification.
    pub time_only: bool,
    /// In attributes of overlayfs.
    pub overlay: bool,
}

/// The rule for things of this kind, and whether it covers this one.
fn by_kind(path: &str, traits: Traits) -> Option<(&'static str, bool)> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let below = |directory: &str| path.starts_with(directory);
    Some(match () {
        () if traits.time_only => ("mtime-clamp", true),
        () if traits.overlay => ("overlay-attributes", true),
        () if ends(&[".pyc", ".pyo"]) => ("python-bytecode", true),
        () if name.contains("machine-id") => ("machine-id", false),
        () if below("var/log/journal") => ("journal", false),
        () if below("var/log/") || ends(&[".log"]) => ("package-logs", false),
        () if below("var/cache/fontconfig") || name == ".uuid" => ("font-identifiers", false),
        () if below("var/cache/man") => ("man-index", false),
        () if below("var/cache/apt") => ("apt-cache", false),
        () if below("var/lib/apt/lists") => ("apt-lists", false),
        () if name.starts_with("rpmdb.sqlite") => ("rpm-database", false),
        () if name.contains("history.sqlite") => ("dnf-history", false),
        () if below("var/cache/dnf") || below("var/cache/libdnf5") => ("dnf-cache", false),
        () if below("var/lib/zypp/") || below("var/cache/zypp") => ("zypper-state", false),
        () if below("var/lib/postgresql") => ("postgresql-cluster", false),
        () if below("var/lib/mysql") => ("mariadb-data", false),
        () if ends(&["/aliases.db"]) => ("mail-aliases", false),
        () if ends(&["/cacerts"]) => ("java-certificates", false),
        () if ends(&["/rndc.key", "/secret", ".cookie"]) => ("service-secrets", false),
        () if name.starts_with("ssh_host_") => ("ssh-host-keys", false),
        () if below("root/.") || below("home/") => ("home-caches", false),
        () if ends(&[".pem", ".key", ".crt", ".csr"]) => ("snakeoil-certificate", false),
        () if ends(&["random-seed", "random_seed", ".seed"]) => ("random-seed", false),
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use racker_store::{Content, Inode, Metadata, ObjectId};

    use super::*;

    struct Nothing;

    impl Bodies for Nothing {
        fn get(&self, _: ObjectId) -> racker_store::Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn put(&self, bytes: &[u8]) -> racker_store::Result<ObjectId> {
            Ok(ObjectId::of(bytes))
        }
    }

    fn tree(paths: &[&str], byte: u8) -> Tree {
        let mut tree = Tree::default();
        for path in paths {
            let metadata = Metadata::new(0o644);
            let content = Content::File {
                object: Some(ObjectId::from_bytes([byte; 32])),
                size: 9,
            };
            tree.insert(path.as_bytes(), Inode { metadata, content })
                .unwrap();
        }
        tree
    }

    #[test]
    fn rules_that_were_not_applied_are_tried() {
        let paths = [
            "etc/ssh/ssh_host_rsa_key",
            "etc/hostname",
            "etc/x.key",
            "var/log/apt/x/y.log",
            "usr/lib/a.pyc",
        ];
        let base = Tree::default();
        let trees = [&tree(&paths, 1), &tree(&paths, 2)];
        let off = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let disabled: BTreeSet<String> = off(&["ssh-host-keys", "python-bytecode"]);
        let results = Results {
            base: &base,
            trees,
            after: After::Run,
            epoch: 0,
            disabled: &disabled,
        };
        let untried = Untried::new(results, &Nothing).unwrap();
        let rule = |path: &str| {
            untried
                .rule(path.as_bytes(), Traits::default())
                .map(|it| (it.rule, it.reason))
        };
        assert_eq!(rule(paths[0]), Some(("ssh-host-keys", Reason::SwitchedOff)));
        assert_eq!(rule(paths[1]), Some(("host-files", Reason::OtherSteps)));
        assert_eq!(
            rule(paths[2]),
            Some(("snakeoil-certificate", Reason::NotCovered))
        );
        assert_eq!(rule(paths[3]), Some(("package-logs", Reason::NotCovered)));
        assert_eq!(rule("etc/passwd"), None);
        let time_only = Traits {
            time_only: true,
            overlay: false,
        };
        let rule = untried.rule(b"etc/passwd", time_only).unwrap();
        assert_eq!(
            (rule.rule, rule.reason),
            ("mtime-clamp", Reason::NotCovered)
        );
    }

    #[test]
    fn kinds_name_rules_that_exist() {
        for path in [
            "a.pyc",
            "etc/machine-id.old",
            "var/log/journal/x",
            "var/log/x",
            "var/cache/fontconfig/x",
            "var/cache/man/x",
            "var/cache/apt/x",
            "var/lib/apt/lists/x",
            "var/lib/rpm/rpmdb.sqlite-shm",
            "var/lib/dnf/history.sqlite",
            "var/cache/dnf/x",
            "var/lib/zypp/x",
            "var/lib/postgresql/x",
            "etc/ssh_host_key",
            "root/.x",
            "a.pem",
            "random-seed",
        ] {
            let (name, _) = by_kind(path, Traits::default()).unwrap();
            assert!(RULES.iter().any(|rule| rule.name == name), "{name}");
        }
    }
}
