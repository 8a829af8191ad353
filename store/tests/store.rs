//! The store as a whole: names that must stay, crashes, parallel use, damage, reading only.

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use racker_store::{
    Access, CaptureOptions, Change, Content, Digest, Error, Image, ImportOptions, Inode, Limits,
    Metadata, ObjectId, Realisation, StepKey, Store, Time, Tree, diff,
};
use support::{archive, entry, file, paths, store};

/// A tree with one of everything.
fn sample() -> Tree {
    let mut tree = Tree::default();
    let mut passwd = file(b"root:x:0:0::/root:/bin/sh\n");
    passwd.metadata.mtime = Time {
        seconds: 1_700_000_000,
        nanoseconds: 123_456_789,
    };
    passwd
        .metadata
        .xattrs
        .insert(b"user.note"[..].into(), b"a b\n"[..].into());
    tree.insert(b"etc/passwd", passwd).unwrap();
    tree.link(b"etc/passwd", b"etc/passwd-").unwrap();
    tree.insert(b"etc/empty", file(b"")).unwrap();
    let with = |content| Inode {
        metadata: Metadata::new(0o600),
        content,
    };
    tree.insert(b"bin", with(Content::Symlink(b"usr/bin"[..].into())))
        .unwrap();
    tree.insert(
        b"dev/null",
        with(Content::CharDevice { major: 1, minor: 3 }),
    )
    .unwrap();
    tree.insert(
        b"dev/loop",
        with(Content::BlockDevice { major: 7, minor: 0 }),
    )
    .unwrap();
    tree.insert(b"dev/p\xf6rt", with(Content::Fifo)).unwrap();
    tree.insert(b"dev/sock", with(Content::Socket)).unwrap();
    let tmp = Metadata {
        mtime: Time::seconds(-1),
        uid: 1,
        gid: 2,
        ..Metadata::new(0o1777)
    };
    tree.insert_directory(b"tmp", tmp).unwrap();
    tree
}

const MANIFEST: &str = r"racker-tree 1
/ d 0755 0 0 0.000000000
/bin l 0600 0 0 0.000000000 usr/bin
/dev d 0755 0 0 0.000000000
/dev/loop b 0600 0 0 0.000000000 7 0
/dev/null c 0600 0 0 0.000000000 1 3
/dev/p\xf6rt p 0600 0 0 0.000000000
/dev/sock s 0600 0 0 0.000000000
/etc d 0755 0 0 1700000000.123456789
/etc/empty f 0644 0 0 0.000000000 0 -
/etc/passwd f 0644 0 0 1700000000.123456789 26 OBJECT user.note=a\x20b\x0a
/etc/passwd- h /etc/passwd
/tmp d 1777 1 2 -1.000000000
";

#[test]
fn names_stay_what_they_are() {
    let object = ObjectId::of(b"root:x:0:0::/root:/bin/sh\n").to_string();
    let manifest = String::from_utf8(sample().encode()).unwrap();
    assert_eq!(manifest, MANIFEST.replace("OBJECT", &object));
    let empty = Tree::default();
    assert_eq!(
        [
            object,
            empty.id().to_string(),
            sample().id().to_string(),
            diff(&empty, &sample()).id().to_string()
        ],
        [
            "7f33902e75ca5e90babe3e4363d224892d07bd863d81835c57e7dae4ef0ba610",
            "8e299b1ae2a63c3ed4b34ffd8a3d5d8df7a1826b9f0679288331343ba8f5a0a1",
            "b0dd23ffea21af0f0a5b11ab34fb0c8be1ecccc065524dc7de00e95e3994d255",
            "35f490a94db4c83cc1f92527084a1ed44374dce2e06b5fa2a6a5195346347510",
        ]
    );
}

#[test]
fn lookup_stays_inside() {
    let mut tree = sample();
    tree.insert_directory(b"usr/bin", Metadata::new(0o755))
        .unwrap();
    let link = |target: &[u8]| Inode {
        content: Content::Symlink(target.into()),
        ..file(b"")
    };
    tree.insert(b"up", link(b"../../../etc/passwd")).unwrap();
    tree.insert(b"loop", link(b"loop")).unwrap();
    assert_eq!(tree.resolve(b"/up").unwrap().0, b"etc/passwd");
    assert_eq!(tree.resolve(b"bin/../../etc").unwrap().0, b"etc");
    assert_eq!(
        tree.lookup(b"loop").unwrap_err().to_string(),
        "too many symbolic links in /loop"
    );
    assert_eq!(
        tree.lookup(b"up/x").unwrap_err().to_string(),
        "/etc/passwd is not a directory"
    );
    assert_eq!(
        tree.lookup(b"bin/x").unwrap_err().to_string(),
        "/usr/bin/x does not exist"
    );
}

#[test]
fn several_at_once_put_the_same() {
    let (directory, first) = store();
    let bodies: Vec<Vec<u8>> = (0..200_u32)
        .map(|number| number.to_le_bytes().repeat(300))
        .collect();
    let names: Vec<String> = (0..200).map(|number| format!("d/{number}")).collect();
    let entries: Vec<_> = names
        .iter()
        .zip(&bodies)
        .map(|(name, body)| entry(b'0', name, "", body))
        .collect();
    let archive = archive(&entries);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let store =
                        Store::open(&directory.path().join("store"), Access::ReadWrite).unwrap();
                    let imported = store.import_tar(&*archive, &Limits::default()).unwrap();
                    let id = store
                        .put_tree(&imported.changeset.apply(&Tree::default()).unwrap())
                        .unwrap();
                    store.sync().unwrap();
                    (id, imported.diff_id)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(ids[0].1, Digest::of(&archive));
    assert!(first.verify().unwrap().is_empty());
}

#[test]
fn what_a_crash_leaves_is_swept() {
    let (_directory, store) = store();
    let kept = store.stage().unwrap();
    let left = store.root().join("stage/left");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("file"), "x").unwrap();
    assert_eq!(store.sweep_stage().unwrap(), 1);
    assert!(!left.exists() && kept.path().exists());
    let path = kept.path().to_owned();
    drop(kept);
    assert!(!path.exists());
    assert_eq!(fs::read_dir(store.root().join("trash")).unwrap().count(), 0);
}

#[test]
fn objects_are_read_only_and_hold_bytes_alone() {
    let (_directory, store) = store();
    let id = store.put_bytes(b"x").unwrap();
    assert_eq!(store.put_object(&b"x"[..]).unwrap(), (id, 1));
    let stat = store.open_object(id).unwrap().metadata().unwrap();
    assert_eq!(
        (stat.permissions().mode() & 0o7777, stat.nlink()),
        (0o444, 1)
    );
    let missing = ObjectId::of(b"y");
    assert_eq!(
        store.open_object(missing).unwrap_err().to_string(),
        format!("object {missing} is not in the store")
    );
}

#[test]
fn directories_come_in_as_they_are() {
    let (directory, store) = store();
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/f"), "body").unwrap();
    fs::hard_link(root.join("a/f"), root.join("a/g")).unwrap();
    fs::write(root.join("a/b/left-out"), "x").unwrap();
    std::os::unix::fs::symlink("f", root.join("a/l")).unwrap();
    let options = ImportOptions {
        clamp: Some(1000),
        exclude: vec![b"/a/b/".to_vec()],
    };
    let tree = store.import_dir(&root, &options).unwrap();
    assert_eq!(paths(&tree), "a a/f a/g a/l");
    assert_eq!(
        tree.get(b"a/f").unwrap().metadata().mtime,
        Time::seconds(1000)
    );
    let mut expected = tree.clone();
    expected.link(b"a/f", b"a/g").unwrap();
    assert_eq!(tree, expected);
    store.put_tree(&tree).unwrap();
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn an_upper_gives_its_files() {
    let (directory, store) = store();
    let upper = directory.path().join("upper");
    fs::create_dir_all(upper.join("d")).unwrap();
    fs::write(upper.join("d/f"), "body").unwrap();
    fs::hard_link(upper.join("d/f"), upper.join("g")).unwrap();
    fs::write(upper.join("outside"), "kept").unwrap();
    fs::hard_link(upper.join("outside"), directory.path().join("elsewhere")).unwrap();
    let uid = fs::metadata(&upper).unwrap().uid();
    let options = CaptureOptions {
        move_files: true,
        id_base: uid,
        id_count: 1,
        ..CaptureOptions::default()
    };
    let inode = fs::metadata(upper.join("g")).unwrap().ino();
    let group = fs::metadata(&upper).unwrap().gid();
    if group != uid {
        let error = store.capture(&upper, &options).unwrap_err();
        assert!(
            error.to_string().ends_with("is outside the map of ids"),
            "{error}"
        );
        return;
    }
    let tree = store
        .capture(&upper, &options)
        .unwrap()
        .apply(&Tree::default())
        .unwrap();
    assert_eq!(paths(&tree), "d d/f g outside");
    let object = |bytes| {
        store
            .open_object(ObjectId::of(bytes))
            .unwrap()
            .metadata()
            .unwrap()
    };
    assert_eq!(object(b"body").ino(), inode);
    assert_eq!(object(b"kept").nlink(), 1);
    assert!(store.verify().unwrap().is_empty());
}

fn realisation(store: &Store, built: i64) -> Realisation {
    let base = Tree::default();
    let mut tree = base.clone();
    let bytes = built.to_string();
    store.put_bytes(bytes.as_bytes()).unwrap();
    tree.insert(b"f", file(bytes.as_bytes())).unwrap();
    Realisation {
        key: StepKey::from_bytes([built as u8; 32]),
        document: serde_json::json!({ "step": built }),
        recipe: "web".into(),
        place: 2,
        step: "run".into(),
        parent: Some(store.put_tree(&base).unwrap()),
        tree: store.put_tree(&tree).unwrap(),
        layer: Some(store.put_layer(&diff(&base, &tree)).unwrap()),
        built,
        milliseconds: 5,
        log: None,
    }
}

#[test]
fn records_are_found_with_and_without_the_index() {
    let (directory, store) = store();
    let records = [realisation(&store, 1), realisation(&store, 2)];
    for record in &records {
        store.record(record).unwrap();
        store
            .record(&Realisation {
                built: 99,
                ..record.clone()
            })
            .unwrap();
        assert_eq!(
            store.realisations(record.key).unwrap(),
            std::slice::from_ref(record)
        );
    }
    let newest_first = [records[1].clone(), records[0].clone()];
    assert_eq!(store.recent("web", 2).unwrap(), newest_first);
    assert!(store.recent("web", 1).unwrap().is_empty());
    let (tree, parent, layer) = (
        records[0].tree,
        records[0].parent,
        records[0].layer.unwrap(),
    );
    store.put_base(tree, parent, layer).unwrap();
    assert_eq!(store.base(tree).unwrap(), Some((parent, layer)));
    let image = Image {
        config: serde_json::json!({}),
        recipe: Some("web".into()),
        created: 5,
        ..Image::new("localhost/web:latest", records[0].tree)
    };
    store.put_image(&image).unwrap();
    assert_eq!(store.image(&image.name).unwrap().unwrap(), image);
    assert!(matches!(store.image(""), Err(Error::Name { .. })));
    let root = directory.path().join("store");
    drop(store);
    for damaged in [false, true] {
        if damaged {
            fs::remove_file(root.join("index.db")).unwrap();
        }
        let reader = Store::open(&root, Access::ReadOnly).unwrap();
        assert_eq!(reader.recent("web", 2).unwrap(), newest_first);
        assert_eq!(reader.images().unwrap(), std::slice::from_ref(&image));
        assert!(matches!(
            reader.put_bytes(b"new"),
            Err(Error::ReadOnly { .. })
        ));
        assert_eq!(root.join("index.db").exists(), !damaged);
    }
    let store = Store::open(&root, Access::ReadWrite).unwrap();
    assert_eq!(store.recent("web", 2).unwrap(), newest_first);
    assert!(store.remove_image(&image.name).unwrap() && !store.remove_image(&image.name).unwrap());
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn blobs_are_kept_by_digest() {
    let (_directory, store) = store();
    let wrong = Digest::of(b"y");
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"x").unwrap();
    assert!(matches!(
        writer.finish(Some(&wrong)),
        Err(Error::DigestMismatch { .. })
    ));
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"x").unwrap();
    let digest = writer.finish(None).unwrap();
    assert_eq!(fs::read(store.blob(&digest).unwrap()).unwrap(), b"x");
    assert!(store.blob(&wrong).is_none());
    let stage = store.root().join("stage");
    drop(store);
    assert_eq!(fs::read_dir(stage).unwrap().count(), 0);
}

#[test]
fn damage_is_found() {
    let (_directory, store) = store();
    let imported = store
        .import_tar(
            &*archive(&[entry(b'0', "f", "", b"body")]),
            &Limits::default(),
        )
        .unwrap();
    let tree = imported.changeset.apply(&Tree::default()).unwrap();
    let id = store.put_tree(&tree).unwrap();
    let layer = diff(&Tree::default(), &tree);
    assert!(matches!(layer.changes[..], [(_, Change::Inode(_))]));
    let layer = store.put_layer(&layer).unwrap();
    assert!(store.verify().unwrap().is_empty());
    let name = ObjectId::of(b"body").to_string();
    let split = format!(
        "layers/{}.split",
        imported.diff_id.to_string().replace(':', "-")
    );
    let files = [
        format!("objects/{}/{}", &name[..2], &name[2..]),
        format!("trees/{id}.tree"),
        format!("trees/{id}.erofs"),
        format!("layers/{layer}.layer"),
        split,
    ];
    for name in &files {
        let path = store.root().join(name);
        let whole = fs::read(&path).unwrap();
        let mode = path.metadata().unwrap().permissions();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x40;
        for bytes in [&whole[..whole.len() - 1], &flipped[..]] {
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
            assert!(!store.verify().unwrap().is_empty(), "{name}");
        }
        fs::remove_file(&path).unwrap();
        // Nothing refers to a tree, a layer or an archive by itself.
        let alone =
            name.starts_with("layers") || name.starts_with("trees/") && name.ends_with("tree");
        assert_eq!(
            store.verify().unwrap().is_empty(),
            alone,
            "{name} is missing"
        );
        fs::write(&path, &whole).unwrap();
        fs::set_permissions(&path, mode).unwrap();
        assert!(store.verify().unwrap().is_empty(), "{name} is whole again");
    }
}

#[test]
fn foreign_directories_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("letter"), "x").unwrap();
    assert!(matches!(
        Store::open(directory.path(), Access::ReadWrite),
        Err(Error::Format { .. })
    ));
    assert!(matches!(
        Store::open(directory.path(), Access::ReadOnly),
        Err(Error::Format { .. })
    ));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_store_that_was_half_made_is_completed() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("objects/00")).unwrap();
    for left in ["CACHEDIR.TAG.77", "meta.toml.77"] {
        fs::write(directory.path().join(left), "format").unwrap();
    }
    let store = Store::open(directory.path(), Access::ReadWrite).unwrap();
    store.put_bytes(b"x").unwrap();
    assert_eq!(store.verify().unwrap(), []);
}
