//! The entries of a layer.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, Write};

use super::entry::{Entry, end, pad};
use crate::diff::changes;
use crate::error::{Error, Result};
use crate::id::LayerId;
use crate::layer::{Change, Layer};
use crate::path::{join, split};
use crate::store::Store;
use crate::tree::{Content, Inode, Metadata, PathBytes, Tree};

impl Store {
    /// Writes a layer as a tar archive. Sockets, which an archive cannot hold, are left out.
    ///
    /// Errors: names that an archive cannot say, of files that begin with `.wh.` and of attributes
    /// that hold `=`.
    pub fn write_layer_tar(&self, layer: LayerId, out: &mut impl Write) -> Result<()> {
        self.write_changes(layer, &self.layer(layer)?.changes, out)
    }

    /// Writes a whole tree as a tar archive. Errors as [`Store::write_layer_tar`] has them.
    pub fn write_tree_tar(&self, tree: &Tree, out: &mut impl Write) -> Result<()> {
        let mut changes = changes(&Tree::default(), tree);
        if changes.first().is_none_or(|(path, _)| !path.is_empty()) {
            let root = Change::Directory(tree.root.metadata.clone());
            changes.insert(0, (PathBytes::new(), root));
        }
        self.write_changes("of a tree", &changes, out)
    }

    fn write_changes(
        &self,
        what: impl Display + Copy,
        changes: &[(PathBytes, Change)],
        out: &mut impl Write,
    ) -> Result<()> {
        // Whoever unpacks a link may set what it says on the file that it is a name of.
        let mut files: HashMap<&[u8], &Metadata> = HashMap::new();
        for (path, change) in changes {
            let (parent, name) = split(path);
            sayable(path, name, change)?;
            match change {
                Change::Remove => {
                    let name = join(parent, &[b".wh.", name].concat());
                    header(out, &name, b'0', b"", &Metadata::new(0))?;
                }
                Change::Directory(metadata) => {
                    let name = if path.is_empty() { b"." } else { &path[..] };
                    header(out, &[name, b"/"].concat(), b'5', b"", metadata)?;
                }
                Change::Link(first) => {
                    let metadata = files.get(&first[..]).ok_or_else(|| {
                        Error::damaged("layer", what, "it links to what is not in it")
                    })?;
                    header(out, path, b'1', first, metadata)?;
                }
                Change::Inode(inode) => {
                    files.insert(path, &inode.metadata);
                    self.inode(path, inode, out)?;
                }
            }
        }
        end(out).map_err(fail)
    }

    fn inode(&self, path: &[u8], inode: &Inode, out: &mut impl Write) -> Result<()> {
        let mut entry = Entry {
            path,
            kind: b'0',
            link: b"",
            metadata: &inode.metadata,
            size: 0,
            device: (0, 0),
        };
        match &inode.content {
            Content::File { object, size } => {
                entry.size = *size;
                entry.write(out).map_err(fail)?;
                if let Some(object) = object {
                    let mut file = self.open_object(*object)?;
                    let copied = io::copy(&mut file, out).map_err(fail)?;
                    if copied != *size {
                        return Err(Error::damaged("object", object, "it has another size"));
                    }
                }
                return pad(out, *size).map_err(fail);
            }
            Content::Symlink(target) => (entry.kind, entry.link) = (b'2', target),
            Content::CharDevice { major, minor } => {
                (entry.kind, entry.device) = (b'3', (*major, *minor));
            }
            Content::BlockDevice { major, minor } => {
                (entry.kind, entry.device) = (b'4', (*major, *minor));
            }
            Content::Fifo => entry.kind = b'6',
            Content::Socket => return Ok(()),
        }
        entry.write(out).map_err(fail)
    }
}

/// Refuses a layer of which something would come out of an archive as something else.
pub(crate) fn check(layer: &Layer) -> Result<()> {
    let mut changes = layer.changes.iter();
    changes.try_for_each(|(path, change)| sayable(path, split(path).1, change))
}

fn sayable(path: &[u8], name: &[u8], change: &Change) -> Result<()> {
    let metadata = match change {
        Change::Remove => return Ok(()),
        Change::Directory(metadata) => Some(metadata),
        Change::Inode(inode) => Some(&inode.metadata),
        Change::Link(_) => None,
    };
    if name.starts_with(b".wh.") {
        return Err(Error::path(path, "would be a whiteout in an archive"));
    }
    if metadata.is_some_and(|it| it.xattrs.keys().any(|name| name.contains(&b'='))) {
        let reason = "has an attribute whose name an archive cannot hold";
        return Err(Error::path(path, reason));
    }
    Ok(())
}

fn header(
    out: &mut impl Write,
    path: &[u8],
    kind: u8,
    link: &[u8],
    metadata: &Metadata,
) -> Result<()> {
    Entry {
        path,
        kind,
        link,
        metadata,
        size: 0,
        device: (0, 0),
    }
    .write(out)
    .map_err(fail)
}

fn fail(source: io::Error) -> Error {
    Error::Output {
        what: "an archive",
        source,
    }
}
