//! The files that steps put into an image as they were, as they are now.

use std::collections::BTreeMap;
use std::io::Read;

use racker_store::{Content, Digest, NodeRef, ObjectId, PathBytes, Store, Tree};
use sha2::{Digest as _, Sha256};

use super::Error;
use crate::record::{Origin, Step, placed};
use crate::shown::shown_path;

/// A file that a step put into the image.
#[derive(Clone, Debug)]
pub(super) struct BillFile {
    /// Where it is, with a leading slash.
    pub(super) path: String,
    /// BLAKE3 of its bytes.
    pub(super) blake3: ObjectId,
    /// SHA-256 of its bytes.
    pub(super) sha256: Digest,
    /// Where it came from, in words.
    pub(super) origin: String,
}

/// Finds what the steps placed and what is still there. A path that two steps placed is the later
/// one's.
pub(super) fn files(
    store: &Store,
    tree: &Tree,
    steps: &[Step<'_>],
) -> Result<Vec<BillFile>, Error> {
    let mut all = BTreeMap::new();
    for step in steps {
        for placed in step.document.iter().flat_map(placed) {
            if let Some(path) = locate(tree, &placed.path) {
                all.insert(path, (step.number, placed.origin));
            }
        }
    }
    let mut found = Vec::new();
    for (path, (number, origin)) in all {
        let Some(object) = object(tree, &path) else {
            continue;
        };
        let blake3 = object.unwrap_or_else(|| ObjectId::of(b""));
        let sha256 = match object {
            Some(object) => digest(store, object, &path)?,
            None => Digest::of(b""),
        };
        let (verb, same) = match &origin {
            Origin::Fetched(digest) => ("fetched", *digest == sha256),
            Origin::Copied { blake3: copied, .. } => ("copied", *copied == blake3),
        };
        let changed = if same { "" } else { ", changed by a later one" };
        found.push(BillFile {
            path: shown_path(&path),
            blake3,
            sha256,
            origin: format!("{verb} by step {number} of the image{changed}"),
        });
    }
    Ok(found)
}

/// Where a path lies once the links that lead to its directory are followed.
fn locate(tree: &Tree, path: &[u8]) -> Option<PathBytes> {
    let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[][..], path),
    };
    let (mut real, _) = tree.resolve(parent).ok()?;
    if !real.is_empty() {
        real.push(b'/');
    }
    real.extend_from_slice(name);
    Some(real)
}

/// The bytes of a regular file, none if it is empty; nothing if there is no regular file.
#[expect(
    clippy::option_option,
    reason = "no file, an empty one, one with bytes"
)]
fn object(tree: &Tree, path: &[u8]) -> Option<Option<ObjectId>> {
    match tree.get(path)? {
        NodeRef::Inode(_, inode) => match inode.content {
            Content::File { object, .. } => Some(object),
            _ => None,
        },
        NodeRef::Directory(_) => None,
    }
}

fn digest(store: &Store, object: ObjectId, path: &[u8]) -> Result<Digest, Error> {
    let failed = |source| Error::Read {
        path: shown_path(path),
        source,
    };
    let mut file = store.open_object(object)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}
