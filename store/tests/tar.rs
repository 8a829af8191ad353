//! What the entries of an archive mean, in the forms that exist in the wild.

mod support;

use racker_store::{Content, Error, Limits, NodeRef, Time, Tree};
use support::{append, archive, entry, file, header, over, paths, pax, store};

fn base() -> Tree {
    let mut tree = Tree::default();
    for path in ["d/x", "d/y", "f", "usr/bin/sh"] {
        tree.insert(path.as_bytes(), file(path.as_bytes())).unwrap();
    }
    let link = racker_store::Inode {
        content: Content::Symlink(b"usr/bin"[..].into()),
        ..file(b"")
    };
    tree.insert(b"bin", link).unwrap();
    tree
}

/// Entries as `kind path [link]`, applied over [`base`], and the paths that come out.
#[track_caller]
fn check(entries: &[(u8, &str, &str)], expected: &str) {
    let (_directory, store) = store();
    let entries: Vec<_> = entries
        .iter()
        .map(|(kind, path, link)| entry(*kind, path, link, b""))
        .collect();
    match over(&store, &base(), &archive(&entries)) {
        Ok(tree) => assert_eq!(paths(&tree), expected),
        Err(error) => assert_eq!(error.to_string(), expected),
    }
}

const BASE: &str = "bin d d/x d/y f usr usr/bin usr/bin/sh";

#[test]
fn whiteouts_speak_of_lower_layers() {
    check(&[], BASE);
    check(
        &[(b'0', "d/.wh.x", "")],
        "bin d d/y f usr usr/bin usr/bin/sh",
    );
    check(&[(b'0', ".wh.d", "")], "bin f usr usr/bin usr/bin/sh");
    check(&[(b'0', ".wh.nothing", "")], BASE);
    for order in [[0, 1], [1, 0]] {
        let entries = [(b'0', "d/.wh..wh..opq", ""), (b'0', "d/new", "")];
        check(
            &order.map(|at| entries[at]),
            "bin d d/new f usr usr/bin usr/bin/sh",
        );
        let entries = [(b'0', ".wh.f", ""), (b'0', "f", "")];
        check(&order.map(|at| entries[at]), BASE);
        let entries = [(b'0', ".wh.d", ""), (b'5', "d", "")];
        check(
            &order.map(|at| entries[at]),
            "bin d f usr usr/bin usr/bin/sh",
        );
    }
    check(
        &[(b'0', ".wh..wh.plnk/1", ""), (b'0', ".wh..wh.aufs", "")],
        BASE,
    );
    check(
        &[(b'0', "d/.wh...", "")],
        "archive entry d/.wh...: is a whiteout of nothing",
    );
    check(
        &[(b'0', "d/.wh.", "")],
        "archive entry d/.wh.: is a whiteout of nothing",
    );
}

#[test]
fn last_entry_of_a_name_wins() {
    check(&[(b'0', "d", "")], "bin d f usr usr/bin usr/bin/sh");
    check(
        &[(b'5', "f/", ""), (b'0', "f/g", "")],
        "bin d d/x d/y f f/g usr usr/bin usr/bin/sh",
    );
    check(&[(b'5', "d", ""), (b'5', "d/", "")], BASE);
    check(
        &[(b'0', "d", ""), (b'5', "d", "")],
        "bin d f usr usr/bin usr/bin/sh",
    );
    check(
        &[(b'0', "./n//m/", "")],
        "bin d d/x d/y f n n/m usr usr/bin usr/bin/sh",
    );
    check(
        &[(b'0', "/n", ""), (b'5', "./", "")],
        "bin d d/x d/y f n usr usr/bin usr/bin/sh",
    );
}

#[test]
fn symbolic_links_on_the_way_are_followed_inside_the_tree() {
    check(
        &[(b'0', "bin/tool", "")],
        "bin d d/x d/y f usr usr/bin usr/bin/sh usr/bin/tool",
    );
    check(
        &[(b'2', "l", "../../d"), (b'0', "l/z", "")],
        "bin d d/x d/y d/z f l usr usr/bin usr/bin/sh",
    );
    check(
        &[(b'2', "l", "l"), (b'0', "l/z", "")],
        "archive entry l/z: leads through too many symbolic links",
    );
}

#[test]
fn what_leads_out_is_refused() {
    check(
        &[(b'0', "../e", "")],
        "archive entry ../e: leads out of its directory",
    );
    check(
        &[(b'1', "e", "../f")],
        "archive entry e: leads out of its directory",
    );
    check(
        &[(b'2', ".", "f")],
        "archive entry .: the root must stay a directory",
    );
    check(
        &[(b'3', "e", "")],
        "archive entry e: character device 0:0 is an overlay's whiteout",
    );
    check(
        &[(b'Q', "e", "")],
        "archive entry e: the kind of entry is unknown",
    );
    check(
        &[(b'1', "e", "none")],
        "path /none: is the target of a hard link and no file",
    );
    check(
        &[(b'1', "e", "d")],
        "path /d: is the target of a hard link and no file",
    );
}

#[test]
fn hard_links() {
    let (_directory, store) = store();
    let same = |tree: &Tree, a: &str, b: &str| {
        let id = |path: &str| match tree.get(path.as_bytes()) {
            Some(NodeRef::Inode(id, _)) => id,
            _ => panic!("{path} is no file"),
        };
        id(a) == id(b)
    };
    let layer = [
        entry(b'0', "n", "", b"1"),
        entry(b'1', "m", "n", b""),
        entry(b'0', "n", "", b"2"),
    ];
    let tree = over(&store, &base(), &archive(&layer)).unwrap();
    assert!(!same(&tree, "n", "m"));
    let layer = [
        entry(b'1', "m", "/f", b""),
        entry(b'1', "k", "./m", b""),
        entry(b'1', "j", "bin/sh", b""),
    ];
    let tree = over(&store, &base(), &archive(&layer)).unwrap();
    assert!(same(&tree, "m", "f") && same(&tree, "k", "f") && same(&tree, "j", "usr/bin/sh"));
    let layer = [
        entry(b'1', "m", "f", b""),
        entry(b'0', ".wh.f", "", b""),
        entry(b'2', "l", "f", b""),
        entry(b'1', "k", "l", b""),
    ];
    let tree = over(&store, &base(), &archive(&layer)).unwrap();
    assert!(tree.get(b"f").is_none() && same(&tree, "k", "l"));
    assert_eq!(
        tree.lookup(b"m").unwrap().metadata(),
        &base().get(b"f").unwrap().metadata().clone()
    );
}

#[test]
fn extended_headers() {
    let (_directory, store) = store();
    let long = "n/".repeat(80) + "é";
    let mut bytes = Vec::new();
    let global = pax(&[("comment", b"x"), ("gid", b"7")]);
    append(
        &mut bytes,
        &header(b'g', b"g", b"", global.len() as u64),
        &global,
    );
    let records = pax(&[
        ("path", long.as_bytes()),
        ("size", b"3"),
        ("uid", b"3000000000"),
        ("mtime", b"-1.5"),
        ("SCHILY.xattr.security.capability", b"\x01\n\0=\xff"),
        ("LIBARCHIVE.xattr.user.b", b"AQID"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.overlay.redirect", b"y"),
    ]);
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    append(&mut bytes, &header(b'0', b"short", b"", 0), b"abc");
    for kind in [b'L', b'K'] {
        append(
            &mut bytes,
            &header(kind, b"././@LongLink", b"", 201),
            &[&[b'q'; 200][..], b"\0"].concat(),
        );
    }
    append(&mut bytes, &header(b'2', b"short", b"short", 0), b"");
    bytes.resize(bytes.len() + 1024, 0);
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    let Some(NodeRef::Inode(_, inode)) = tree.get(long.as_bytes()) else {
        panic!("no file")
    };
    assert_eq!(inode.content, file(b"abc").content);
    assert_eq!((inode.metadata.uid, inode.metadata.gid), (3_000_000_000, 7));
    assert_eq!(
        inode.metadata.mtime,
        Time {
            seconds: -2,
            nanoseconds: 500_000_000
        }
    );
    let xattrs: Vec<(&[u8], &[u8])> = inode
        .metadata
        .xattrs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(
        xattrs,
        [
            (&b"security.capability"[..], &b"\x01\n\0=\xff"[..]),
            (b"user.b", b"\x01\x02\x03")
        ]
    );
    let Some(NodeRef::Inode(_, inode)) = tree.get(&[b'q'; 200]) else {
        panic!("no link")
    };
    assert_eq!(inode.content, Content::Symlink([b'q'; 200].into()));
}

#[test]
fn files_with_holes() {
    let (_directory, store) = store();
    let whole = [&[0; 1000][..], b"abc", &[0; 497]].concat();
    let mut bytes = Vec::new();
    let map = |entries: &mut tar::Header| {
        let gnu = entries.as_gnu_mut().unwrap();
        gnu.sparse[0].offset = *b"00000001750\0";
        gnu.sparse[0].numbytes = *b"00000000003\0";
        gnu.realsize = *b"00000002734\0";
    };
    let mut old = tar::Header::new_gnu();
    old.clone_from(&header(b'S', b"old", b"", 3));
    old.as_old_mut().pad = [0; 255];
    old.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
    map(&mut old);
    old.set_cksum();
    append(&mut bytes, &old, b"abc");
    let named =
        |version: &'static [u8], name: &'static [u8]| -> Vec<(&'static str, &'static [u8])> {
            vec![
                ("GNU.sparse.major", version),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", name),
            ]
        };
    let mut records = named(b"1", b"new");
    records.push(("GNU.sparse.realsize", b"1500"));
    let records = pax(&records);
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    let mut body = b"1\n1000\n3\n".to_vec();
    body.resize(512, 0);
    body.extend(b"abc");
    append(
        &mut bytes,
        &header(b'0', b"GNUSparseFile.0/new", b"", body.len() as u64),
        &body,
    );
    let records = pax(&[
        ("GNU.sparse.size", b"1500"),
        ("GNU.sparse.map", b"1000,3"),
        ("GNU.sparse.name", b"middle"),
    ]);
    append(
        &mut bytes,
        &header(b'x', b"x", b"", records.len() as u64),
        &records,
    );
    append(&mut bytes, &header(b'0', b"whatever", b"", 3), b"abc");
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    assert_eq!(paths(&tree), "middle new old");
    for path in [&b"middle"[..], b"new", b"old"] {
        let Some(NodeRef::Inode(_, inode)) = tree.get(path) else {
            panic!("no file")
        };
        assert_eq!(inode.content, file(&whole).content);
    }
}

#[test]
fn old_and_odd_numbers() {
    let (_directory, store) = store();
    let mut bytes = Vec::new();
    let mut v7 = header(b'0', b"v7/", b"", 0);
    v7.as_mut_bytes()[156] = 0;
    v7.as_mut_bytes()[257..].fill(0);
    v7.set_cksum();
    append(&mut bytes, &v7, b"");
    let mut large = header(b'0', b"large", b"", 0);
    large.as_mut_bytes()[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0x80, 0, 0, 1]);
    large.as_mut_bytes()[136..148].copy_from_slice(&[0xff; 12]);
    large.set_cksum();
    append(&mut bytes, &large, b"");
    bytes.extend([0; 1024]);
    bytes.extend(b"garbage");
    let tree = over(&store, &Tree::default(), &bytes).unwrap();
    assert!(matches!(tree.get(b"v7"), Some(NodeRef::Directory(_))));
    let metadata = tree.get(b"large").unwrap().metadata();
    assert_eq!(
        (metadata.uid, metadata.mtime),
        (0x8000_0001, Time::seconds(-1))
    );
    let mut negative = header(b'0', b"n", b"", 0);
    negative.as_mut_bytes()[108..116].copy_from_slice(&[0xff; 8]);
    negative.set_cksum();
    let error = over(&store, &Tree::default(), negative.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive entry n: an owner is out of range"
    );
}

#[test]
fn damage_and_limits() {
    let (_directory, store) = store();
    let whole = archive(&[entry(b'0', "f", "", &[1; 700])]);
    for length in [100, 512, 800, 1300] {
        let error = store
            .import_tar(&whole[..length], &Limits::default())
            .unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{length}: {error}");
    }
    let mut wrong = whole.clone();
    wrong[0] = b'g';
    let error = store.import_tar(&*wrong, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive entry g: the header has a wrong checksum"
    );
    for limits in [
        Limits {
            entries: 0,
            ..Limits::default()
        },
        Limits {
            bytes: 1000,
            ..Limits::default()
        },
    ] {
        assert!(matches!(
            store.import_tar(&*whole, &limits),
            Err(Error::Limit { .. })
        ));
    }
    let deep = pax(&[("path", "a/".repeat(2500).as_bytes())]);
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        &header(b'x', b"x", b"", deep.len() as u64),
        &deep,
    );
    append(&mut bytes, &header(b'0', b"x", b"", 0), b"");
    assert!(matches!(
        store.import_tar(&*bytes, &Limits::default()),
        Err(Error::Limit { .. })
    ));
    assert!(store.verify().unwrap().is_empty());
    let stage = store.root().join("stage");
    drop(store);
    assert_eq!(std::fs::read_dir(stage).unwrap().count(), 0);
}
