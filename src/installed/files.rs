//! Files of a tree by path, links followed inside the tree, within limits.
//!
//! The limits are on one tree altogether. They are far above what any distribution has, and there so
//! that an image whose database names the same large file a thousand times is an error and not the
//! end of the machine's memory.

use std::cell::Cell;
use std::io::Read;

use racker_store::{Content, NodeRef, ObjectId, PathBytes, Store, Tree};

use super::Error;

/// Bytes that are read, and kept of what was read, of one tree.
const BUDGET: u64 = 1 << 30;

/// Bytes of one file that is read as a whole.
const LARGEST: u64 = 32 << 20;

/// A tree with the bytes of its files.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(super) store: &'a Store,
    pub(super) tree: &'a Tree,
    left: Cell<u64>,
}

/// A regular file of a tree.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Where it lies, no link on the way.
    pub(super) path: PathBytes,
    /// Its bytes; none if it is empty.
    pub(super) object: Option<ObjectId>,
    /// Their number.
    pub(super) size: u64,
}

impl<'a> Files<'a> {
    pub(crate) fn new(store: &'a Store, tree: &'a Tree) -> Self {
        Self {
            store,
            tree,
            left: Cell::new(BUDGET),
        }
    }

    /// The regular file that a path leads to.
    pub(super) fn find(&self, path: &str) -> Option<Found> {
        let (path, node) = self.tree.resolve(path.as_bytes()).ok()?;
        let NodeRef::Inode(_, inode) = node else {
            return None;
        };
        let Content::File { object, size } = inode.content else {
            return None;
        };
        Some(Found { path, object, size })
    }

    /// The bytes of the file that a path leads to; none where there is no file.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(found) = self.find(path) else {
            return Ok(None);
        };
        let Some(object) = found.object else {
            return Ok(Some(Vec::new()));
        };
        if found.size > LARGEST {
            return Err(over(path, LARGEST));
        }
        self.charge(path, found.size)?;
        let mut bytes = Vec::new();
        self.store
            .open_object(object)?
            .take(LARGEST)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::damaged(path, error))?;
        Ok(Some(bytes))
    }

    /// The names in a directory, sorted; none where there is no directory.
    pub(crate) fn names(&self, directory: &str) -> Vec<&'a str> {
        let Ok(NodeRef::Directory(found)) = self.tree.lookup(directory.as_bytes()) else {
            return Vec::new();
        };
        let names = found.entries.keys();
        names
            .filter_map(|name| std::str::from_utf8(name).ok())
            .collect()
    }

    /// Takes what is about to be kept off the budget.
    pub(super) fn charge(&self, path: &str, bytes: u64) -> Result<(), Error> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or_else(|| over(path, BUDGET))?);
        Ok(())
    }
}

fn over(path: &str, limit: u64) -> Error {
    Error::Limit {
        path: path.to_owned(),
        limit,
    }
}
