//! A changeset over the tree that lies below.

use super::types::{Changed, Changeset, Item};
use crate::error::{Error, Result};
use crate::path::join;
use crate::tree::{Content, Directory, InodeId, Metadata, Node, NodeRef, PathBytes, Tree};

impl Changeset {
    /// The tree that results over `parent`.
    ///
    /// A directory that the layer only passes through is left as it is, or made as root's, 0755,
    /// at the epoch. Where the parent has a symbolic link to a directory under that name, the link
    /// stays and is followed: a layer with `bin/tool` does not take `/bin` from a system where
    /// `bin` leads to `usr/bin`.
    pub fn apply(&self, parent: &Tree) -> Result<Tree> {
        let mut tree = parent.clone();
        let offset = tree.inodes.len() as u32;
        tree.inodes.extend(self.inodes.iter().cloned());
        let mut merge = Merge {
            offset,
            parent,
            links: Vec::new(),
            elsewhere: Vec::new(),
        };
        let mut root = std::mem::replace(&mut tree.root, Directory::new(Metadata::new(0o755)));
        merge.directory(&mut root, &self.root, &mut PathBytes::new());
        tree.root = root;
        // What lies behind a symbolic link of the parent may hold such a link in turn.
        while let Some((path, change)) = merge.elsewhere.pop() {
            if let Some(directory) = tree.directory_mut(&path) {
                let mut taken = std::mem::replace(directory, Directory::new(Metadata::new(0o755)));
                merge.directory(&mut taken, change, &mut path.clone());
                if let Some(directory) = tree.directory_mut(&path) {
                    *directory = taken;
                }
            }
        }
        for (path, target) in merge.links {
            let node = match parent.get(target) {
                None => below_links(parent, target).or_else(|| tree.get(target)),
                found => found,
            };
            let Some(NodeRef::Inode(id, _)) = node else {
                return Err(Error::path(
                    target,
                    "is the target of a hard link and no file",
                ));
            };
            let (directory, name) = crate::path::split(&path);
            if let Some(directory) = tree.directory_mut(directory) {
                directory.entries.insert(name.into(), Node::Inode(id));
            }
        }
        Ok(tree)
    }
}

/// The file at a path whose directory part leads through symbolic links.
fn below_links<'a>(tree: &'a Tree, path: &[u8]) -> Option<NodeRef<'a>> {
    let (directory, name) = crate::path::split(path);
    let (directory, _) = tree.resolve(directory).ok()?;
    tree.get(&join(&directory, name))
}

struct Merge<'a> {
    /// Place of the changeset's first inode in the result.
    offset: u32,
    parent: &'a Tree,
    links: Vec<(PathBytes, &'a [u8])>,
    elsewhere: Vec<(PathBytes, &'a Changed)>,
}

impl<'a> Merge<'a> {
    fn directory(&mut self, directory: &mut Directory, change: &'a Changed, path: &mut PathBytes) {
        if change.opaque {
            directory.entries.clear();
        }
        if let Some(metadata) = &change.metadata {
            directory.metadata = metadata.clone();
        }
        for (name, item) in &change.entries {
            match item {
                Item::Whiteout => {
                    directory.entries.remove(name);
                }
                Item::Inode(id) => {
                    directory
                        .entries
                        .insert(name.clone(), Node::Inode(InodeId(id.0 + self.offset)));
                }
                Item::LinkBelow(target) => {
                    directory.entries.remove(name);
                    self.links.push((join(path, name), target));
                }
                Item::Directory(next) => {
                    let length = path.len();
                    *path = join(path, name);
                    self.child(directory, name, next, path);
                    path.truncate(length);
                }
            }
        }
    }

    fn child(
        &mut self,
        parent: &mut Directory,
        name: &[u8],
        change: &'a Changed,
        path: &mut PathBytes,
    ) {
        let old = parent.entries.remove(name);
        let mut child = match old {
            Some(Node::Directory(child)) => child,
            Some(Node::Inode(id)) if change.metadata.is_none() && !change.opaque => {
                if let Some(target) = self.behind_link(id, path) {
                    parent.entries.insert(name.into(), Node::Inode(id));
                    self.elsewhere.push((target, change));
                    return;
                }
                Directory::new(Metadata::new(0o755))
            }
            _ => Directory::new(Metadata::new(0o755)),
        };
        if change.opaque && change.metadata.is_none() {
            child.metadata = Metadata::new(0o755);
        }
        self.directory(&mut child, change, path);
        parent.entries.insert(name.into(), Node::Directory(child));
    }

    /// The directory of the parent tree that its symbolic link at `path` leads to.
    fn behind_link(&self, id: InodeId, path: &[u8]) -> Option<PathBytes> {
        let inode = self.parent.inodes.get(id.index())?;
        if !matches!(inode.content, Content::Symlink(_)) {
            return None;
        }
        match self.parent.resolve(path).ok()? {
            (target, NodeRef::Directory(_)) => Some(target),
            _ => None,
        }
    }
}
