//! Two sides, and everything that differs between them.

use racker_store::Tree;
use serde::Serialize;

use super::totals::{Totals, sums_of_packages};
use super::walk::walk;
use super::{FileChange, PackageChange, package};
use crate::installed::Installed;

/// A tree and its packages.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// Its packages; [`Installed::default`] where they are not known, and then nobody owns anything.
    pub installed: &'a Installed,
}

/// Everything that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Packages that are on one side only or in another version, sorted.
    pub packages: Vec<PackageChange>,
    /// Paths that are on one side only or differ, in the order of a tree manifest.
    pub files: Vec<FileChange>,
    /// How much that is.
    pub totals: Totals,
}

impl Comparison {
    /// Whether the trees are equal. Equal trees have equal packages.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Compares two trees.
pub fn compare(before: Side<'_>, after: Side<'_>) -> Comparison {
    let packages = package::changes(before.installed, after.installed);
    let (files, sums) = walk(before, after);
    let totals = Totals {
        packages: sums_of_packages(&packages),
        files: sums,
    };
    Comparison {
        packages,
        files,
        totals,
    }
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
