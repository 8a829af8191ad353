//! Layers that were made to do harm, each after one that did so elsewhere, and what else a layer's
//! metadata can say. No path of an archive is ever one of this machine's.

mod support;

use racker_store::{Content, NodeRef, Tree};
use support::{append, archive, entry, file, header, over, paths, pax, store};

/// The paths that an archive makes of nothing, or why it is refused.
fn made(bytes: &[u8]) -> String {
    let (_directory, store) = store();
    let made = match over(&store, &Tree::default(), bytes) {
        Ok(tree) => paths(&tree),
        Err(error) => error.to_string(),
    };
    assert!(store.verify().unwrap().is_empty());
    made
}

fn body(tree: &Tree, path: &str) -> u64 {
    match tree.get(path.as_bytes()) {
        Some(NodeRef::Inode(_, inode)) => match inode.content {
            Content::File { size, .. } => size,
            _ => panic!("{path} is no file"),
        },
        _ => panic!("{path} is not there"),
    }
}

/// CVE-2021-29136: a link in the place of the root.
#[test]
fn the_root_stays_a_directory() {
    for path in [".", "./", "/", "a/.."] {
        for kind in [b'0', b'2', b'3', b'6'] {
            // A name with a slash at its end is a directory by the oldest rule there is.
            if kind == b'0' && path.ends_with('/') {
                continue;
            }
            let text = made(&archive(&[entry(kind, path, "etc", b"")]));
            assert!(text.starts_with("archive entry "), "{path} {kind}: {text}");
        }
    }
    assert_eq!(made(&archive(&[entry(b'5', ".", "", b"")])), "");
}

/// CVE-2020-27833 and the like: each link is harmless alone, together they lead out.
#[test]
fn chains_of_links_stay_inside() {
    let chain = [
        entry(b'2', "a", "/", b""),
        entry(b'2', "b", "a/../..", b""),
        entry(b'2', "c", "b/../../../etc", b""),
        entry(b'0', "c/passwd", "", b"root::0:0"),
    ];
    assert_eq!(made(&archive(&chain)), "a b c etc etc/passwd");
    // A link to this machine's files is one to the image's.
    let absolute = [
        entry(b'2', "x", "/etc", b""),
        entry(b'0', "x/shadow", "", b"1"),
    ];
    assert_eq!(made(&archive(&absolute)), "etc etc/shadow x");
}

/// CVE-2026-26960: the target of a hard link is a path like any other.
#[test]
fn hard_links_do_not_lead_out() {
    let text = made(&archive(&[entry(b'1', "h", "../../etc/passwd", b"")]));
    assert_eq!(text, "archive entry h: leads out of its directory");
    let through = [
        entry(b'2', "up", "../../..", b""),
        entry(b'1', "h", "up/etc/passwd", b""),
    ];
    assert_eq!(
        made(&archive(&through)),
        "path /etc/passwd: is the target of a hard link and no file"
    );
}

/// CVE-2025-62518, CVE-2026-33055: two readers that see other entries in the same bytes. A PAX size
/// counts for the entry that it precedes and for no other.
#[test]
fn sizes_are_believed_once() {
    let hidden = archive(&[entry(b'0', "smuggled", "", b"")]);
    let records = pax(&[("size", hidden.len().to_string().as_bytes())]);
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    append(&mut bytes, &header(b'0', b"outer", b"", 0), &hidden);
    bytes.resize(bytes.len() + 1024, 0);
    let (_directory, store) = store();
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    assert_eq!(paths(&tree), "outer");
    assert_eq!(body(&tree, "outer"), hidden.len() as u64);
    // The other way round, a header that promises more than the record.
    let records = pax(&[("size", b"0")]);
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    append(&mut bytes, &header(b'0', b"outer", b"", 512), b"");
    bytes.extend(archive(&[entry(b'0', "next", "", b"")]));
    assert_eq!(made(&bytes), "next outer");
    // Between a record and its file, GNU's long name: its own size is its header's.
    let records = pax(&[("size", b"3")]);
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    append(
        &mut bytes,
        &header(b'L', b"././@LongLink", b"", 6),
        b"longer",
    );
    append(&mut bytes, &header(b'0', b"short", b"", 0), b"abc");
    bytes.resize(bytes.len() + 1024, 0);
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    assert_eq!(
        (paths(&tree).as_str(), body(&tree, "longer")),
        ("longer", 3)
    );
}

#[test]
fn records_that_lie_are_refused() {
    for records in [
        &b"5 a=bc\n"[..],
        b"99999999999999999999 a=b\n",
        b"0 a=b\n",
        b"6 a=b",
        b"x a=b\n",
    ] {
        let mut bytes = Vec::new();
        append(
            &mut bytes,
            &header(b'x', b"x", b"", records.len() as u64),
            records,
        );
        append(&mut bytes, &header(b'0', b"f", b"", 0), b"");
        let text = made(&bytes);
        assert!(
            text.contains("PAX") || text.contains("decimal"),
            "{records:?}: {text}"
        );
    }
    // A record without an end must not cost its promised size of memory.
    let mut bytes = Vec::new();
    append(&mut bytes, &header(b'x', b"x", b"", 1 << 32), b"");
    let text = made(&bytes);
    assert!(!text.is_empty() && !text.contains('\n'), "{text}");
}

/// What overlayfs would take for its own: a whiteout, and its attributes.
#[test]
fn overlays_marks_do_not_come_from_outside() {
    let device = |major: &[u8; 8], minor: &[u8; 8]| {
        let mut header = header(b'3', b"dev", b"", 0);
        header.as_mut_bytes()[329..337].copy_from_slice(major);
        header.as_mut_bytes()[337..345].copy_from_slice(minor);
        header.set_cksum();
        let mut bytes = Vec::new();
        append(&mut bytes, &header, b"");
        bytes.resize(bytes.len() + 1024, 0);
        made(&bytes)
    };
    let refused = "archive entry dev: character device 0:0 is an overlay's whiteout";
    assert_eq!(device(b"0000000\0", b"0000000\0"), refused);
    assert_eq!(device(&[0; 8], &[0; 8]), refused);
    assert_eq!(device(b"0000001\0", b"0000003\0"), "dev");
    let records = pax(&[
        ("SCHILY.xattr.trusted.overlay.metacopy", b""),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc/shadow"),
        ("SCHILY.xattr.user.overlay.whiteout", b"y"),
        ("LIBARCHIVE.xattr.trusted.overlay.opaque", b"eQ=="),
        ("SCHILY.xattr.user.kept", b"1"),
    ]);
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    append(&mut bytes, &header(b'0', b"f", b"", 0), b"");
    bytes.resize(bytes.len() + 1024, 0);
    let (_directory, store) = store();
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    let xattrs = &tree.get(b"f").unwrap().metadata().xattrs;
    let names: Vec<&[u8]> = xattrs.keys().map(|name| &**name).collect();
    assert_eq!(names, [&b"user.kept"[..]]);
}

#[test]
fn names_with_odd_bytes_stay_names() {
    let mut bytes = Vec::new();
    for name in [
        &b"new\nline"[..],
        b"\xff\xfe",
        b"-rf",
        b"back\\slash",
        b"tab\t\x1b[31m",
    ] {
        append(&mut bytes, &header(b'0', name, b"", 0), b"");
    }
    bytes.resize(bytes.len() + 1024, 0);
    let (_directory, store) = store();
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    assert_eq!(tree.entries().count(), 6);
    assert_eq!(Tree::decode(&tree.encode()).unwrap(), tree);
    // A NUL in a long name, and an empty one.
    for (name, expected) in [(&b"a\0b"[..], "a"), (b"\0", "")] {
        let mut bytes = Vec::new();
        append(
            &mut bytes,
            &header(b'L', b"././@LongLink", b"", name.len() as u64),
            name,
        );
        append(&mut bytes, &header(b'5', b"x", b"", 0), b"");
        bytes.resize(bytes.len() + 1024, 0);
        let text = made(&bytes);
        assert!(
            text == expected || text.starts_with("archive entry"),
            "{text}"
        );
    }
}

/// Directories that no entry makes are root's, until one does; bits survive the owner.
#[test]
fn metadata_is_what_the_last_entry_says() {
    let (_directory, store) = store();
    let mut special = header(b'0', b"opt/su", b"", 0);
    special.set_mode(0o6755);
    special.set_uid(1000);
    special.set_cksum();
    let mut sticky = header(b'5', b"opt", b"", 0);
    sticky.set_mode(0o1777);
    sticky.set_uid(5);
    sticky.set_cksum();
    let mut bytes = Vec::new();
    append(&mut bytes, &special, b"");
    let implicit = [&bytes[..], &[0; 1024]].concat();
    let tree = over(&store, &Tree::default(), &implicit).unwrap();
    let metadata = |tree: &Tree, path: &str| {
        let node = tree.get(path.as_bytes()).unwrap();
        (node.metadata().mode, node.metadata().uid)
    };
    assert_eq!(metadata(&tree, "opt"), (0o755, 0));
    assert_eq!(metadata(&tree, "opt/su"), (0o6755, 1000));
    append(&mut bytes, &sticky, b"");
    bytes.resize(bytes.len() + 1024, 0);
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    assert_eq!(metadata(&tree, "opt"), (0o1777, 5));
    // One that was there keeps what it has when it is only passed through.
    let mut base = Tree::default();
    base.insert(b"opt/x", file(b"x")).unwrap();
    let mut own = base.get(b"opt").unwrap().metadata().clone();
    own.mode = 0o700;
    base.insert_directory(b"opt", own).unwrap();
    let tree = over(&store, &base, &implicit).unwrap();
    assert_eq!(metadata(&tree, "opt"), (0o700, 0));
}
