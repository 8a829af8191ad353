//! What the tests share.
#![expect(dead_code, reason = "each test uses a part of it")]

use std::io::Read as _;

use proptest::prelude::*;
use racker_store::{Access, Content, Inode, Limits, Metadata, ObjectId, Store, Time, Tree};

/// A new store in a directory that goes away.
pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("store"), Access::ReadWrite).unwrap();
    (directory, store)
}

pub(crate) fn file(bytes: &[u8]) -> Inode {
    let object = (!bytes.is_empty()).then(|| ObjectId::of(bytes));
    Inode {
        metadata: Metadata::new(0o644),
        content: Content::File {
            object,
            size: bytes.len() as u64,
        },
    }
}

/// One entry of an archive, written with the `tar` crate.
pub(crate) struct Entry<'a> {
    pub(crate) kind: u8,
    pub(crate) path: &'a str,
    pub(crate) link: &'a str,
    pub(crate) body: &'a [u8],
}

pub(crate) fn entry<'a>(kind: u8, path: &'a str, link: &'a str, body: &'a [u8]) -> Entry<'a> {
    Entry {
        kind,
        path,
        link,
        body,
    }
}

/// A header with the name written as it is, whatever it is.
pub(crate) fn header(kind: u8, path: &[u8], link: &[u8], size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(if kind == b'5' { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_700_000_000);
    header.set_size(size);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    let old = header.as_old_mut();
    old.name[..path.len()].copy_from_slice(path);
    old.linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    header
}

pub(crate) fn append(out: &mut Vec<u8>, header: &tar::Header, body: &[u8]) {
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// An archive of these entries, with its end.
pub(crate) fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let header = header(
            entry.kind,
            entry.path.as_bytes(),
            entry.link.as_bytes(),
            entry.body.len() as u64,
        );
        append(&mut out, &header, entry.body);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// PAX records.
pub(crate) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        out.extend(format!("{length} {key}=").bytes());
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out
}

/// Takes an archive in, over a parent, and checks that it comes back byte for byte.
pub(crate) fn over(store: &Store, parent: &Tree, archive: &[u8]) -> racker_store::Result<Tree> {
    let imported = store.import_tar(archive, &Limits::default())?;
    let mut back = Vec::new();
    store
        .export_tar(&imported.diff_id)
        .unwrap()
        .read_to_end(&mut back)
        .unwrap();
    assert!(back == archive, "the archive came back changed");
    assert_eq!(imported.size, archive.len() as u64);
    let tree = imported.changeset.apply(parent)?;
    let again = store
        .imported(&imported.diff_id)
        .unwrap()
        .unwrap()
        .apply(parent)?;
    assert_eq!(tree, again);
    Ok(tree)
}

/// Paths of a tree, one per line.
pub(crate) fn paths(tree: &Tree) -> String {
    let lines: Vec<String> = tree
        .entries()
        .skip(1)
        .map(|(path, _)| String::from_utf8_lossy(&path).into_owned())
        .collect();
    lines.join(" ")
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::sample::select(vec![&b"a"[..], b"b", b"c", b"a-b", b"z"]).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no slash", |byte| !b"/.\0".contains(byte)), 1..9),
    ]
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let xattrs = proptest::collection::btree_map(
        proptest::sample::select(vec![&b"user.a"[..], b"user.b=", b"security.x"])
            .prop_map(Box::from),
        proptest::collection::vec(any::<u8>(), 0..5).prop_map(Box::from),
        0..2,
    );
    (
        0_u32..0o10000,
        0_u32..3,
        any::<u32>(),
        any::<i32>(),
        0_u32..1_000_000_000,
        xattrs,
    )
        .prop_map(|(mode, uid, gid, seconds, nanoseconds, xattrs)| Metadata {
            mode,
            uid,
            gid,
            mtime: Time {
                seconds: seconds.into(),
                nanoseconds,
            },
            xattrs,
        })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..3).prop_map(|bytes| file(&bytes).content),
        1 => name().prop_map(|target| Content::Symlink(target.into())),
        1 => (1_u32..4000, 0_u32..99).prop_map(|(major, minor)| Content::CharDevice { major, minor }),
        1 => (0_u32..4000, 0_u32..99).prop_map(|(major, minor)| Content::BlockDevice { major, minor }),
        1 => Just(Content::Fifo),
        1 => Just(Content::Socket),
    ]
}

#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Insert(Vec<Vec<u8>>, Metadata, Content),
    Directory(Vec<Vec<u8>>, Metadata),
    Link(Vec<Vec<u8>>, Vec<Vec<u8>>),
    Remove(Vec<Vec<u8>>),
}

pub(crate) fn edits(count: usize) -> impl Strategy<Value = Vec<Edit>> {
    let path = || proptest::collection::vec(name(), 1..4);
    let edit = prop_oneof![
        4 => (path(), metadata(), content()).prop_map(|(path, metadata, content)| Edit::Insert(path, metadata, content)),
        3 => (path(), metadata()).prop_map(|(path, metadata)| Edit::Directory(path, metadata)),
        3 => (path(), path()).prop_map(|(old, new)| Edit::Link(old, new)),
        1 => path().prop_map(Edit::Remove),
    ];
    proptest::collection::vec(edit, 0..count)
}

/// Carries out what can be carried out.
pub(crate) fn edit(tree: &mut Tree, edits: &[Edit]) {
    for edit in edits {
        let _ = match edit.clone() {
            Edit::Insert(path, metadata, content) => tree
                .insert(&path.join(&b'/'), Inode { metadata, content })
                .map(drop),
            Edit::Directory(path, metadata) => tree.insert_directory(&path.join(&b'/'), metadata),
            Edit::Link(old, new) => tree.link(&old.join(&b'/'), &new.join(&b'/')),
            Edit::Remove(path) => {
                tree.remove(&path.join(&b'/'));
                Ok(())
            }
        };
    }
}
