//! Caches that tools fill with what differs from one time to the next.

use racker_store::{Content, NodeRef};

use super::context::Context;
use super::keystore;
use crate::provision::Result;
use crate::uuid;

const CACHES: &str = "var/cache/fontconfig";

/// fontconfig 2.13 gives every directory of fonts a random identifier (`.uuid`), by which it names
/// the directory's cache. Both get one that is made from the directory's path.
pub(super) fn font_identifiers(context: &mut Context<'_>) -> Result<()> {
    for directory in ["usr/share/fonts", "usr/local/share/fonts"] {
        for path in context.changed_below(directory) {
            let Some(place) = path.strip_suffix("/.uuid") else {
                continue;
            };
            let random = context.read(&path)?;
            let random = String::from_utf8_lossy(&random).trim().to_owned();
            let digest = blake3::derive_key("racker 2026 font directory", place.as_bytes());
            let identifier = uuid::from_digest(&digest);
            context.replace(&path, identifier.as_bytes())?;
            for name in context.names(CACHES) {
                if let Some(ending) = name.strip_prefix(&random).filter(|_| random.len() == 36) {
                    let old = format!("{CACHES}/{name}");
                    context.rename(&old, &format!("{CACHES}/{identifier}{ending}"))?;
                }
            }
        }
    }
    Ok(())
}

/// Java's certificates, with the epoch as the date of each.
pub(super) fn java_certificates(context: &mut Context<'_>) -> Result<()> {
    // Debian's place, and that of Fedora and SUSE.
    for path in ["etc/ssl/certs/java/cacerts", "etc/pki/java/cacerts"] {
        if context.changed(path) {
            let date = u64::try_from(context.epoch).unwrap_or_default() * 1000;
            if let Some(store) = keystore::rewrite(&context.whole(path)?, date) {
                context.replace(path, &store)?;
            }
        }
    }
    Ok(())
}

/// man-db before 2.10 reads pages in the order of their inode numbers, and its index has them in
/// the order in which they were read. `man` does without; the index is made again by `mandb`.
pub(super) fn man_index(context: &mut Context<'_>) -> Result<()> {
    let changed = context.changed_below("var/cache/man");
    if changed.is_empty() {
        return Ok(());
    }
    let version = context.debian_version("man-db")?;
    let old = version.is_some_and(|version| {
        let mut parts = version
            .split(['.', '-'])
            .map(|part| part.parse::<u32>().ok());
        matches!((parts.next(), parts.next()), (Some(Some(2)), Some(Some(minor))) if minor < 10)
    });
    if old {
        for path in changed {
            if path.ends_with("/index.db") {
                context.remove(&path);
            }
        }
    }
    Ok(())
}

impl Context<'_> {
    /// Gives a regular file other content.
    pub(super) fn replace(&mut self, path: &str, content: &[u8]) -> Result<()> {
        let Some(NodeRef::Inode(_, inode)) = self.tree.get(path.as_bytes()) else {
            return Ok(());
        };
        let mut inode = inode.clone();
        inode.content = Content::File {
            object: Some(self.bodies.put(content)?),
            size: content.len() as u64,
        };
        self.insert(path, inode)
    }

    /// Gives a file another name.
    fn rename(&mut self, old: &str, new: &str) -> Result<()> {
        let Some(NodeRef::Inode(_, inode)) = self.tree.get(old.as_bytes()) else {
            return Ok(());
        };
        let inode = inode.clone();
        self.remove(old);
        self.insert(new, inode)
    }
}
