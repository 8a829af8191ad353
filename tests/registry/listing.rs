//! Trees as text, in the store and on the disk, to be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use racker_store::{Content, Digest, Image, NodeRef, Store};
use sha2::Digest as _;

/// Everything that a comparison looks at, as one line per path.
pub(crate) type Listing = BTreeMap<Vec<u8>, String>;

/// The store's tree as a listing.
pub(crate) fn of_tree(store: &Store, image: &Image) -> Listing {
    let tree = store.tree(image.tree).unwrap();
    let entries: Vec<_> = tree.entries().collect();
    let mut names: BTreeMap<_, Vec<&[u8]>> = BTreeMap::new();
    for (path, node) in &entries {
        if let NodeRef::Inode(id, _) = node {
            names.entry(*id).or_default().push(path);
        }
    }
    let mut listing = Listing::new();
    for (path, node) in &entries {
        let metadata = node.metadata();
        let (kind, links) = match node {
            NodeRef::Directory(_) => ("directory".to_owned(), String::new()),
            NodeRef::Inode(id, inode) => (content(store, &inode.content), show_links(&names[id])),
        };
        let mut mode = metadata.mode;
        let mut time = format!(
            "{}.{:09}",
            metadata.mtime.seconds, metadata.mtime.nanoseconds
        );
        match node {
            NodeRef::Directory(_) => time = String::new(),
            NodeRef::Inode(_, inode) if matches!(inode.content, Content::Symlink(_)) => {
                mode = 0o777;
            }
            NodeRef::Inode(..) => {}
        }
        let xattrs = metadata
            .xattrs
            .iter()
            .map(|(k, v)| (k.to_vec(), v.to_vec()))
            .collect();
        listing.insert(
            path.clone(),
            line(
                &kind,
                mode,
                metadata.uid,
                metadata.gid,
                &time,
                &xattrs,
                &links,
            ),
        );
    }
    listing
}

fn content(store: &Store, content: &Content) -> String {
    match content {
        Content::File { object, size } => {
            let mut bytes = Vec::new();
            if let Some(object) = object {
                store
                    .open_object(*object)
                    .unwrap()
                    .read_to_end(&mut bytes)
                    .unwrap();
            }
            assert_eq!(bytes.len() as u64, *size);
            file(&bytes)
        }
        Content::Symlink(target) => format!("link {}", target.escape_ascii()),
        Content::CharDevice { major, minor } => format!("char {major}:{minor}"),
        Content::BlockDevice { major, minor } => format!("block {major}:{minor}"),
        Content::Fifo => "fifo".to_owned(),
        Content::Socket => "socket".to_owned(),
    }
}

fn file(bytes: &[u8]) -> String {
    let digest = Digest::from_bytes(sha2::Sha256::digest(bytes).into());
    format!("file {} {digest}", bytes.len())
}

fn line(
    kind: &str,
    mode: u32,
    uid: u32,
    gid: u32,
    time: &str,
    xattrs: &BTreeMap<Vec<u8>, Vec<u8>>,
    links: &str,
) -> String {
    let xattrs: Vec<String> = xattrs
        .iter()
        .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    format!(
        "{kind} {mode:o} {uid}:{gid} {time} [{}] {links}",
        xattrs.join(" ")
    )
}

fn show_links(names: &[&[u8]]) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| name.escape_ascii().to_string())
        .collect();
    format!("{} {}", names.len(), shown.join(" = "))
}

/// A directory on disk as a listing.
pub(crate) fn of_directory(root: &Path) -> Listing {
    let mut paths = Vec::new();
    walk(root, &mut paths);
    let mut names: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    let relative = |path: &Path| {
        path.strip_prefix(root)
            .unwrap()
            .as_os_str()
            .as_bytes()
            .to_vec()
    };
    for path in &paths {
        let inode = path.symlink_metadata().unwrap().ino();
        names.entry(inode).or_default().push(relative(path));
    }
    let mut listing = Listing::new();
    for path in &paths {
        let metadata = path.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        let (major, minor) = (
            rustix::fs::major(metadata.rdev()),
            rustix::fs::minor(metadata.rdev()),
        );
        let shown = if kind.is_dir() {
            "directory".to_owned()
        } else if kind.is_symlink() {
            let target = fs::read_link(path).unwrap();
            format!("link {}", target.as_os_str().as_bytes().escape_ascii())
        } else if kind.is_file() {
            file(&fs::read(path).unwrap())
        } else if kind.is_char_device() {
            format!("char {major}:{minor}")
        } else if kind.is_block_device() {
            format!("block {major}:{minor}")
        } else {
            "fifo".to_owned()
        };
        let mut links = String::new();
        let mut time = String::new();
        if !kind.is_dir() {
            let mut all: Vec<&[u8]> = names[&metadata.ino()].iter().map(Vec::as_slice).collect();
            all.sort_unstable();
            assert_eq!(all.len() as u64, metadata.nlink(), "{}", path.display());
            links = show_links(&all);
            time = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
        }
        let mode = metadata.mode() & 0o7777;
        listing.insert(
            relative(path),
            line(
                &shown,
                mode,
                metadata.uid(),
                metadata.gid(),
                &time,
                &xattrs(path),
                &links,
            ),
        );
    }
    listing
}

fn walk(path: &Path, paths: &mut Vec<PathBuf>) {
    paths.push(path.to_owned());
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), paths);
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 65536];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    let mut found = BTreeMap::new();
    for name in names {
        let mut value = vec![0; 65536];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    found
}

pub(crate) fn assert_same(ours: &Listing, theirs: &Listing) {
    let mut differences = Vec::new();
    for path in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let (one, other) = (ours.get(path), theirs.get(path));
        if one != other {
            differences.push(format!(
                "{}\n  racker {one:?}\n  umoci  {other:?}",
                path.escape_ascii()
            ));
        }
    }
    let count = differences.len();
    differences.truncate(20);
    assert!(
        differences.is_empty(),
        "{count} differences:\n{}",
        differences.join("\n")
    );
}
