//! The changeset itself: a tree with holes.

use std::collections::BTreeMap;

use crate::tree::{Inode, InodeId, Metadata, PathBytes};

/// What a layer says, independent of what lies below.
#[derive(Debug, Clone, Default)]
pub struct Changeset {
    pub(crate) root: Changed,
    pub(crate) inodes: Vec<Inode>,
}

/// A directory that a layer has something in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changed {
    /// None where the directory is only passed through.
    pub(crate) metadata: Option<Metadata>,
    /// Whether it hides what lies below.
    pub(crate) opaque: bool,
    pub(crate) entries: BTreeMap<Box<[u8]>, Item>,
}

/// What a layer says of one name.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Directory(Changed),
    Inode(InodeId),
    /// A hard link to this path of the tree below.
    LinkBelow(PathBytes),
    Whiteout,
}
