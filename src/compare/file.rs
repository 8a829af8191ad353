//! One path that differs.

use serde::Serialize;

use super::{Difference, State};

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is in the second tree only.
    Added,
    /// It is in the first tree only.
    Removed,
    /// It is in both and differs.
    Changed,
}

/// One path that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// The path, with a leading slash, as [`shown_path`](crate::shown::shown_path) writes it.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// In what it differs, sorted; empty unless it is in both trees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Difference>,
    /// The extended attributes that differ, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<String>,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<State>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<State>,
}

impl FileChange {
    /// The package that owns the path: that of the second tree, else that of the first.
    pub fn package(&self) -> Option<&str> {
        [&self.after, &self.before]
            .into_iter()
            .find_map(|state| state.as_ref()?.package.as_deref())
    }
}
