//! The archives that a tree is configured with.

use racker_store::{Store, Tree};

use crate::installed::Files;
use crate::provision::archives::{DIRECTORIES, FILES, archives};

/// Their addresses. What cannot be read names none.
pub(super) fn of(store: &Store, tree: &Tree) -> Vec<String> {
    let files = Files::new(store, tree);
    let below = DIRECTORIES.into_iter().flat_map(|directory| {
        let names = files.names(directory).into_iter();
        names.map(move |name| format!("{directory}/{name}"))
    });
    let paths = FILES.into_iter().map(str::to_owned).chain(below);
    let mut all = Vec::new();
    for path in paths {
        if let Ok(Some(bytes)) = files.read(&path) {
            all.extend(archives(&String::from_utf8_lossy(&bytes)));
        }
    }
    all
}
