//! Two trees to the layer between them; the inverse of [`Layer::apply`].
//!
//! A file counts as unchanged when it is equal *and* has the same names in both trees. Otherwise
//! all names it has in the result are listed, the first with the file, the others as links. So the
//! structure of hard links comes back exactly, whatever was linked or parted.

use std::collections::HashMap;

use crate::layer::{Change, Layer};
use crate::path::join;
use crate::tree::{Directory, InodeId, Node, NodeRef, PathBytes, Tree};

/// The layer that turns `base` into `result`.
pub fn diff(base: &Tree, result: &Tree) -> Layer {
    Layer {
        base: base.id(),
        result: result.id(),
        changes: changes(base, result),
    }
}

/// What [`diff`] lists.
pub(crate) fn changes(base: &Tree, result: &Tree) -> Vec<(PathBytes, Change)> {
    let mut walk = Walk {
        base,
        result,
        base_links: links(base),
        result_links: links(result),
        first: HashMap::new(),
        changes: Vec::new(),
    };
    if base.root.metadata != result.root.metadata {
        walk.changes.push((
            PathBytes::new(),
            Change::Directory(result.root.metadata.clone()),
        ));
    }
    walk.directory(b"", Some(&base.root), &result.root);
    walk.changes
}

/// Names of every file that has more than one.
fn links(tree: &Tree) -> HashMap<InodeId, Vec<PathBytes>> {
    let mut count = vec![0_u32; tree.inodes.len()];
    count_names(&tree.root, &mut count);
    let mut names: HashMap<InodeId, Vec<PathBytes>> = HashMap::new();
    if count.iter().any(|count| *count > 1) {
        for (path, node) in tree.entries() {
            if let NodeRef::Inode(id, _) = node
                && count[id.index()] > 1
            {
                names.entry(id).or_default().push(path);
            }
        }
    }
    names
}

/// Number of names of every inode, by its place.
pub(crate) fn count_names(directory: &Directory, count: &mut [u32]) {
    for node in directory.entries.values() {
        match node {
            Node::Directory(directory) => count_names(directory, count),
            Node::Inode(id) => count[id.index()] += 1,
        }
    }
}

struct Walk<'a> {
    base: &'a Tree,
    result: &'a Tree,
    base_links: HashMap<InodeId, Vec<PathBytes>>,
    result_links: HashMap<InodeId, Vec<PathBytes>>,
    first: HashMap<InodeId, PathBytes>,
    changes: Vec<(PathBytes, Change)>,
}

impl Walk<'_> {
    /// Compares what is in a directory; both lists are sorted, so one pass over them is enough.
    fn directory(&mut self, path: &[u8], base: Option<&Directory>, result: &Directory) {
        let mut old = base.into_iter().flat_map(|base| &base.entries).peekable();
        let mut new = result.entries.iter().peekable();
        loop {
            match (old.peek(), new.peek()) {
                (Some((name, _)), next) if next.is_none_or(|(other, _)| *name < *other) => {
                    self.changes.push((join(path, name), Change::Remove));
                    old.next();
                }
                (before, Some((name, node))) => {
                    let before = before
                        .filter(|(other, _)| other == name)
                        .map(|(_, node)| *node);
                    self.node(join(path, name), before, node);
                    if before.is_some() {
                        old.next();
                    }
                    new.next();
                }
                _ => return,
            }
        }
    }

    fn node(&mut self, path: PathBytes, old: Option<&Node>, new: &Node) {
        match new {
            Node::Directory(new) => {
                let old = match old {
                    Some(Node::Directory(old)) => Some(old),
                    _ => None,
                };
                if old.is_none_or(|old| old.metadata != new.metadata) {
                    self.changes
                        .push((path.clone(), Change::Directory(new.metadata.clone())));
                }
                self.directory(&path, old, new);
            }
            Node::Inode(id) => {
                if old.is_some_and(|old| self.unchanged(old, *id)) {
                    return;
                }
                let change = if let Some(first) = self.first.get(id) {
                    Change::Link(first.clone())
                } else {
                    if self.result_links.contains_key(id) {
                        self.first.insert(*id, path.clone());
                    }
                    Change::Inode(self.result.inode(*id).clone())
                };
                self.changes.push((path, change));
            }
        }
    }

    fn unchanged(&self, old: &Node, new: InodeId) -> bool {
        let Node::Inode(old) = old else { return false };
        self.base_links.get(old) == self.result_links.get(&new)
            && self.base.inode(*old) == self.result.inode(new)
    }
}
