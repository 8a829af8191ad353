//! Trees as directories: the lower layers of an overlay, where EROFS cannot be mounted.
//!
//! ```text
//! checkouts/tree-<tree id>   a whole tree, the bottom
//! checkouts/<layer id>       what one layer adds, with whiteouts (character device 0:0)
//! ```
//!
//! `trees/<id>.base` leads from a tree to its parent. Chains longer than eight layers start at a
//! whole tree further up, always at the same places, so that neighbours share them. A checkout is
//! made in `stage/`, synced and renamed: one that is there is complete.
//!
//! A layer lists every removed path on its own, so no directory in it has to be opaque. It has the
//! directories on the way to its changes too, with the metadata they have in the result.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{At as _, Result};
use crate::id::{LayerId, TreeId};
use crate::layer::{Change, Layer};
use crate::materialise::materialise;
use crate::path::split;
use crate::store::Store;
use crate::tree::{Metadata, NodeRef, PathBytes, Tree};

/// Layers on top of a whole tree, at most.
const MAX_LAYERS: usize = 8;

impl Store {
    /// Overlay lower directories that make up a tree, topmost first; made where they are missing.
    pub fn checkout(&self, id: TreeId) -> Result<Vec<PathBuf>> {
        let (layers, bottom) = self.chain(id)?;
        let mut paths = Vec::with_capacity(layers.len() + 1);
        for (layer, result) in layers {
            let path = self.root().join("checkouts").join(layer.to_string());
            if !path.exists() {
                let (tree, whiteouts) = upper(&self.layer(layer)?, &self.tree(result)?)?;
                self.make_checkout(&path, &tree, &whiteouts)?;
            }
            paths.push(path);
        }
        let path = self.root().join("checkouts").join(format!("tree-{bottom}"));
        if !path.exists() {
            self.make_checkout(&path, &self.tree(bottom)?, &[])?;
        }
        paths.push(path);
        Ok(paths)
    }

    /// Layers from the top with the trees they lead to, and the tree they stand on.
    fn chain(&self, id: TreeId) -> Result<(Vec<(LayerId, TreeId)>, TreeId)> {
        let mut trees = vec![id];
        let mut layers = Vec::new();
        let mut seen = HashSet::from([id]);
        let mut at = id;
        while let Some((Some(parent), layer)) = self.base(at)? {
            // Steps that undo each other lead in a circle.
            if !seen.insert(parent) || !self.has_tree(parent) || !self.has_layer(layer) {
                break;
            }
            layers.push((layer, at));
            trees.push(parent);
            at = parent;
        }
        if layers.len() > MAX_LAYERS {
            layers.truncate((layers.len() - 1) % MAX_LAYERS + 1);
        }
        Ok((layers.clone(), trees[layers.len()]))
    }

    fn make_checkout(&self, path: &Path, tree: &Tree, whiteouts: &[PathBytes]) -> Result<()> {
        let stage = self.stage()?;
        let root = stage.path().join("root");
        materialise(self, tree, whiteouts, &root)?;
        self.sync()?;
        match fs::rename(&root, path) {
            Err(_) if path.exists() => Ok(()),
            result => result.at("create", path),
        }
    }
}

/// What a layer's directory holds: files and directories, and the names that are hidden.
fn upper(layer: &Layer, result: &Tree) -> Result<(Tree, Vec<PathBytes>)> {
    let mut tree = Tree::default();
    let mut whiteouts = Vec::new();
    tree.root.metadata = result.root.metadata.clone();
    for (path, change) in &layer.changes {
        parents(&mut tree, split(path).0, result)?;
        match change {
            Change::Remove => whiteouts.push(path.clone()),
            Change::Directory(metadata) => tree.insert_directory(path, metadata.clone())?,
            Change::Inode(inode) => {
                tree.insert(path, inode.clone())?;
            }
            Change::Link(first) => tree.link(first, path)?,
        }
    }
    Ok((tree, whiteouts))
}

/// Makes the directories on the way to a path as they are in the result.
fn parents(tree: &mut Tree, path: &[u8], result: &Tree) -> Result<()> {
    if path.is_empty() || tree.get(path).is_some() {
        return Ok(());
    }
    parents(tree, split(path).0, result)?;
    let metadata = match result.get(path) {
        Some(NodeRef::Directory(directory)) => directory.metadata.clone(),
        _ => Metadata::new(0o755),
    };
    tree.insert_directory(path, metadata)
}
