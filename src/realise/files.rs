//! Steps that put files into the tree; nothing of the image runs.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use racker_store::{Content, Digest, Inode, Metadata, NodeRef, Time, Tree};

use super::place;
use super::step::{Made, Parent, Step};
use super::{Error, Event};
use crate::container::users;
use crate::oci::Download;
use crate::plan::inputs::InputKind;
use crate::plan::lock::{Fetched, Lock};
use crate::recipe::{CopyStep, FetchStep, Mode, Owner};

/// Largest passwd or group file that is read.
const LIMIT: u64 = 4 << 20;

/// Copies files of the recipe's directory.
pub(super) fn copy(
    step: &Step<'_>,
    copy: &CopyStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    let inputs = step.planned.inputs(copy)?;
    let mut tree = parent.tree.clone();
    let (uid, gid) = owner(step, &tree, &copy.owner)?;
    let metadata = |mode: Mode| metadata(mode, uid, gid, step.epoch(lock));
    if inputs.directory {
        let path = place(step, &tree, copy.to.trim_end_matches('/'))?;
        directory(step, &mut tree, &path, || metadata(Mode::new(0o755)))?;
    }
    for input in &inputs.entries {
        let target = inputs.target(copy, input);
        let path = place(step, &tree, &target.to_string_lossy())?;
        let mut metadata = metadata(input.mode);
        metadata.xattrs = input.xattrs.clone();
        match &input.kind {
            InputKind::Directory => directory(step, &mut tree, &path, || metadata)?,
            InputKind::Symlink(target) => {
                put(
                    step,
                    &mut tree,
                    &path,
                    Content::Symlink(target.clone()),
                    metadata,
                )?;
            }
            InputKind::File { object, size } => {
                let file = File::open(&input.host)
                    .map_err(Error::io(format!("open {}", input.host.display())))?;
                let (stored, _) = step.shop.store.put_object(file)?;
                if stored != *object {
                    let reason = format!("{} changed while it was copied", input.host.display());
                    return Err(failed(step, reason));
                }
                let content = Content::File {
                    object: (*size > 0).then_some(stored),
                    size: *size,
                };
                put(step, &mut tree, &path, content, metadata)?;
            }
        }
    }
    Ok(Made { tree, log: None })
}

/// Finds out what a fetch step's file is, where neither recipe nor lock says it.
pub(super) fn pin(step: &Step<'_>, fetch: &FetchStep, lock: &mut Lock) -> Result<(), Error> {
    if fetch.digest.is_some() || lock.fetch(&fetch.url).is_some() {
        return Ok(());
    }
    if step.options.locked {
        let reason = format!("the lock has no digest for {}", fetch.url);
        return Err(Error::Locked {
            id: step.planned.id.clone(),
            reason,
        });
    }
    let (digest, size) = download(step, &fetch.url, None)?;
    lock.set_fetch(Fetched {
        url: fetch.url.clone(),
        digest,
        size,
    });
    Ok(())
}

/// Puts a fetched file into the tree.
pub(super) fn fetch(
    step: &Step<'_>,
    fetch: &FetchStep,
    parent: &Parent,
    lock: &Lock,
) -> Result<Made, Error> {
    let locked = lock.fetch(&fetch.url).map(|fetched| fetched.digest);
    let Some(digest) = fetch.digest.or(locked) else {
        return Err(failed(
            step,
            format!("no digest is known for {}", fetch.url),
        ));
    };
    if step.shop.store.blob(&digest).is_none() {
        step.shop
            .reporter
            .event(Event::Detail(&format!("fetching {}", fetch.url)));
        download(step, &fetch.url, Some(digest))?;
    }
    let blob = step
        .shop
        .store
        .blob(&digest)
        .ok_or_else(|| failed(step, format!("{} is gone from the store", fetch.url)))?;
    let file = File::open(&blob).map_err(Error::io(format!("open {}", blob.display())))?;
    let (object, size) = step.shop.store.put_object(file)?;
    let mut tree = parent.tree.clone();
    let (uid, gid) = owner(step, &tree, &fetch.owner)?;
    let path = place(step, &tree, &fetch.target())?;
    let content = Content::File {
        object: (size > 0).then_some(object),
        size,
    };
    let mode = fetch.mode.unwrap_or(Mode::new(0o644));
    put(
        step,
        &mut tree,
        &path,
        content,
        metadata(mode, uid, gid, step.epoch(lock)),
    )?;
    Ok(Made { tree, log: None })
}

fn download(step: &Step<'_>, url: &str, digest: Option<Digest>) -> Result<(Digest, u64), Error> {
    let list = [Download {
        url: url.to_owned(),
        mirrors: Vec::new(),
        others: Vec::new(),
        digest,
        size: None,
    }];
    let found = step.shop.fetch(&list)?[0];
    let size = step
        .shop
        .store
        .blob(&found)
        .and_then(|path| path.metadata().ok())
        .map_or(0, |metadata| metadata.len());
    Ok((found, size))
}

fn failed(step: &Step<'_>, reason: String) -> Error {
    Error::Files {
        id: step.planned.id.clone(),
        reason,
        hint: None,
    }
}

fn place(step: &Step<'_>, tree: &Tree, path: &str) -> Result<Vec<u8>, Error> {
    let resolved = place::resolve(tree, path).map_err(|reason| failed(step, reason))?;
    let ends = (0..resolved.len()).filter(|at| resolved[*at] == b'/');
    for parent in ends.map(|at| &resolved[..at]) {
        if let Some(NodeRef::Inode(..)) = tree.get(parent) {
            let reason = format!("/{} is there and no directory", show(parent));
            return Err(failed(step, reason));
        }
    }
    Ok(resolved)
}

fn metadata(mode: Mode, uid: u32, gid: u32, epoch: i64) -> Metadata {
    Metadata {
        mode: mode.bits(),
        uid,
        gid,
        mtime: Time {
            seconds: epoch,
            nanoseconds: 0,
        },
        xattrs: racker_store::Xattrs::default(),
    }
}

fn directory(
    step: &Step<'_>,
    tree: &mut Tree,
    path: &[u8],
    metadata: impl FnOnce() -> Metadata,
) -> Result<(), Error> {
    match tree.get(path) {
        Some(NodeRef::Directory(_)) => Ok(()),
        Some(NodeRef::Inode(_, inode)) => match &inode.content {
            Content::Symlink(_) => Ok(()),
            _ => Err(failed(
                step,
                format!("/{} is there and no directory", show(path)),
            )),
        },
        None => Ok(tree.insert_directory(path, metadata())?),
    }
}

fn put(
    step: &Step<'_>,
    tree: &mut Tree,
    path: &[u8],
    content: Content,
    metadata: Metadata,
) -> Result<(), Error> {
    if let Some(NodeRef::Directory(_)) = tree.get(path) {
        return Err(Error::Files {
            id: step.planned.id.clone(),
            reason: format!("/{} is a directory", show(path)),
            hint: Some("end `to` with a slash to copy into it".into()),
        });
    }
    tree.insert(path, Inode { metadata, content })?;
    Ok(())
}

fn show(path: &[u8]) -> String {
    std::ffi::OsStr::from_bytes(path)
        .to_string_lossy()
        .into_owned()
}

/// The ids of an owner, looked up in the tree's own files.
fn owner(step: &Step<'_>, tree: &Tree, owner: &Owner) -> Result<(u32, u32), Error> {
    let text = format!("{}:{}", owner.user, owner.group);
    if let (Ok(uid), Ok(gid)) = (owner.user.parse(), owner.group.parse()) {
        return Ok((uid, gid));
    }
    if text == "root:root" {
        return Ok((0, 0));
    }
    let file = |path: &[u8]| read(step, tree, path).unwrap_or_default();
    let user = users::find(&text, &file(b"etc/passwd"), &file(b"etc/group"))
        .map_err(|error| failed(step, error.to_string()))?;
    Ok((user.uid, user.gid))
}

fn read(step: &Step<'_>, tree: &Tree, path: &[u8]) -> Option<String> {
    let NodeRef::Inode(_, inode) = tree.lookup(path).ok()? else {
        return None;
    };
    let Content::File {
        object: Some(object),
        ..
    } = &inode.content
    else {
        return None;
    };
    let mut text = Vec::new();
    step.shop
        .store
        .open_object(*object)
        .ok()?
        .take(LIMIT)
        .read_to_end(&mut text)
        .ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
