//! A root file system as metadata: everything but the bytes of its files.
//!
//! ```text
//! Tree
//!  |- root: Directory { metadata, entries: name -> Node }
//!  |          Node::Directory(..)          held in place
//!  |          Node::Inode(id) ------.      several names, one id: hard links
//!  '- inodes: [Inode { metadata, content }, ..]
//! ```
//!
//! Entries are sorted by the bytes of their names. An inode that no name leads to any more stays
//! in the table and means nothing: equality, encoding and identity see what can be reached.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::id::{ObjectId, TreeId};
use crate::path::{components, normal, split};

/// A path of bytes relative to the root of a tree; the root is empty.
pub type PathBytes = Vec<u8>;

/// Extended attributes, by their full names.
pub type Xattrs = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// A point in time since 1970, before it where `seconds` is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// The rest, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Time {
    /// This many whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
        }
    }
}

/// What a file is besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// Permission bits with set-uid, set-gid and sticky: at most 0o7777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last modification.
    pub mtime: Time,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl Metadata {
    /// Root's, at the epoch, without attributes.
    pub const fn new(mode: u32) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime: Time::seconds(0),
            xattrs: Xattrs::new(),
        }
    }
}

/// Everything a name can stand for that is no directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// A regular file; an empty one has no object.
    File {
        /// Its bytes.
        object: Option<ObjectId>,
        /// Their number.
        size: u64,
    },
    /// A symbolic link and where it points.
    Symlink(Box<[u8]>),
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Content {
    /// An empty regular file.
    pub const EMPTY: Self = Self::File {
        object: None,
        size: 0,
    };
}

/// One file, which may have several names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Mode, owner, times, attributes.
    pub metadata: Metadata,
    /// What it holds.
    pub content: Content,
}

/// Place of an inode in its tree's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(pub(crate) u32);

impl InodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a name in a directory leads to.
#[derive(Debug, Clone)]
pub enum Node {
    /// A directory has one name and is held by its parent.
    Directory(Directory),
    /// Anything else, by its place in the table.
    Inode(InodeId),
}

/// A directory and what is in it.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Mode, owner, times, attributes.
    pub metadata: Metadata,
    /// By name; the names hold no slash and are neither empty, `.` nor `..`.
    pub entries: BTreeMap<Box<[u8]>, Node>,
}

impl Directory {
    /// An empty directory.
    pub const fn new(metadata: Metadata) -> Self {
        Self {
            metadata,
            entries: BTreeMap::new(),
        }
    }
}

/// A borrowed node.
#[derive(Debug, Clone, Copy)]
pub enum NodeRef<'a> {
    /// A directory.
    Directory(&'a Directory),
    /// Anything else, with its place in the table: equal places are hard links.
    Inode(InodeId, &'a Inode),
}

impl<'a> NodeRef<'a> {
    /// Mode, owner, times, attributes.
    pub fn metadata(&self) -> &'a Metadata {
        match self {
            Self::Directory(directory) => &directory.metadata,
            Self::Inode(_, inode) => &inode.metadata,
        }
    }
}

/// A root file system without the bytes of its files.
#[derive(Clone)]
pub struct Tree {
    /// The root directory.
    pub root: Directory,
    pub(crate) inodes: Vec<Inode>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            root: Directory::new(Metadata::new(0o755)),
            inodes: Vec::new(),
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.encode()))
    }
}

/// Trees are equal when their manifests are.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Eq for Tree {}

impl Tree {
    /// What is at this very path; follows no symbolic link.
    pub fn get(&self, path: &[u8]) -> Option<NodeRef<'_>> {
        let mut node = NodeRef::Directory(&self.root);
        for name in components(path) {
            let NodeRef::Directory(directory) = node else {
                return None;
            };
            node = self.node(directory.entries.get(name)?);
        }
        Some(node)
    }

    pub(crate) fn node<'a>(&'a self, node: &'a Node) -> NodeRef<'a> {
        match node {
            Node::Directory(directory) => NodeRef::Directory(directory),
            Node::Inode(id) => NodeRef::Inode(*id, self.inode(*id)),
        }
    }

    /// The inode at this place.
    pub fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[id.index()]
    }

    /// The inode at this place, to change it under all its names.
    pub fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        &mut self.inodes[id.index()]
    }

    pub(crate) fn push(&mut self, inode: Inode) -> InodeId {
        self.inodes.push(inode);
        InodeId(self.inodes.len() as u32 - 1)
    }

    /// The directory at this very path, to change it.
    pub fn directory_mut(&mut self, path: &[u8]) -> Option<&mut Directory> {
        let mut directory = &mut self.root;
        for name in components(path) {
            match directory.entries.get_mut(name) {
                Some(Node::Directory(next)) => directory = next,
                _ => return None,
            }
        }
        Some(directory)
    }

    /// Puts a file at `path`, in place of whatever was there. Missing parents are made as root's,
    /// 0755, with the file's mtime.
    pub fn insert(&mut self, path: &[u8], inode: Inode) -> Result<InodeId> {
        check_content(path, &inode.content)?;
        let mtime = inode.metadata.mtime;
        let id = self.push(inode);
        self.put(path, Node::Inode(id), mtime)?;
        Ok(id)
    }

    /// Makes a directory at `path`, or gives an existing one this metadata. Anything else that was
    /// there is replaced; missing parents are made as [`Tree::insert`] does.
    pub fn insert_directory(&mut self, path: &[u8], metadata: Metadata) -> Result<()> {
        if let Some(directory) = self.directory_mut(&normal(path)?) {
            directory.metadata = metadata;
            return Ok(());
        }
        let mtime = metadata.mtime;
        self.put(path, Node::Directory(Directory::new(metadata)), mtime)
    }

    /// Makes `new` another name of the file `existing`.
    pub fn link(&mut self, existing: &[u8], new: &[u8]) -> Result<()> {
        let (id, mtime) = match self.get(&normal(existing)?) {
            Some(NodeRef::Inode(id, inode)) => (id, inode.metadata.mtime),
            Some(NodeRef::Directory(_)) => {
                return Err(Error::path(
                    existing,
                    "is a directory, which has one name only",
                ));
            }
            None => return Err(Error::path(existing, "does not exist")),
        };
        self.put(new, Node::Inode(id), mtime)
    }

    /// Takes away what is at `path`, with everything in it; says whether there was something.
    pub fn remove(&mut self, path: &[u8]) -> bool {
        let Ok(path) = normal(path) else { return false };
        let (parent, name) = split(&path);
        self.directory_mut(parent)
            .is_some_and(|parent| parent.entries.remove(name).is_some())
    }

    fn put(&mut self, path: &[u8], node: Node, mtime: Time) -> Result<()> {
        let path = normal(path)?;
        if path.is_empty() {
            return Err(Error::path(&path, "the root must stay a directory"));
        }
        let (parent, name) = split(&path);
        let mut directory = &mut self.root;
        for name in components(parent) {
            let next = directory.entries.entry(name.into()).or_insert_with(|| {
                Node::Directory(Directory::new(Metadata {
                    mtime,
                    ..Metadata::new(0o755)
                }))
            });
            match next {
                Node::Directory(next) => directory = next,
                Node::Inode(_) => return Err(Error::path(&path, "has a file for a parent")),
            }
        }
        directory.entries.insert(name.into(), node);
        Ok(())
    }

    /// Everything in the tree with its path: the root first, parents before what is in them, the
    /// entries of a directory by the bytes of their names.
    pub fn entries(&self) -> impl Iterator<Item = (PathBytes, NodeRef<'_>)> {
        let mut open = Vec::new();
        let mut first = Some(NodeRef::Directory(&self.root));
        let mut path = PathBytes::new();
        std::iter::from_fn(move || {
            if let Some(root) = first.take() {
                open.push((0, self.root.entries.iter()));
                return Some((PathBytes::new(), root));
            }
            loop {
                let (length, entries) = open.last_mut()?;
                path.truncate(*length);
                let Some((name, node)) = entries.next() else {
                    open.pop();
                    continue;
                };
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(name);
                if let Node::Directory(directory) = node {
                    open.push((path.len(), directory.entries.iter()));
                }
                return Some((path.clone(), self.node(node)));
            }
        })
    }

    /// The tree's name: BLAKE3 of its manifest.
    pub fn id(&self) -> TreeId {
        TreeId::from_bytes(*blake3::hash(&self.encode()).as_bytes())
    }
}

/// Refuses what would be taken for a whiteout once it lies below an overlay.
pub(crate) fn check_content(path: &[u8], content: &Content) -> Result<()> {
    match content {
        Content::CharDevice { major: 0, minor: 0 } => Err(Error::path(
            path,
            "character device 0:0 is an overlay's whiteout",
        )),
        Content::Symlink(target) if target.is_empty() || target.len() >= crate::path::MAX_PATH => {
            Err(Error::path(
                path,
                "symbolic link with an empty or overlong target",
            ))
        }
        _ => Ok(()),
    }
}
