//! Resolving a path inside a tree as the kernel would, with the tree for its root.

use crate::path::{components, display};
use crate::tree::{Content, Directory, NodeRef, PathBytes, Tree};

/// Symbolic links followed in one lookup, as in Linux.
const MAX_LINKS: usize = 40;

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// A component does not exist.
    #[error("/{0} does not exist")]
    NotFound(String),
    /// Something that is no directory stands in the middle of the path.
    #[error("/{0} is not a directory")]
    NotDirectory(String),
    /// Too many symbolic links.
    #[error("too many symbolic links in /{0}")]
    Loop(String),
}

impl Tree {
    /// What `path` leads to, following symbolic links inside the tree, the last one too.
    pub fn lookup(&self, path: &[u8]) -> Result<NodeRef<'_>, LookupError> {
        Ok(self.resolve(path)?.1)
    }

    /// [`Tree::lookup`] that also tells the path without any symbolic link in it.
    pub fn resolve(&self, path: &[u8]) -> Result<(PathBytes, NodeRef<'_>), LookupError> {
        let mut todo: Vec<&[u8]> = components(path).rev().collect();
        let mut done: Vec<(&Directory, &[u8])> = Vec::new();
        let mut here = &self.root;
        let mut links = 0;
        let text = |done: &[(&Directory, &[u8])], name: &[u8]| {
            let mut path: Vec<&[u8]> = done.iter().map(|(_, name)| *name).collect();
            path.extend((!name.is_empty()).then_some(name));
            path.join(&b'/')
        };
        while let Some(name) = todo.pop() {
            if name == b".." {
                if let Some((parent, _)) = done.pop() {
                    here = parent;
                }
                continue;
            }
            let Some(node) = here.entries.get(name) else {
                return Err(LookupError::NotFound(display(&text(&done, name))));
            };
            match self.node(node) {
                NodeRef::Directory(directory) => {
                    done.push((here, name));
                    here = directory;
                }
                NodeRef::Inode(id, inode) => match &inode.content {
                    Content::Symlink(target) => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(LookupError::Loop(display(path)));
                        }
                        if target.first() == Some(&b'/') {
                            done.clear();
                            here = &self.root;
                        }
                        todo.extend(components(target).rev());
                    }
                    _ if todo.is_empty() => {
                        return Ok((text(&done, name), NodeRef::Inode(id, inode)));
                    }
                    _ => return Err(LookupError::NotDirectory(display(&text(&done, name)))),
                },
            }
        }
        Ok((text(&done, b""), NodeRef::Directory(here)))
    }
}
