//! Attributes of an inode: a head of twelve bytes, then entries padded to four bytes.

use crate::id::ObjectId;
use crate::object::object_name;
use crate::tree::Xattrs;

/// Namespaces have numbers; the kernel knows no others.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// The attributes of a file, with those that lead an overlay to its object.
pub(super) fn encode(xattrs: &Xattrs, object: Option<ObjectId>) -> Vec<u8> {
    let mut out = vec![0; 12];
    if let Some(object) = object {
        push(&mut out, 4, b"overlay.metacopy", b"");
        push(
            &mut out,
            4,
            b"overlay.redirect",
            format!("/{}", object_name(object)).as_bytes(),
        );
    }
    for (name, value) in xattrs {
        if !crate::xattr::belongs(name) {
            continue;
        }
        if let Some((prefix, number)) = PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix))
        {
            push(&mut out, *number, &name[prefix.len()..], value);
        }
    }
    if out.len() == 12 { Vec::new() } else { out }
}

fn push(out: &mut Vec<u8>, prefix: u8, name: &[u8], value: &[u8]) {
    out.extend_from_slice(&[name.len() as u8, prefix]);
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}
