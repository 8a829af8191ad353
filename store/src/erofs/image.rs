//! Placing inodes and writing the image.

use std::collections::HashMap;

use super::directory::{Blocks, Child};
use super::format::{
    BLOCK, BLOCK_BITS, CHUNK_BITS, FIRST_INODE, INODE, Layout, RawInode, SLOT, SUPERBLOCK, kind,
    superblock,
};
use super::xattr;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::tree::{Content, Directory, Metadata, Node, Tree};

/// The image of a tree.
pub(crate) fn image(tree: &Tree) -> Result<Vec<u8>> {
    build(tree, Bodies::Objects).map(|image| image.head)
}

/// An image with the bodies of files.
pub(crate) struct Whole {
    /// What comes first.
    pub(crate) head: Vec<u8>,
    /// The objects that follow with their sizes, each from the beginning of a block.
    pub(crate) objects: Vec<(ObjectId, u64)>,
}

/// The image of a tree with the bodies of its files.
pub(crate) fn whole(tree: &Tree) -> Result<Whole> {
    build(tree, Bodies::Inside)
}

/// Where the bodies of files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bodies {
    /// With the store's objects.
    Objects,
    /// Behind everything else, each once.
    Inside,
}

fn build(tree: &Tree, bodies: Bodies) -> Result<Whole> {
    let mut items = Vec::with_capacity(tree.inodes.len() * 9 / 8);
    let mut known = vec![None; tree.inodes.len()];
    collect(tree, &tree.root, 0, bodies, &mut items, &mut known)?;
    let mut position = FIRST_INODE;
    for item in &mut items {
        position = item.place(position);
    }
    let mut block = position.div_ceil(BLOCK);
    for item in &mut items {
        item.block = block;
        block += item.blocks();
    }
    let mut head = vec![0; block * BLOCK];
    let objects = match bodies {
        Bodies::Objects => Vec::new(),
        Bodies::Inside => place_objects(&mut items, &mut block),
    };
    let blocks = u32::try_from(block).map_err(|_| Error::Limit {
        what: "blocks of an image",
        limit: u32::MAX.into(),
    })?;
    let chunked = bodies == Bodies::Objects;
    put(
        &mut head,
        SUPERBLOCK,
        &superblock(items[0].offset, items.len() as u64, blocks, chunked),
    );
    for (number, item) in items.iter().enumerate() {
        item.write(&mut head, number, &items);
    }
    Ok(Whole { head, objects })
}

/// Gives each object its place from a block on; says in which order they stand, with their sizes.
fn place_objects(items: &mut [Item<'_>], block: &mut usize) -> Vec<(ObjectId, u64)> {
    let mut objects = Vec::new();
    let mut places = HashMap::new();
    for item in items {
        let Body::Content(Content::File {
            object: Some(object),
            size,
        }) = item.body
        else {
            continue;
        };
        item.block = *places.entry(*object).or_insert_with(|| {
            objects.push((*object, *size));
            let place = *block;
            *block += (*size as usize).div_ceil(BLOCK);
            place
        });
    }
    objects
}

/// An inode of the image.
struct Item<'a> {
    metadata: &'a Metadata,
    body: Body<'a>,
    bodies: Bodies,
    links: u32,
    xattrs: Vec<u8>,
    /// Where it stands in the image.
    offset: usize,
    /// First block of its data, where it has any.
    block: usize,
}

enum Body<'a> {
    Directory(Vec<Child<'a>>, Blocks),
    Content(&'a Content),
}

/// Lists a directory and everything below it, in the order of the manifest.
fn collect<'a>(
    tree: &'a Tree,
    directory: &'a Directory,
    parent: usize,
    bodies: Bodies,
    items: &mut Vec<Item<'a>>,
    known: &mut [Option<usize>],
) -> Result<usize> {
    let here = items.len();
    items.push(Item {
        metadata: &directory.metadata,
        body: Body::Content(&Content::Fifo), // until the children are known
        bodies,
        links: 2,
        xattrs: xattr::encode(&directory.metadata.xattrs, None),
        offset: 0,
        block: 0,
    });
    let mut children: Vec<Child<'a>> = Vec::with_capacity(directory.entries.len() + 2);
    children.push((b".", here, kind::DIRECTORY));
    children.push((b"..", parent, kind::DIRECTORY));
    for (name, node) in &directory.entries {
        children.push(match node {
            Node::Directory(child) => {
                items[here].links += 1;
                (
                    name,
                    collect(tree, child, here, bodies, items, known)?,
                    kind::DIRECTORY,
                )
            }
            Node::Inode(id) => {
                let inode = tree.inode(*id);
                let at = *known[id.index()].get_or_insert(items.len());
                if at == items.len() {
                    crate::tree::check_content(name, &inode.content)?;
                    let object = match inode.content {
                        Content::File { object, .. } if bodies == Bodies::Objects => object,
                        _ => None,
                    };
                    items.push(Item {
                        metadata: &inode.metadata,
                        body: Body::Content(&inode.content),
                        bodies,
                        links: 0,
                        xattrs: xattr::encode(&inode.metadata.xattrs, object),
                        offset: 0,
                        block: 0,
                    });
                }
                items[at].links += 1;
                (name, at, kind_of(&inode.content))
            }
        });
    }
    children.sort_unstable_by_key(|(name, ..)| *name);
    let blocks = Blocks::divide(&children);
    items[here].body = Body::Directory(children, blocks);
    Ok(here)
}

fn kind_of(content: &Content) -> u8 {
    match content {
        Content::File { .. } => kind::FILE,
        Content::Symlink(_) => kind::SYMLINK,
        Content::CharDevice { .. } => kind::CHARACTER,
        Content::BlockDevice { .. } => kind::BLOCK,
        Content::Fifo => kind::FIFO,
        Content::Socket => kind::SOCKET,
    }
}

impl Item<'_> {
    /// Bytes of its data, as far as they are in the image.
    fn size(&self) -> usize {
        match &self.body {
            Body::Directory(_, blocks) => blocks.size(),
            Body::Content(Content::Symlink(target)) => target.len(),
            Body::Content(_) => 0,
        }
    }

    /// Bytes that go behind the inode: never over the end of a block.
    fn tail(&self) -> usize {
        let size = self.size();
        let tail = if size == 0 { 0 } else { (size - 1) % BLOCK + 1 };
        if INODE + self.xattrs.len() + tail <= BLOCK {
            tail
        } else {
            0
        }
    }

    fn blocks(&self) -> usize {
        (self.size() - self.tail()).div_ceil(BLOCK)
    }

    /// Holes that stand for the data of a file.
    fn chunks(&self) -> usize {
        match self.body {
            Body::Content(Content::File { size, .. }) if self.bodies == Bodies::Objects => {
                size.div_ceil(1 << (u32::from(BLOCK_BITS) + CHUNK_BITS)) as usize
            }
            _ => 0,
        }
    }

    /// Takes the first fitting place from `position` on; tells where the next one may begin.
    fn place(&mut self, position: usize) -> usize {
        let tail = self.tail();
        let first = if tail > 0 {
            INODE + self.xattrs.len() + tail
        } else {
            INODE
        };
        let room = BLOCK - position % BLOCK;
        self.offset = if first > room {
            position.next_multiple_of(BLOCK)
        } else {
            position
        };
        let length = INODE + self.xattrs.len() + tail + self.chunks() * 4;
        (self.offset + length).next_multiple_of(SLOT)
    }

    fn write(&self, out: &mut [u8], number: usize, items: &[Item<'_>]) {
        let data = match &self.body {
            Body::Directory(children, blocks) => {
                blocks.encode(children, |at| (items[at].offset / SLOT) as u64)
            }
            Body::Content(Content::Symlink(target)) => target.to_vec(),
            Body::Content(_) => Vec::new(),
        };
        let tail = self.tail();
        let (layout, unit, size, kind) = match &self.body {
            Body::Content(Content::File { size: 0, .. }) => (Layout::Plain, 0, 0, kind::FILE),
            Body::Content(Content::File { size, .. }) if self.bodies == Bodies::Inside => {
                (Layout::Plain, self.block as u32, *size, kind::FILE)
            }
            Body::Content(Content::File { size, .. }) => {
                (Layout::Chunks, CHUNK_BITS, *size, kind::FILE)
            }
            Body::Content(
                content @ (Content::CharDevice { major, minor }
                | Content::BlockDevice { major, minor }),
            ) => (Layout::Plain, device(*major, *minor), 0, kind_of(content)),
            Body::Content(content @ (Content::Fifo | Content::Socket)) => {
                (Layout::Plain, 0, 0, kind_of(content))
            }
            Body::Directory(..) | Body::Content(Content::Symlink(_)) => {
                let layout = if tail > 0 {
                    Layout::Inline
                } else {
                    Layout::Plain
                };
                let unit = if self.blocks() > 0 {
                    self.block as u32
                } else {
                    0
                };
                let directory = matches!(self.body, Body::Directory(..));
                (
                    layout,
                    unit,
                    data.len() as u64,
                    if directory {
                        kind::DIRECTORY
                    } else {
                        kind::SYMLINK
                    },
                )
            }
        };
        let raw = RawInode {
            layout,
            kind,
            metadata: self.metadata,
            size,
            unit,
            number: number as u32 + 1,
            links: self.links,
            xattr_length: self.xattrs.len(),
        };
        put(out, self.offset, &raw.encode());
        let mut end = self.offset + INODE;
        put(out, end, &self.xattrs);
        end += self.xattrs.len();
        let (blocks, inline) = data.split_at(data.len() - tail);
        if !blocks.is_empty() {
            put(out, self.block * BLOCK, blocks);
        }
        put(out, end, inline);
        for _ in 0..self.chunks() {
            put(out, end, &u32::MAX.to_le_bytes());
            end += 4;
        }
    }
}

/// Device numbers as the kernel's `new_encode_dev` has them.
fn device(major: u32, minor: u32) -> u32 {
    minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}
