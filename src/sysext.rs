//! System extension images: what a tree adds to another one below `/usr` and `/opt`.
//!
//! Source: `systemd-sysext(8)`, UAPI group specification "Extension Images".

use racker_store::{Change, Content, Inode, Metadata, PathBytes, Store, Tree, diff};

use crate::installed::{self, Os};

/// The only directories that are merged into a system.
const MERGED: [&[u8]; 2] = [b"usr", b"opt"];

/// An extension, and what it cannot have.
#[derive(Debug)]
pub struct Extension {
    /// What goes into the image.
    pub tree: Tree,
    /// Paths elsewhere that differ.
    pub left_out: Vec<PathBytes>,
    /// Paths of the base that the extended tree lacks; an extension only adds.
    pub not_removed: Vec<PathBytes>,
}

/// Why there is no extension.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store lacks something, or it is damaged.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
    /// The base cannot be read.
    #[error(transparent)]
    Installed(#[from] installed::Error),
    /// An extension says for which system it is.
    #[error("the base does not say what system it is: it has no ID in its os-release")]
    NoSystem,
}

/// What turns the system `base` into `whole`, under the name by which `systemd-sysext` knows it.
pub fn extension(store: &Store, base: &Tree, whole: &Tree, name: &str) -> Result<Extension, Error> {
    let os = Os::read(store, base)?.ok_or(Error::NoSystem)?;
    let mut all = Extension {
        tree: Tree::default(),
        left_out: Vec::new(),
        not_removed: Vec::new(),
    };
    all.tree.root.metadata.mtime = whole.root.metadata.mtime;
    for (path, change) in diff(base, whole).changes {
        if !MERGED.iter().any(|top| is_below(&path, top)) {
            // Times of the directories above say nothing.
            if !matches!(change, Change::Directory(_)) {
                all.left_out.push(path);
            }
            continue;
        }
        parents(&mut all.tree, whole, &path)?;
        match change {
            Change::Remove => all.not_removed.push(path),
            Change::Directory(metadata) => all.tree.insert_directory(&path, metadata)?,
            Change::Inode(inode) => drop(all.tree.insert(&path, inode)?),
            Change::Link(first) => all.tree.link(&first, &path)?,
        }
    }
    let path = format!("usr/lib/extension-release.d/extension-release.{name}");
    parents(&mut all.tree, whole, path.as_bytes())?;
    let release = release(&os);
    let object = store.put_bytes(release.as_bytes())?;
    let mut metadata = Metadata::new(0o644);
    metadata.mtime = whole.root.metadata.mtime;
    let content = Content::File {
        object: Some(object),
        size: release.len() as u64,
    };
    all.tree
        .insert(path.as_bytes(), Inode { metadata, content })?;
    Ok(all)
}

/// For which systems it is. A system without a version takes what is for its name.
fn release(os: &Os) -> String {
    let mut text = format!("ID={}\n", os.id);
    if let Some(version) = &os.version_id {
        text.push_str(&format!("VERSION_ID={version}\n"));
    }
    text
}

fn is_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Makes the directories above a path as they are in the whole tree.
fn parents(tree: &mut Tree, whole: &Tree, path: &[u8]) -> Result<(), Error> {
    for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let above = &path[..at];
        if tree.get(above).is_none() {
            let known = whole.get(above).map(|node| node.metadata().clone());
            let metadata = known.unwrap_or_else(|| {
                let mut metadata = Metadata::new(0o755);
                metadata.mtime = whole.root.metadata.mtime;
                metadata
            });
            tree.insert_directory(above, metadata)?;
        }
    }
    Ok(())
}
