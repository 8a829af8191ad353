//! Paths inside a tree: bytes, relative to its root, components separated by one slash.
//!
//! The root is the empty path. [`normal`] turns what archives and callers write (`./a//b/`,
//! `/a/b`) into that form and refuses `..`: nothing that climbs has a meaning in a tree.

use crate::error::{Error, Result};
use crate::hex;

/// Longest path, as in Linux.
pub(crate) const MAX_PATH: usize = 4096;
/// Longest name, as in Linux.
pub(crate) const MAX_NAME: usize = 255;

/// Components of a path, without empty ones and `.`.
pub(crate) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
}

/// The normal form of a path; refuses `..`, NUL, and what is longer than Linux allows.
pub(crate) fn normal(path: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    for name in components(path) {
        check_name(path, name)?;
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(name);
    }
    if out.len() > MAX_PATH {
        return Err(Error::Limit {
            what: "path length",
            limit: MAX_PATH as u64,
        });
    }
    Ok(out)
}

/// Whether one component may be the name of an entry.
pub(crate) fn check_name(path: &[u8], name: &[u8]) -> Result<()> {
    let reason = match name {
        b".." => "leads out of its directory",
        b"" | b"." => "has an empty component",
        _ if name.len() > MAX_NAME => "has a component longer than 255 bytes",
        _ if name.contains(&0) => "holds a NUL byte",
        _ if name.contains(&b'/') => "has a slash in a name",
        _ => return Ok(()),
    };
    Err(Error::path(path, reason))
}

/// Splits a normal path into the path of its directory and its name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// `directory/name`.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(directory.len() + 1 + name.len());
    out.extend_from_slice(directory);
    if !directory.is_empty() {
        out.push(b'/');
    }
    out.extend_from_slice(name);
    out
}

/// Appends bytes so that no blank, line end, `=` or non-ASCII byte is left.
pub(crate) fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if matches!(byte, b'!'..=b'~') && byte != b'\\' && byte != b'=' {
            out.push(byte);
        } else {
            out.extend_from_slice(b"\\x");
            hex::push(out, &[byte]);
        }
    }
}

/// Reads what [`escape`] wrote.
pub(crate) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\' {
            let [b'x', high, low, tail @ ..] = tail else {
                return None;
            };
            out.push(hex::digit(*high)? << 4 | hex::digit(*low)?);
            rest = tail;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    Some(out)
}

/// A path for people: escaped, so that a message stays one line.
pub(crate) fn display(path: &[u8]) -> String {
    let mut out = Vec::new();
    escape(&mut out, path);
    String::from_utf8_lossy(&out).into_owned()
}
