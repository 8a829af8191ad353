//! Whether what should be a directory is one: everything else is looked for in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::Damage;
use crate::error::Result;
use crate::store::{DIRECTORIES, Store, create_directory, list};

/// Directories that hold directories, which are named by the beginning of a digest or by a key.
const OF_DIRECTORIES: [&str; 3] = ["objects", "blobs/sha256", "realisations"];

/// What is where a directory should be and is none. Nothing can be told of what should be in it.
pub(super) fn misplaced(store: &Store) -> Result<Vec<Damage>> {
    let root = store.root();
    let mut places: Vec<PathBuf> = DIRECTORIES.iter().map(|name| root.join(name)).collect();
    for name in OF_DIRECTORIES {
        let path = root.join(name);
        if path.is_dir() {
            places.extend(list(&path)?);
        }
    }
    for shard in list(&root.join("realisations")).unwrap_or_default() {
        if shard.is_dir() {
            places.extend(list(&shard)?);
        }
    }
    let wrong = |path: &PathBuf| path.symlink_metadata().is_ok() && !path.is_dir();
    places.retain(wrong);
    let damage = |path: PathBuf| Damage {
        path: path.strip_prefix(root).unwrap_or(&path).to_owned(),
        reason: "it is no directory".to_owned(),
        images: Vec::new(),
    };
    Ok(places.into_iter().map(damage).collect())
}

/// Makes a directory of the store again.
pub(super) fn remake(store: &Store, damage: &Damage) -> Result<()> {
    let path = store.root().join(&damage.path);
    let known = DIRECTORIES
        .iter()
        .any(|name| damage.path == Path::new(name));
    if !known || fs::symlink_metadata(&path).is_ok() {
        return Ok(());
    }
    create_directory(&path)
}
