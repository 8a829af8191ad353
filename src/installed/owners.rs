//! Which package owns a path of a tree.
//!
//! A database lists a path as the package has it. With a merged `/usr` that is not where the file
//! lies: dpkg lists `/bin/sh` for what is at `usr/bin/sh`. So the directories that lead to a path are
//! resolved through the tree; the path's last component is not, since a package owns a link and not
//! what it points to.
//!
//! A directory that several packages list is nobody's. A file that several list (the two
//! architectures of a library have the same documentation) is that of the first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use racker_store::{NodeRef, PathBytes, Tree};

/// A directory of several packages.
const SHARED: u32 = u32::MAX;

/// Collects the owners of a tree's paths.
#[derive(Debug)]
pub(super) struct Owners<'a> {
    tree: &'a Tree,
    /// Directories as databases name them, and where they are.
    real: HashMap<PathBytes, PathBytes>,
    packages: HashMap<PathBytes, u32>,
}

impl<'a> Owners<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            real: HashMap::new(),
            packages: HashMap::new(),
        }
    }

    /// Notes that a package lists a path; tells how long the path is that is kept.
    pub(super) fn add(&mut self, package: u32, listed: &[u8]) -> usize {
        let Some(path) = self.place(listed) else {
            return 0;
        };
        let length = path.len();
        match self.packages.entry(path) {
            Entry::Vacant(entry) => {
                entry.insert(package);
            }
            Entry::Occupied(mut entry) if *entry.get() != package => {
                if let Some(NodeRef::Directory(_)) = self.tree.get(entry.key()) {
                    entry.insert(SHARED);
                }
            }
            Entry::Occupied(_) => {}
        }
        length
    }

    pub(super) fn finish(mut self) -> HashMap<PathBytes, u32> {
        self.packages.retain(|_, owner| *owner != SHARED);
        self.packages
    }

    /// Where a listed path lies; nothing for the root and for what climbs.
    fn place(&mut self, listed: &[u8]) -> Option<PathBytes> {
        let mut names: Vec<&[u8]> = listed
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty() && *name != b".")
            .collect();
        if names.contains(&&b".."[..]) {
            return None;
        }
        let name = names.pop()?;
        let parent = names.join(&b'/');
        let real = match self.real.entry(parent) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let real = match self.tree.resolve(entry.key()) {
                    Ok((path, NodeRef::Directory(_))) => path,
                    // It is not there (any more), and then is no matter of links.
                    _ => entry.key().clone(),
                };
                entry.insert(real)
            }
        };
        let mut path = real.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use racker_store::{Content, Inode, Metadata};

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let mut put = |path: &[u8], content| {
            let metadata = Metadata::new(0o755);
            tree.insert(path, Inode { metadata, content }).unwrap();
        };
        put(b"bin", Content::Symlink((*b"usr/bin").into()));
        put(b"usr/bin/sh", Content::Symlink((*b"dash").into()));
        put(b"usr/bin/dash", Content::EMPTY);
        put(b"usr/share/doc/x", Content::EMPTY);
        tree
    }

    #[test]
    fn links_on_the_way_are_followed_and_the_last_is_not() {
        let tree = tree();
        let mut owners = Owners::new(&tree);
        owners.add(0, b"/bin/sh");
        owners.add(1, b"./usr/bin//dash");
        owners.add(2, b"/gone/with/x");
        let all = owners.finish();
        assert_eq!(all.get(&b"usr/bin/sh"[..]), Some(&0));
        assert_eq!(all.get(&b"usr/bin/dash"[..]), Some(&1));
        assert_eq!(all.get(&b"gone/with/x"[..]), Some(&2));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_shared_directory_is_nobodys_and_a_shared_file_the_firsts() {
        let tree = tree();
        let mut owners = Owners::new(&tree);
        for package in 0..3 {
            owners.add(package, b"/.");
            owners.add(package, b"/usr/share");
            owners.add(package, b"/usr/share/doc/x");
        }
        owners.add(7, b"/usr/share/doc");
        owners.add(7, b"/usr/share/doc/");
        let all = owners.finish();
        assert_eq!(all.get(&b"usr/share"[..]), None);
        assert_eq!(all.get(&b"usr/share/doc"[..]), Some(&7));
        assert_eq!(all.get(&b"usr/share/doc/x"[..]), Some(&0));
    }

    #[test]
    fn what_climbs_is_nothing() {
        let tree = tree();
        let mut owners = Owners::new(&tree);
        assert_eq!(owners.add(0, b"/usr/../etc/x"), 0);
        assert_eq!(owners.add(0, b"/"), 0);
        assert_eq!(owners.add(0, b""), 0);
        assert!(owners.finish().is_empty());
    }
}
