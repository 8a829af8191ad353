//! What a rule works on.

use std::io::Read as _;

use racker_store::{
    Content, Directory, Inode, Metadata, NodeRef, ObjectId, PathBytes, Store, Time, Tree,
};

use crate::provision::has_systemd;
use crate::provision::{Error, Result};

/// Where the contents of files are.
pub trait Bodies {
    /// The first bytes of a file's content, up to 1 GiB.
    fn get(&self, id: ObjectId) -> racker_store::Result<Vec<u8>>;

    /// Keeps the content of a file that a rule writes.
    fn put(&self, bytes: &[u8]) -> racker_store::Result<ObjectId>;
}

/// Bytes of a file that a rule reads at most.
const LIMIT: u64 = 1 << 30;

impl Bodies for Store {
    fn get(&self, id: ObjectId) -> racker_store::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.open_object(id)?.take(LIMIT).read_to_end(&mut bytes);
        read.map(|_| bytes)
            .map_err(|source| racker_store::Error::Input {
                what: "object",
                source,
            })
    }

    fn put(&self, bytes: &[u8]) -> racker_store::Result<ObjectId> {
        self.put_bytes(bytes)
    }
}

pub(super) struct Context<'a> {
    pub(super) base: &'a Tree,
    pub(super) tree: &'a mut Tree,
    pub(super) epoch: i64,
    pub(super) bodies: &'a dyn Bodies,
    /// What the rule at work has touched.
    pub(super) touched: Vec<PathBytes>,
}

impl Context<'_> {
    /// Whether the step made or changed what is at this path.
    pub(super) fn changed(&self, path: &str) -> bool {
        let path = path.as_bytes();
        match (self.base.get(path), self.tree.get(path)) {
            (Some(NodeRef::Inode(_, old)), Some(NodeRef::Inode(_, new))) => old != new,
            (_, None) | (Some(NodeRef::Directory(_)), Some(NodeRef::Directory(_))) => false,
            (_, Some(_)) => true,
        }
    }

    /// What a regular file holds; nothing where there is none.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.read_in(self.tree, path)
    }

    /// All of a regular file, which a rule is going to write anew.
    pub(super) fn whole(&self, path: &str) -> Result<Vec<u8>> {
        self.whole_in(self.tree, path)
    }

    /// All of a regular file as it was.
    pub(super) fn whole_of_base(&self, path: &str) -> Result<Vec<u8>> {
        self.whole_in(self.base, path)
    }

    fn whole_in(&self, tree: &Tree, path: &str) -> Result<Vec<u8>> {
        if let Some(NodeRef::Inode(_, inode)) = tree.get(path.as_bytes())
            && matches!(inode.content, Content::File { size, .. } if size > LIMIT)
        {
            return Err(Error::Database {
                path: path.to_owned(),
                reason: format!("it has more than {LIMIT} bytes"),
            });
        }
        self.read_in(tree, path)
    }

    fn read_in(&self, tree: &Tree, path: &str) -> Result<Vec<u8>> {
        match tree.get(path.as_bytes()) {
            Some(NodeRef::Inode(_, inode)) => match inode.content {
                Content::File {
                    object: Some(object),
                    ..
                } => Ok(self.bodies.get(object)?),
                _ => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    /// Paths of all files below a directory that the step made or changed.
    pub(super) fn changed_below(&self, directory: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![directory.to_owned()];
        while let Some(directory) = waiting.pop() {
            for name in self.names(&directory) {
                let path = format!("{directory}/{name}");
                match self.tree.get(path.as_bytes()) {
                    Some(NodeRef::Directory(_)) => waiting.push(path),
                    Some(NodeRef::Inode(..)) if self.changed(&path) => found.push(path),
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }

    /// The version of a package of Debian's, as dpkg's database has it.
    pub(super) fn debian_version(&self, package: &str) -> Result<Option<String>> {
        let status = self.read("var/lib/dpkg/status")?;
        let status = String::from_utf8_lossy(&status);
        let name = format!("Package: {package}");
        let stanza = status
            .split("\n\n")
            .find(|stanza| stanza.lines().next() == Some(&name));
        let version = stanza
            .into_iter()
            .flat_map(str::lines)
            .find_map(|line| line.strip_prefix("Version: "));
        Ok(version.map(str::to_owned))
    }

    /// Names in a directory.
    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        match self.tree.get(directory.as_bytes()) {
            Some(NodeRef::Directory(Directory { entries, .. })) => entries
                .keys()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Removes a path that the step made or changed.
    pub(super) fn remove(&mut self, path: &str) {
        if self.changed(path) && self.tree.remove(path.as_bytes()) {
            self.touched.push(path.into());
        }
    }

    /// Removes what the step made or changed in a directory, as far as `which` says so.
    pub(super) fn remove_in(&mut self, directory: &str, which: impl Fn(&str) -> bool) {
        for name in self.names(directory) {
            if which(&name) {
                self.remove(&format!("{directory}/{name}"));
            }
        }
    }

    /// Removes a path, whoever made it.
    pub(super) fn drop(&mut self, path: &str) {
        if self.tree.remove(path.as_bytes()) {
            self.touched.push(path.into());
        }
    }

    /// Removes new directories in a directory that have nothing left in them.
    pub(super) fn remove_empty_in(&mut self, directory: &str) {
        for name in self.names(directory) {
            let path = format!("{directory}/{name}");
            if matches!(self.tree.get(path.as_bytes()), Some(NodeRef::Directory(_))) {
                self.remove_empty_in(&path);
                if self.names(&path).is_empty() && self.base.get(path.as_bytes()).is_none() {
                    self.drop(&path);
                }
            }
        }
    }

    /// Empties a regular file that the step made or changed.
    pub(super) fn empty(&mut self, path: &str) -> Result<()> {
        let Some(NodeRef::Inode(_, inode)) = self.tree.get(path.as_bytes()) else {
            return Ok(());
        };
        if matches!(inode.content, Content::File { size: 1.., .. }) && self.changed(path) {
            let metadata = Metadata {
                mtime: self.time(),
                ..inode.metadata.clone()
            };
            self.insert(
                path,
                Inode {
                    metadata,
                    content: Content::EMPTY,
                },
            )?;
        }
        Ok(())
    }

    /// Writes a file of root's.
    pub(super) fn write(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let object = if content.is_empty() {
            None
        } else {
            Some(self.bodies.put(content)?)
        };
        let content = Content::File {
            object,
            size: content.len() as u64,
        };
        self.insert(
            path,
            Inode {
                metadata: self.metadata(mode),
                content,
            },
        )
    }

    /// Makes a symbolic link.
    pub(super) fn symlink(&mut self, path: &str, target: &str) -> Result<()> {
        let content = Content::Symlink(target.as_bytes().into());
        self.insert(
            path,
            Inode {
                metadata: self.metadata(0o777),
                content,
            },
        )
    }

    /// Puts an inode there unless it is there already.
    pub(super) fn insert(&mut self, path: &str, inode: Inode) -> Result<()> {
        let same =
            matches!(self.tree.get(path.as_bytes()), Some(NodeRef::Inode(_, old)) if *old == inode);
        if !same {
            self.tree.insert(path.as_bytes(), inode)?;
            self.touched.push(path.into());
        }
        Ok(())
    }

    /// Whether the tree has systemd as its init.
    pub(super) fn has_systemd(&self) -> bool {
        has_systemd(self.tree)
    }

    fn time(&self) -> Time {
        Time {
            seconds: self.epoch,
            nanoseconds: 0,
        }
    }

    fn metadata(&self, mode: u32) -> Metadata {
        Metadata {
            mtime: self.time(),
            ..Metadata::new(mode)
        }
    }
}
