//! Packages that came, went or changed their version.
//!
//! A package is known by its database, name and architecture. Of some there may be several versions
//! at the same time (kernels, keys): then each version that came or went is listed for itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Change;
use crate::installed::{Database, Installed, Package};

/// A package on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageState {
    /// Its version.
    pub version: String,
    /// The bytes it takes, as the database says.
    pub size: Option<u64>,
}

/// One package that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// The database that has it.
    pub database: Database,
    /// What became of it.
    pub change: Change,
    /// The one that was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<PackageState>,
    /// The one that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<PackageState>,
}

type Key<'a> = (Database, &'a str, &'a str);
type Versions<'a> = BTreeMap<&'a str, &'a Package>;

/// Lists what differs, sorted by database, name and architecture.
pub(super) fn changes(before: &Installed, after: &Installed) -> Vec<PackageChange> {
    let (before, after) = (by_key(before), by_key(after));
    let none = Versions::new();
    let keys: BTreeSet<&Key<'_>> = before.keys().chain(after.keys()).collect();
    let mut all = Vec::new();
    for key in keys {
        let old = before.get(key).unwrap_or(&none);
        let new = after.get(key).unwrap_or(&none);
        let mut gone: Vec<_> = old.iter().filter(|it| !new.contains_key(*it.0)).collect();
        let mut come: Vec<_> = new.iter().filter(|it| !old.contains_key(*it.0)).collect();
        if let ([one], [other]) = (gone.as_slice(), come.as_slice()) {
            all.push(change(*key, Some(one.1), Some(other.1)));
            gone.clear();
            come.clear();
        }
        all.extend(gone.iter().map(|it| change(*key, Some(it.1), None)));
        all.extend(come.iter().map(|it| change(*key, None, Some(it.1))));
    }
    all
}

fn by_key(installed: &Installed) -> BTreeMap<Key<'_>, Versions<'_>> {
    let mut all: BTreeMap<Key<'_>, Versions<'_>> = BTreeMap::new();
    for package in installed.packages() {
        let key = (
            package.database,
            package.name.as_str(),
            package.architecture.as_str(),
        );
        all.entry(key)
            .or_default()
            .insert(&package.version, package);
    }
    all
}

fn change(key: Key<'_>, before: Option<&Package>, after: Option<&Package>) -> PackageChange {
    let (database, name, architecture) = key;
    let state = |package: &Package| PackageState {
        version: package.version.clone(),
        size: package.installed_size,
    };
    PackageChange {
        name: name.to_owned(),
        architecture: architecture.to_owned(),
        database,
        change: match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        },
        before: before.map(state),
        after: after.map(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(packages: &[(&str, &str)]) -> Installed {
        let package = |(name, version): &(&str, &str)| {
            Package::new(Database::Rpm, (*name).into(), (*version).into())
        };
        Installed::of(packages.iter().map(package).collect())
    }

    #[test]
    fn versions_change_and_several_at_a_time_come_and_go() {
        let before = installed(&[("a", "1"), ("gone", "1"), ("kernel", "1"), ("kernel", "2")]);
        let after = installed(&[
            ("a", "2"),
            ("kernel", "2"),
            ("kernel", "3"),
            ("kernel", "4"),
        ]);
        let version = |state: Option<PackageState>| state.map_or("-".into(), |it| it.version);
        let all: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|it| format!("{} {} {}", it.name, version(it.before), version(it.after)))
            .collect();
        let expected = [
            "a 1 2",
            "gone 1 -",
            "kernel 1 -",
            "kernel - 3",
            "kernel - 4",
        ];
        assert_eq!(all, expected);
        assert_eq!(changes(&before, &before), []);
    }
}
