//! The difference between two trees, as a list of changes.
//!
//! A [`Layer`] is canonical: the trees determine it. Its text is `racker-layer 1`, the lines
//! `base TREE` and `result TREE`, and one [`Entry`](crate::entry) per changed path in the order of a tree
//! manifest; its name is the BLAKE3 of that text.

use crate::entry::{self, Entry};
use crate::error::{Error, Result};
use crate::hex;
use crate::id::{LayerId, TreeId};
use crate::manifest::lines;
use crate::tree::{Inode, Metadata, PathBytes};

const HEADER: &[u8] = b"racker-layer 1\n";
const WHAT: &str = "layer manifest";

/// What becomes of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing is there any more, nor below it.
    Remove,
    /// A directory: made, or given this metadata; what is in it stays.
    Directory(Metadata),
    /// A file with no other name so far, in place of whatever was there.
    Inode(Inode),
    /// Another name of the file at this path, which is listed before.
    Link(PathBytes),
}

/// The difference between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The tree before.
    pub base: TreeId,
    /// The tree after.
    pub result: TreeId,
    /// Changed paths in the order of a tree manifest.
    pub changes: Vec<(PathBytes, Change)>,
}

impl Layer {
    /// The canonical manifest.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = HEADER.to_vec();
        for (name, id) in [("base ", self.base), ("result ", self.result)] {
            out.extend_from_slice(name.as_bytes());
            hex::push(&mut out, id.as_bytes());
            out.push(b'\n');
        }
        for (path, change) in &self.changes {
            match change {
                Change::Remove => entry::push_mark(&mut out, path, b'-', None),
                Change::Directory(metadata) => entry::push_directory(&mut out, path, metadata),
                Change::Inode(inode) => entry::push_inode(&mut out, path, inode),
                Change::Link(first) => entry::push_mark(&mut out, path, b'h', Some(first)),
            }
        }
        out
    }

    /// Reads a manifest.
    pub fn decode(text: &[u8]) -> Result<Self> {
        let mut lines = lines(text, HEADER, WHAT)?;
        let base = tree_id(lines.next(), b"base ", 2)?;
        let result = tree_id(lines.next(), b"result ", 3)?;
        let mut changes = Vec::new();
        for (index, line) in lines.enumerate() {
            let fail = |reason| Error::manifest(WHAT, index + 4, reason);
            let (path, entry) = entry::parse(line).map_err(fail)?;
            let change = match entry {
                Entry::Remove => Change::Remove,
                Entry::Directory(metadata) => Change::Directory(metadata),
                Entry::Inode(inode) => Change::Inode(inode),
                Entry::Link(first) => Change::Link(first),
                _ => return Err(fail("has a kind that no layer has")),
            };
            changes.push((path, change));
        }
        Ok(Self {
            base,
            result,
            changes,
        })
    }

    /// The layer's name: BLAKE3 of its manifest.
    pub fn id(&self) -> LayerId {
        LayerId::from_bytes(*blake3::hash(&self.encode()).as_bytes())
    }
}

fn tree_id(line: Option<&[u8]>, name: &[u8], number: usize) -> Result<TreeId> {
    line.and_then(|line| hex::decode(line.strip_prefix(name)?))
        .map(TreeId::from_bytes)
        .ok_or(Error::manifest(WHAT, number, "does not name a tree"))
}
