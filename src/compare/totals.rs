//! How much differs.

use serde::Serialize;

use super::{Change, PackageChange, PackageState};

/// A number of things and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub number: usize,
    /// Bytes they had.
    pub before: u64,
    /// Bytes they have.
    pub after: u64,
}

/// Sums by what became of the things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// In the second tree only.
    pub added: Sum,
    /// In the first tree only.
    pub removed: Sum,
    /// In both.
    pub changed: Sum,
}

/// Sums of everything that differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Packages, with their installed sizes as the databases have them.
    pub packages: Sums,
    /// Paths, with the bytes of regular files; a file with several names counts once.
    pub files: Sums,
}

impl Sums {
    pub(super) fn add(&mut self, change: Change, before: u64, after: u64) {
        let sum = match change {
            Change::Added => &mut self.added,
            Change::Removed => &mut self.removed,
            Change::Changed => &mut self.changed,
        };
        sum.number += 1;
        sum.before = sum.before.saturating_add(before);
        sum.after = sum.after.saturating_add(after);
    }
}

pub(super) fn sums_of_packages(packages: &[PackageChange]) -> Sums {
    let size = |state: &Option<PackageState>| state.as_ref().and_then(|it| it.size).unwrap_or(0);
    let mut sums = Sums::default();
    for package in packages {
        sums.add(package.change, size(&package.before), size(&package.after));
    }
    sums
}
