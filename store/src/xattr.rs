//! Extended attributes: which of them belong to a tree, and reading them from files.

use std::path::Path;

use rustix::io::Errno;

use crate::error::{At as _, Error, Result};
use crate::tree::Xattrs;

/// Longest value that an EROFS image can hold.
pub(crate) const MAX_VALUE: usize = u16::MAX as usize;
/// Longest name, as in Linux.
const MAX_NAME: usize = 255;
/// All attributes of one file together.
const MAX_TOTAL: usize = 200_000;

/// Whether an attribute is part of a tree. An overlay's own marks never are: they would be taken
/// for instructions once the tree lies below an overlay.
pub(crate) fn belongs(name: &[u8]) -> bool {
    if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
        return false;
    }
    let prefix: &[&[u8]] = &[b"user.", b"trusted.", b"security."];
    name == b"system.posix_acl_access"
        || name == b"system.posix_acl_default"
        || prefix
            .iter()
            .any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
}

/// Adds an attribute if it belongs to a tree, within the limits.
pub(crate) fn add(xattrs: &mut Xattrs, name: &[u8], value: &[u8]) -> Result<()> {
    if !belongs(name) {
        return Ok(());
    }
    if name.len() > MAX_NAME || name.contains(&0) {
        return Err(Error::Limit {
            what: "length of an attribute's name",
            limit: MAX_NAME as u64,
        });
    }
    if value.len() > MAX_VALUE {
        return Err(Error::Limit {
            what: "length of an attribute",
            limit: MAX_VALUE as u64,
        });
    }
    xattrs.insert(name.into(), value.into());
    if xattrs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        > MAX_TOTAL
    {
        return Err(Error::Limit {
            what: "attributes of one file",
            limit: MAX_TOTAL as u64,
        });
    }
    Ok(())
}

/// All attributes of a file, an overlay's too; a symbolic link is not followed.
pub(crate) fn read_all(path: &Path) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = Vec::with_capacity(512);
    loop {
        match rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names)) {
            Ok(_) => break,
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(Errno::RANGE) if names.capacity() < 1 << 20 => {
                names.clear();
                names.reserve(names.capacity() * 2);
            }
            Err(error) => return Err(error).at("list the attributes of", path),
        }
    }
    let mut found = Vec::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = Vec::with_capacity(256);
        loop {
            match rustix::fs::lgetxattr(path, name, rustix::buffer::spare_capacity(&mut value)) {
                Ok(_) => break,
                Err(Errno::RANGE) if value.capacity() < 1 << 17 => {
                    value.clear();
                    value.reserve(value.capacity() * 2);
                }
                Err(error) => return Err(error).at("read the attributes of", path),
            }
        }
        found.push((name.to_vec(), value));
    }
    Ok(found)
}
