//! The canonical text of a tree, and back.
//!
//! The first line is `racker-tree 1`, every other one an [`Entry`](crate::entry): the root first,
//! parents before their entries, entries by the bytes of their names, the second and later names
//! of a file as links to its first. One tree has exactly one manifest: [`Tree::decode`] accepts
//! nothing that [`Tree::encode`] would not write. Changing this text changes every tree's name.

use std::collections::HashMap;

use crate::entry::{self, Entry};
use crate::error::{Error, Result};
use crate::path::split;
use crate::tree::{Directory, Node, NodeRef, PathBytes, Tree};

const HEADER: &[u8] = b"racker-tree 1\n";
const WHAT: &str = "tree manifest";

impl Tree {
    /// The canonical manifest.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER.len() + self.inodes.len() * 160);
        out.extend_from_slice(HEADER);
        let mut first: Vec<Option<PathBytes>> = vec![None; self.inodes.len()];
        for (path, node) in self.entries() {
            match node {
                NodeRef::Directory(directory) => {
                    entry::push_directory(&mut out, &path, &directory.metadata);
                }
                NodeRef::Inode(id, inode) => {
                    if let Some(first) = &first[id.index()] {
                        entry::push_mark(&mut out, &path, b'h', Some(first));
                    } else {
                        entry::push_inode(&mut out, &path, inode);
                        first[id.index()] = Some(path);
                    }
                }
            }
        }
        out
    }

    /// Reads a canonical manifest, and nothing else.
    pub fn decode(text: &[u8]) -> Result<Self> {
        let mut tree = Self::default();
        let mut names: HashMap<PathBytes, Node> = HashMap::new();
        let mut open: Vec<(PathBytes, Directory)> = Vec::new();
        let mut number = 1;
        for line in lines(text, HEADER, WHAT)? {
            number += 1;
            let fail = |reason| Error::manifest(WHAT, number, reason);
            let (path, entry) = entry::parse(line).map_err(fail)?;
            if path.is_empty() {
                match entry {
                    Entry::Directory(metadata) if open.is_empty() => {
                        open.push((path, Directory::new(metadata)));
                        continue;
                    }
                    _ => return Err(fail("has another root")),
                }
            }
            let (parent, name) = split(&path);
            while open
                .last()
                .is_some_and(|(directory, _)| directory != parent)
            {
                close(&mut open);
            }
            let Some((_, directory)) = open.last_mut() else {
                return Err(fail("has no parent before it"));
            };
            let node = match entry {
                Entry::Directory(metadata) => {
                    open.push((path, Directory::new(metadata)));
                    continue;
                }
                Entry::Inode(inode) => {
                    let id = tree.push(inode);
                    names.insert(path.clone(), Node::Inode(id));
                    Node::Inode(id)
                }
                Entry::Link(first) => match names.get(&first) {
                    Some(node) => node.clone(),
                    None => return Err(fail("links to nothing before it")),
                },
                _ => return Err(fail("has a kind that no tree has")),
            };
            directory.entries.insert(name.into(), node);
        }
        while open.len() > 1 {
            close(&mut open);
        }
        tree.root = open
            .pop()
            .ok_or_else(|| Error::manifest(WHAT, number, "has no root"))?
            .1;
        if tree.encode() != text {
            return Err(Error::manifest(
                WHAT,
                number,
                "is the last of a manifest that is not canonical",
            ));
        }
        Ok(tree)
    }
}

/// Moves the innermost open directory into its parent.
fn close(open: &mut Vec<(PathBytes, Directory)>) {
    if let Some((path, directory)) = open.pop()
        && let Some((_, parent)) = open.last_mut()
    {
        parent
            .entries
            .insert(split(&path).1.into(), Node::Directory(directory));
    }
}

/// Lines behind the header, without their ends.
pub(crate) fn lines<'a>(
    text: &'a [u8],
    header: &[u8],
    what: &'static str,
) -> Result<impl Iterator<Item = &'a [u8]>> {
    let body = text
        .strip_prefix(header)
        .ok_or(Error::manifest(what, 1, "is no known header"))?;
    if body.last().is_some_and(|last| *last != b'\n') {
        return Err(Error::manifest(what, 1, "begins a text that is cut off"));
    }
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let count = if body.is_empty() { 0 } else { usize::MAX };
    Ok(body.split(|byte| *byte == b'\n').take(count))
}
