//! Both trees at once, directory by directory.

use std::collections::{BTreeMap, HashMap, HashSet};

use racker_store::{Content, InodeId, Metadata, Node, NodeRef, PathBytes, Tree};

use super::difference::{Difference, of_content, of_metadata};
use super::{Change, FileChange, Side, State, Sums};
use crate::installed::Installed;
use crate::shown::{shown, shown_path};

/// Lists every path that differs, and sums them up.
pub(super) fn walk(before: Side<'_>, after: Side<'_>) -> (Vec<FileChange>, Sums) {
    let mut walk = Walk {
        before: Half::new(before),
        after: Half::new(after),
        files: Vec::new(),
        sums: Sums::default(),
    };
    let root = |side: Side<'_>| side.tree.root.metadata.clone();
    let (old, new) = (root(before), root(after));
    walk.compare(&[], Some((&old, None)), Some((&new, None)));
    walk.directories(
        &mut PathBytes::new(),
        Some(&before.tree.root.entries),
        Some(&after.tree.root.entries),
    );
    (walk.files, walk.sums)
}

type Entries = BTreeMap<Box<[u8]>, Node>;

/// Metadata of what is at a path, and the place of its inode if it is no directory.
type Found<'a> = (&'a Metadata, Option<InodeId>);

struct Walk<'a> {
    before: Half<'a>,
    after: Half<'a>,
    files: Vec<FileChange>,
    sums: Sums,
}

/// One side, with what is asked of it again and again.
struct Half<'a> {
    tree: &'a Tree,
    installed: &'a Installed,
    /// Names of every file that has more than one.
    names: HashMap<InodeId, Vec<PathBytes>>,
    /// Files whose bytes were counted.
    counted: HashSet<InodeId>,
}

impl<'a> Half<'a> {
    fn new(side: Side<'a>) -> Self {
        let mut names: HashMap<InodeId, Vec<PathBytes>> = HashMap::new();
        for (path, node) in side.tree.entries() {
            if let NodeRef::Inode(id, _) = node {
                names.entry(id).or_default().push(path);
            }
        }
        names.retain(|_, names| names.len() > 1);
        Self {
            tree: side.tree,
            installed: side.installed,
            names,
            counted: HashSet::new(),
        }
    }

    fn found<'n>(&self, node: &'n Node) -> Found<'n>
    where
        'a: 'n,
    {
        match node {
            Node::Directory(directory) => (&directory.metadata, None),
            Node::Inode(id) => (&self.tree.inode(*id).metadata, Some(*id)),
        }
    }

    fn content(&self, id: InodeId) -> &'a Content {
        &self.tree.inode(id).content
    }

    fn state(&self, path: &[u8], (metadata, id): Found<'_>) -> State {
        let content = id.map(|id| (self.content(id), self.names.get(&id).map_or(1, Vec::len)));
        State {
            package: self.installed.owner(path).map(|it| it.name.clone()),
            ..State::new(metadata, content)
        }
    }

    /// Bytes of a file that were not counted yet.
    fn count(&mut self, found: Option<Found<'_>>) -> u64 {
        match found.and_then(|(_, id)| Some((id?, self.content(id?)))) {
            Some((id, Content::File { size, .. })) if self.counted.insert(id) => *size,
            _ => 0,
        }
    }
}

impl Walk<'_> {
    /// Compares what is in two directories, of which one may be missing; both lists are sorted.
    fn directories(&mut self, path: &mut PathBytes, old: Option<&Entries>, new: Option<&Entries>) {
        let mut old = old.into_iter().flatten().peekable();
        let mut new = new.into_iter().flatten().peekable();
        loop {
            let first = match (old.peek(), new.peek()) {
                (Some((one, _)), Some((other, _))) => one.min(other),
                (Some((name, _)), None) | (None, Some((name, _))) => name,
                (None, None) => return,
            };
            let first = (*first).clone();
            let one = old.next_if(|(name, _)| **name == first);
            let other = new.next_if(|(name, _)| **name == first);
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&first);
            self.nodes(path, one.map(|it| it.1), other.map(|it| it.1));
            path.truncate(length);
        }
    }

    fn nodes(&mut self, path: &mut PathBytes, old: Option<&Node>, new: Option<&Node>) {
        let before = old.map(|node| self.before.found(node));
        let after = new.map(|node| self.after.found(node));
        self.compare(path, before, after);
        let inside = |node: Option<&Node>| matches!(node, Some(Node::Directory(_)));
        if inside(old) || inside(new) {
            self.directories(path, entries(old), entries(new));
        }
    }

    fn compare(&mut self, path: &[u8], before: Option<Found<'_>>, after: Option<Found<'_>>) {
        let (change, differs) = match (before, after) {
            (Some(old), Some(new)) => match self.differences(old, new) {
                none if none.is_empty() => return,
                some => (Change::Changed, some),
            },
            (None, _) => (Change::Added, Vec::new()),
            (_, None) => (Change::Removed, Vec::new()),
        };
        let xattrs = match (before, after) {
            (Some(old), Some(new)) => xattrs(old.0, new.0),
            _ => Vec::new(),
        };
        self.files.push(FileChange {
            path: shown_path(path),
            change,
            differs,
            xattrs,
            before: before.map(|found| self.before.state(path, found)),
            after: after.map(|found| self.after.state(path, found)),
        });
        let (old, new) = (self.before.count(before), self.after.count(after));
        self.sums.add(change, old, new);
    }

    fn differences(&self, old: Found<'_>, new: Found<'_>) -> Vec<Difference> {
        let mut all = of_metadata(old.0, new.0);
        match (old.1, new.1) {
            (None, None) => {}
            (Some(one), Some(other)) => {
                all.extend(of_content(
                    self.before.content(one),
                    self.after.content(other),
                ));
                if self.before.names.get(&one) != self.after.names.get(&other) {
                    all.push(Difference::Links);
                }
            }
            _ => all.push(Difference::Kind),
        }
        all.sort();
        all
    }
}

fn entries(node: Option<&Node>) -> Option<&Entries> {
    match node? {
        Node::Directory(directory) => Some(&directory.entries),
        Node::Inode(_) => None,
    }
}

/// Names of the attributes that differ.
fn xattrs(old: &Metadata, new: &Metadata) -> Vec<String> {
    let names = old.xattrs.keys().chain(new.xattrs.keys());
    let mut differing: Vec<_> = names
        .filter(|name| old.xattrs.get(*name) != new.xattrs.get(*name))
        .map(|name| shown(name))
        .collect();
    differing.sort();
    differing.dedup();
    differing
}
