//! Files that give whoever runs them the rights of another.

use racker_store::{NodeRef, Tree};
use serde::Serialize;

use crate::shown::shown_path;

/// Source: `inode(7)`.
const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const BY_GROUP: u32 = 0o0010;

/// A file that runs with another user's or group's rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Privileged {
    /// Where it lies.
    pub path: String,
    /// Its mode, octal.
    pub mode: String,
    /// Whose rights it gives, as numbers.
    pub owner: String,
}

/// Those that a tree has and another had not, or not so.
pub fn privileged(before: &Tree, after: &Tree) -> Vec<Privileged> {
    let all = after.entries().filter_map(|(path, node)| {
        let NodeRef::Inode(_, inode) = node else {
            return None;
        };
        let it = &inode.metadata;
        // Without the group's right to execute, the bit is about locks.
        let setgid = it.mode & SETGID != 0 && it.mode & BY_GROUP != 0;
        if it.mode & SETUID == 0 && !setgid {
            return None;
        }
        let old = before.get(&path).map(|node| node.metadata());
        if old.is_some_and(|old| (old.mode, old.uid, old.gid) == (it.mode, it.uid, it.gid)) {
            return None;
        }
        Some(Privileged {
            path: shown_path(&path),
            mode: format!("{:04o}", it.mode & 0o7777),
            owner: format!("{}:{}", it.uid, it.gid),
        })
    });
    all.collect()
}
