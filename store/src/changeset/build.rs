//! Building a changeset, entry by entry.

use super::types::{Changed, Changeset, Item};
use crate::error::{Error, Result};
use crate::path::{MAX_PATH, components, join, normal, split};
use crate::tree::{Content, Inode, InodeId, Metadata, PathBytes, check_content};

/// Symbolic links followed in one path.
const MAX_LINKS: usize = 40;

/// What is at a path, as far as the layer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found<'a> {
    Directory,
    Inode(InodeId),
    /// A hard link to this path of the tree below.
    Below(&'a [u8]),
    Nothing,
}

impl Changeset {
    /// The inode at this place.
    pub(crate) fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[id.index()]
    }

    pub(crate) fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        &mut self.inodes[id.index()]
    }

    pub(crate) fn push(&mut self, inode: Inode) -> InodeId {
        self.inodes.push(inode);
        InodeId(self.inodes.len() as u32 - 1)
    }

    /// A directory entry.
    pub(crate) fn directory(&mut self, path: &[u8], metadata: Metadata) -> Result<()> {
        let path = self.through_links(path)?;
        self.changed(&path)?.metadata = Some(metadata);
        Ok(())
    }

    /// An entry of any other kind.
    pub(crate) fn file(&mut self, path: &[u8], inode: Inode) -> Result<InodeId> {
        check_content(path, &inode.content)?;
        let id = self.push(inode);
        self.name(path, id)?;
        Ok(id)
    }

    /// Another name of a file of this layer.
    pub(crate) fn name(&mut self, path: &[u8], id: InodeId) -> Result<()> {
        self.put(path, Item::Inode(id))
    }

    /// A hard link by path.
    pub(crate) fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let target = self.through_links(target)?;
        if self.through_links(path)? == target && !target.is_empty() {
            return match self.find(&target) {
                Found::Inode(_) | Found::Below(_) => Ok(()),
                _ => Err(Error::path(&target, "is a hard link to itself")),
            };
        }
        match self.find(&target) {
            Found::Inode(id) => self.name(path, id),
            Found::Below(target) => {
                let target = target.to_vec();
                self.put(path, Item::LinkBelow(target))
            }
            Found::Nothing => self.put(path, Item::LinkBelow(target)),
            Found::Directory => Err(Error::path(
                &target,
                "is a directory, to which there are no hard links",
            )),
        }
    }

    /// Hides what lies below under this name; what the layer has there itself stays.
    pub(crate) fn whiteout(&mut self, path: &[u8]) -> Result<()> {
        let path = self.through_links(path)?;
        if path.is_empty() {
            return Err(Error::path(&path, "the root cannot be removed"));
        }
        let (parent, name) = split(&path);
        match self
            .changed(parent)?
            .entries
            .entry(name.into())
            .or_insert(Item::Whiteout)
        {
            Item::Directory(directory) => directory.opaque = true,
            Item::Inode(_) | Item::LinkBelow(_) | Item::Whiteout => {}
        }
        Ok(())
    }

    /// Hides what lies below in this directory; what the layer has in it itself stays.
    pub(crate) fn opaque(&mut self, path: &[u8]) -> Result<()> {
        let path = self.through_links(path)?;
        self.changed(&path)?.opaque = true;
        Ok(())
    }

    fn put(&mut self, path: &[u8], item: Item) -> Result<()> {
        let path = self.through_links(path)?;
        if path.is_empty() {
            return Err(Error::path(&path, "the root must stay a directory"));
        }
        let (parent, name) = split(&path);
        self.changed(parent)?.entries.insert(name.into(), item);
        Ok(())
    }

    /// The directory at this path, made where it is missing.
    pub(crate) fn changed(&mut self, path: &[u8]) -> Result<&mut Changed> {
        let mut directory = &mut self.root;
        for name in components(path) {
            let item = directory
                .entries
                .entry(name.into())
                .or_insert_with(|| Item::Directory(Changed::default()));
            if !matches!(item, Item::Directory(_)) {
                // In place of a file or a whiteout: nothing below shows through.
                *item = Item::Directory(Changed {
                    opaque: true,
                    ..Changed::default()
                });
            }
            match item {
                Item::Directory(next) => directory = next,
                _ => return Err(Error::path(path, "has a file for a parent")),
            }
        }
        Ok(directory)
    }

    fn find(&self, path: &[u8]) -> Found<'_> {
        let mut directory = &self.root;
        let mut found = Found::Directory;
        for name in components(path) {
            if found != Found::Directory {
                return Found::Nothing;
            }
            match directory.entries.get(name) {
                Some(Item::Directory(next)) => directory = next,
                Some(Item::Inode(id)) => found = Found::Inode(*id),
                Some(Item::LinkBelow(target)) => found = Found::Below(target),
                Some(Item::Whiteout) | None => return Found::Nothing,
            }
        }
        found
    }

    /// The normal form of a path, its directory part taken through symbolic links of this layer.
    fn through_links(&self, path: &[u8]) -> Result<PathBytes> {
        let path = normal(path)?;
        let (parent, name) = split(&path);
        if parent.is_empty() || self.find(parent) == Found::Directory {
            return Ok(path);
        }
        let mut done = PathBytes::new();
        let mut links = 0;
        let mut todo: Vec<Vec<u8>> = components(parent).rev().map(<[u8]>::to_vec).collect();
        while let Some(next) = todo.pop() {
            if next == b".." {
                done = split(&done).0.to_vec();
                continue;
            }
            let here = join(&done, &next);
            if let Found::Inode(id) = self.find(&here)
                && let Content::Symlink(target) = &self.inode(id).content
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Error::path(&path, "leads through too many symbolic links"));
                }
                if target.first() == Some(&b'/') {
                    done.clear();
                }
                todo.extend(components(target).rev().map(<[u8]>::to_vec));
                continue;
            }
            done = here;
        }
        let path = join(&done, name);
        if path.len() > MAX_PATH {
            return Err(Error::Limit {
                what: "path length",
                limit: MAX_PATH as u64,
            });
        }
        Ok(path)
    }
}
