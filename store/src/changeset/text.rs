//! A changeset as text, to keep it beside the archive it came from.
//!
//! `racker-changeset 1`, then one [`Entry`](crate::entry) per path in the order of a tree
//! manifest. Every directory has a line, followed by one with `!` if it hides what lies below.

use std::collections::HashMap;

use super::types::{Changed, Changeset, Item};
use crate::entry::{self, Entry};
use crate::error::{Error, Result};
use crate::manifest::lines;
use crate::path::{join, split};
use crate::tree::{InodeId, PathBytes};

const HEADER: &[u8] = b"racker-changeset 1\n";
const WHAT: &str = "changeset";

impl Changeset {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = HEADER.to_vec();
        let mut first = vec![None; self.inodes.len()];
        self.encode_directory(&mut out, b"", &self.root, &mut first);
        out
    }

    fn encode_directory(
        &self,
        out: &mut Vec<u8>,
        path: &[u8],
        directory: &Changed,
        first: &mut [Option<PathBytes>],
    ) {
        match &directory.metadata {
            Some(metadata) => entry::push_directory(out, path, metadata),
            None => entry::push_mark(out, path, b'.', None),
        }
        if directory.opaque {
            entry::push_mark(out, path, b'!', None);
        }
        for (name, item) in &directory.entries {
            let path = join(path, name);
            match item {
                Item::Directory(directory) => self.encode_directory(out, &path, directory, first),
                Item::LinkBelow(target) => entry::push_mark(out, &path, b'>', Some(target)),
                Item::Whiteout => entry::push_mark(out, &path, b'-', None),
                Item::Inode(id) => match &mut first[id.index()] {
                    Some(first) => entry::push_mark(out, &path, b'h', Some(first)),
                    none => {
                        entry::push_inode(out, &path, self.inode(*id));
                        *none = Some(path);
                    }
                },
            }
        }
    }

    pub(crate) fn decode(text: &[u8]) -> Result<Self> {
        let mut changeset = Self::default();
        let mut names: HashMap<PathBytes, InodeId> = HashMap::new();
        for (index, line) in lines(text, HEADER, WHAT)?.enumerate() {
            let fail = |reason| Error::manifest(WHAT, index + 2, reason);
            let (path, entry) = entry::parse(line).map_err(fail)?;
            let item = match entry {
                Entry::Implicit => {
                    changeset.changed(&path)?;
                    continue;
                }
                Entry::Directory(metadata) => {
                    changeset.changed(&path)?.metadata = Some(metadata);
                    continue;
                }
                Entry::Opaque => {
                    changeset.changed(&path)?.opaque = true;
                    continue;
                }
                Entry::Inode(inode) => {
                    let id = changeset.push(inode);
                    names.insert(path.clone(), id);
                    Item::Inode(id)
                }
                Entry::Link(first) => Item::Inode(
                    *names
                        .get(&first)
                        .ok_or(fail("links to nothing before it"))?,
                ),
                Entry::LinkBelow(target) => Item::LinkBelow(target),
                Entry::Remove => Item::Whiteout,
            };
            if path.is_empty() {
                return Err(fail("has another root"));
            }
            let (parent, name) = split(&path);
            changeset.changed(parent)?.entries.insert(name.into(), item);
        }
        Ok(changeset)
    }
}
