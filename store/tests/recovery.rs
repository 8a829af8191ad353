//! What was not synced when the power failed: nobody takes it for whole. `tests/power/` of racker cuts the power of
//! real file systems; here files are spoiled as those may leave them.

mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use racker_store::{Access, Limits, Store, Tree, diff};
use support::{archive, entry, file, store};

/// Longer than a block, so that it can be cut off.
const BODY: [u8; 9000] = [7; 9000];

/// Puts in one of everything that is found by its name; nothing is synced.
fn put(store: &Store) {
    let imported = store.import_tar(
        &*archive(&[entry(b'0', "f", "", &BODY)]),
        &Limits::default(),
    );
    let tree = imported.unwrap().changeset.apply(&Tree::default()).unwrap();
    let mut after = tree.clone();
    after.insert(b"new", file(b"new")).unwrap();
    store.put_bytes(b"new").unwrap();
    let before = store.put_tree(&tree).unwrap();
    let (result, layer) = store.put_successor(before, &tree, &after).unwrap();
    assert!(!diff(&tree, &after).changes.is_empty());
    store.put_base(result, Some(before), layer).unwrap();
    let mut blob = store.blob_writer().unwrap();
    blob.write_all(&BODY).unwrap();
    let digest = blob.finish(None).unwrap();
    let kept = store.keep_metadata(&digest, |writer| writer.write_all(&BODY));
    kept.unwrap();
}

fn leases(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root.join("locks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("lease-")
    });
    found
}

/// All files that are found by their names.
fn files(root: &Path) -> Vec<PathBuf> {
    ["objects", "trees", "layers", "blobs", "metadata"]
        .iter()
        .flat_map(|directory| walkdir::WalkDir::new(root.join(directory)))
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn what_is_not_synced_leaves_a_lease() {
    let (_directory, store) = store();
    let root = store.root().to_owned();
    put(&store);
    drop(store);
    assert_eq!(leases(&root).len(), 1, "it was not synced");
    let open = || Store::open(&root, Access::ReadWrite).unwrap();
    // What is there already makes nothing unsynced.
    open().put_bytes(&BODY).unwrap();
    assert_eq!(leases(&root).len(), 1);
    let another = open();
    another.put_bytes(b"another").unwrap();
    another.sync().unwrap();
    drop(another);
    assert!(leases(&root).is_empty(), "a sync is one for all");
}

#[test]
fn nobody_takes_what_was_cut_off_for_whole() {
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil); 3] = [
        ("empty", |path| fs::write(path, "").unwrap()),
        ("cut off", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("zeros", |path| {
            let length = fs::read(path).unwrap().len();
            fs::write(path, vec![0; length]).unwrap();
        }),
    ];
    for (how, spoil) in spoil {
        let (_directory, first) = store();
        let root = first.root().to_owned();
        let old = first.put_bytes(b"old").unwrap().to_string();
        let old = root.join("objects").join(&old[..2]).join(&old[2..]);
        first.sync().unwrap();
        drop(first);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let open = || Store::open(&root, Access::ReadWrite).unwrap();
        put(&open());
        let whole: Vec<(PathBuf, Vec<u8>)> = files(&root)
            .into_iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        assert_eq!(whole.len(), 12, "{whole:?}");
        for (path, _) in whole.iter().filter(|(path, _)| *path != old) {
            spoil(path);
        }
        // As long as the machine goes on nothing was lost, and nobody looks.
        open().put_bytes(b"more").unwrap();
        assert_eq!(files(&root).len(), 13, "{how}");
        for lease in leases(&root) {
            let name = lease.file_name().unwrap().to_string_lossy();
            let (_, rest) = name.split_once('.').unwrap();
            fs::rename(&lease, root.join(format!("locks/lease-another.{rest}"))).unwrap();
        }
        let store = open();
        put(&store);
        assert_eq!(leases(&root).len(), 1, "{how}: the old ones are settled");
        for (path, bytes) in &whole {
            assert!(
                fs::read(path).unwrap() == *bytes,
                "{how}: {}",
                path.display()
            );
        }
        assert_eq!(store.verify().unwrap(), [], "{how}");
    }
}
