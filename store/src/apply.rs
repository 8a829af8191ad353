//! A layer over the tree it was made for; the inverse of [`diff`](crate::diff()).

use crate::error::{Error, Result};
use crate::layer::{Change, Layer};
use crate::tree::Tree;

impl Layer {
    /// The tree after the layer. An error if the layer is for another tree, or if what comes out is
    /// not the tree that it promises.
    pub fn apply(&self, base: &Tree) -> Result<Tree> {
        let wrong = |expected: crate::TreeId, actual: crate::TreeId| Error::WrongBase {
            expected: expected.to_string(),
            actual: actual.to_string(),
        };
        let id = base.id();
        if id != self.base {
            return Err(wrong(self.base, id));
        }
        let mut tree = base.clone();
        for (path, change) in &self.changes {
            match change {
                Change::Remove => {
                    tree.remove(path);
                }
                Change::Directory(metadata) => tree.insert_directory(path, metadata.clone())?,
                Change::Inode(inode) => {
                    tree.insert(path, inode.clone())?;
                }
                Change::Link(first) => tree.link(first, path)?,
            }
        }
        let id = tree.id();
        if id == self.result {
            Ok(tree)
        } else {
            Err(Error::damaged("layer", self.id(), "leads to another tree"))
        }
    }
}
