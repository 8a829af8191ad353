//! Trees on disk.
//!
//! ```text
//! trees/<id>.tree    the manifest, compressed with zstd
//! trees/<id>.erofs   the metadata image, for mounting
//! trees/<id>.base    "PARENT LAYER\n" or "- LAYER\n": how the tree came out of its parent
//! ```
//!
//! The image is written before the manifest: a tree that is there can be mounted. The base is no
//! part of a tree's identity; the first one that is known stays.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::diff::changes;
use crate::erofs;
use crate::error::{At as _, Error, Result};
use crate::export_tar;
use crate::id::{LayerId, TreeId};
use crate::layer::Layer;
use crate::store::{Access, Store, present, read_optional};
use crate::tree::Tree;

impl Store {
    /// Keeps a tree: its manifest and its metadata image.
    pub fn put_tree(&self, tree: &Tree) -> Result<TreeId> {
        let (id, text) = encode(tree);
        self.put_encoded(id, tree, &text)?;
        Ok(id)
    }

    /// Keeps the tree that came out of `before`, and the layer between them. `base` is the id of
    /// `before`, which need not be computed again.
    ///
    /// Errors: no archive can hold the layer.
    pub fn put_successor(
        &self,
        base: TreeId,
        before: &Tree,
        after: &Tree,
    ) -> Result<(TreeId, LayerId)> {
        debug_assert_eq!(base, before.id());
        let ((result, text), changes) = rayon::join(|| encode(after), || changes(before, after));
        let layer = Layer {
            base,
            result,
            changes,
        };
        // Told now, not when somebody wants to pass it on.
        export_tar::check(&layer)?;
        let (tree, layer) = rayon::join(
            || self.put_encoded(result, after, &text),
            || self.put_layer(&layer),
        );
        tree?;
        Ok((result, layer?))
    }

    fn put_encoded(&self, id: TreeId, tree: &Tree, text: &[u8]) -> Result<()> {
        if self.freshen(&self.tree_path(id, "tree"))?
            && self.freshen(&self.tree_path(id, "erofs"))?
        {
            return Ok(());
        }
        let path = self.tree_path(id, "tree");
        self.writable()?;
        let (image, packed) = rayon::join(|| erofs::image(tree), || pack(text, &path));
        self.write_file(&self.tree_path(id, "erofs"), &image?)?;
        self.write_file(&path, &packed?)
    }

    /// The tree of this name.
    pub fn tree(&self, id: TreeId) -> Result<Tree> {
        let bytes = self
            .read(&self.tree_path(id, "tree"))?
            .ok_or_else(|| Error::missing("tree", id))?;
        Tree::decode(&unpack(&bytes, id.as_bytes(), "tree", &id)?)
    }

    /// Whether there is a tree of this name.
    pub fn has_tree(&self, id: TreeId) -> bool {
        let there = |kind| {
            let stat = self.found(&self.tree_path(id, kind), Path::metadata);
            stat.is_ok_and(|stat| stat.len() > 0)
        };
        there("tree") && there("erofs")
    }

    /// The tree's EROFS image, made by this store: metadata alone, each file that is not empty
    /// pointing into [`Store::objects`] as a data-only overlay layer expects.
    pub fn erofs(&self, id: TreeId) -> Result<PathBuf> {
        let path = self.tree_path(id, "erofs");
        if present(&path) {
            return Ok(path);
        }
        let image = erofs::image(&self.tree(id)?)?;
        self.write_file(&path, &image)?;
        Ok(path)
    }

    /// Something about a tree that takes reading all of it to find out, under the name of `what` and
    /// once: whether it is so.
    pub fn fact(&self, id: TreeId, what: &str, find: impl FnOnce(&Tree) -> bool) -> Result<bool> {
        let path = self.tree_path(id, what);
        match read_optional(&path)?.as_deref() {
            Some(b"yes\n") => return Ok(true),
            Some(b"no\n") => return Ok(false),
            // After a power cut there may be a file without what was written to it.
            _ => {}
        }
        let is = find(&self.tree(id)?);
        if self.access() == Access::ReadWrite {
            self.write_file(&path, if is { b"yes\n" } else { b"no\n" })?;
        }
        Ok(is)
    }

    /// Notes how a tree came out of its parent, unless that is known.
    pub fn put_base(&self, tree: TreeId, parent: Option<TreeId>, layer: LayerId) -> Result<()> {
        let path = self.tree_path(tree, "base");
        if parent == Some(tree) || self.freshen(&path)? {
            return Ok(());
        }
        let parent = parent.map_or("-".into(), |parent| parent.to_string());
        self.write_file(&path, format!("{parent} {layer}\n").as_bytes())
    }

    /// The parent a tree came out of, and by which layer.
    pub fn base(&self, tree: TreeId) -> Result<Option<(Option<TreeId>, LayerId)>> {
        let Some(bytes) = self.read(&self.tree_path(tree, "base"))? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes);
        let parse = || {
            let (parent, layer) = text.trim_end().split_once(' ')?;
            let parent = if parent == "-" {
                None
            } else {
                Some(parent.parse().ok()?)
            };
            Some((parent, layer.parse().ok()?))
        };
        parse()
            .map(Some)
            .ok_or_else(|| Error::damaged("base of tree", tree, "it names no layer"))
    }

    pub(crate) fn tree_path(&self, id: TreeId, kind: &str) -> PathBuf {
        self.root().join("trees").join(format!("{id}.{kind}"))
    }
}

/// The manifest of a tree and its name.
fn encode(tree: &Tree) -> (TreeId, Vec<u8>) {
    let text = tree.encode();
    (TreeId::from_bytes(*blake3::hash(&text).as_bytes()), text)
}

/// Compresses a manifest.
pub(crate) fn pack(text: &[u8], path: &Path) -> Result<Vec<u8>> {
    zstd::bulk::compress(text, 1).at("compress", path)
}

/// Reads a compressed manifest and holds it against its name.
pub(crate) fn unpack(
    bytes: &[u8],
    id: &[u8; 32],
    what: &'static str,
    name: &impl Display,
) -> Result<Vec<u8>> {
    let text =
        zstd::stream::decode_all(bytes).map_err(|error| Error::damaged(what, name, error))?;
    if blake3::hash(&text).as_bytes() != id {
        return Err(Error::damaged(what, name, "its bytes have another digest"));
    }
    Ok(text)
}
