//! Mounting what the store makes. These need root and say so where they are left out.

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use racker_store::{
    Access, CaptureOptions, Content, ImportOptions, Inode, Metadata, Policy, Store, Time, Tree,
    diff,
};
use support::{file, paths, store};

/// Whether mounting is possible; says why not.
fn privileged() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        let _ =
            std::io::Write::write_all(&mut std::io::stderr(), b"skipped: mounting needs root\n");
    }
    root
}

/// A mount that goes away.
struct Mount(PathBuf);

impl Mount {
    fn new(kind: &str, source: &Path, options: &str, target: &Path) -> Self {
        fs::create_dir_all(target).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", kind]).arg(source).arg(target);
        if !options.is_empty() {
            mount.args(["-o", options]);
        }
        let output = mount.output().unwrap();
        assert!(
            output.status.success(),
            "{mount:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self(target.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Mounts a tree both ways over a fresh upper; reads each back.
fn mounted(store: &Store, directory: &Path, tree: &Tree) -> [Tree; 2] {
    let id = store.put_tree(tree).unwrap();
    let image = directory.join("image");
    let erofs = Mount::new("erofs", &store.erofs(id).unwrap(), "", &image);
    let lowers = store.checkout(id).unwrap();
    let lowers: Vec<String> = lowers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let ways = [
        format!("{}::{}", image.display(), store.objects().display()),
        lowers.join(":"),
    ];
    let trees = ways.map(|lower| {
        let [upper, work, root] = ["upper", "work", "root"].map(|name| directory.join(name));
        for path in [&upper, &work] {
            let _ = fs::remove_dir_all(path);
            fs::create_dir(path).unwrap();
        }
        let options = format!(
            "lowerdir={lower},upperdir={},workdir={}",
            upper.display(),
            work.display()
        );
        let overlay = Mount::new("overlay", Path::new("overlay"), &options, &root);
        let mut tree = store.import_dir(&root, &ImportOptions::default()).unwrap();
        drop(overlay);
        // The root of an overlay is the upper's.
        tree.root.metadata = Metadata::new(0o755);
        tree
    });
    drop(erofs);
    trees
}

fn sample(store: &Store) -> Tree {
    let mut tree = Tree::default();
    let long = "t".repeat(4000);
    for number in 0..700 {
        let body = format!("body {number}");
        store.put_bytes(body.as_bytes()).unwrap();
        let mut inode = file(body.as_bytes());
        inode.metadata.mtime = Time {
            seconds: 1_600_000_000 + number,
            nanoseconds: number as u32 * 1_000_003,
        };
        inode.metadata.mode = 0o4000 | number as u32 & 0o777;
        inode.metadata.uid = number as u32 * 97;
        tree.insert(
            format!("many/a rather long name of a file, number {number}").as_bytes(),
            inode,
        )
        .unwrap();
    }
    let with = |content| Inode {
        metadata: Metadata::new(0o640),
        content,
    };
    for (path, content) in [
        ("!", Content::EMPTY),
        ("-/!", Content::EMPTY),
        ("link", Content::Symlink(b"many"[..].into())),
        ("long", Content::Symlink(long.as_bytes().into())),
        ("longest", Content::Symlink([b'l'; 4095].into())),
        ("null", Content::CharDevice { major: 1, minor: 3 }),
        (
            "disk",
            Content::BlockDevice {
                major: 259,
                minor: 1000,
            },
        ),
        ("pipe", Content::Fifo),
        ("socket", Content::Socket),
    ] {
        let mut inode = with(content);
        if path.starts_with("long") || path == "link" {
            inode.metadata.mode = 0o777;
        }
        tree.insert(path.as_bytes(), inode).unwrap();
    }
    store.put_bytes(b"linked").unwrap();
    let mut linked = file(b"linked");
    linked
        .metadata
        .xattrs
        .insert(b"user.large"[..].into(), vec![b'v'; 3000].into());
    linked
        .metadata
        .xattrs
        .insert(b"trusted.mine"[..].into(), b""[..].into());
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    linked
        .metadata
        .xattrs
        .insert(b"security.capability"[..].into(), capability[..].into());
    tree.insert(b"d/e/one", linked).unwrap();
    tree.link(b"d/e/one", b"two").unwrap();
    tree.link(b"d/e/one", b"d/three").unwrap();
    let mut sticky = Metadata::new(0o1777);
    sticky.xattrs.insert(b"user.d"[..].into(), b"x"[..].into());
    tree.insert_directory(b"tmp", sticky).unwrap();
    tree
}

#[test]
fn privileged_both_ways_to_mount_show_the_tree() {
    if !privileged() {
        return;
    }
    let (directory, store) = store();
    let tree = sample(&store);
    for (way, shown) in ["erofs", "checkout"]
        .iter()
        .zip(mounted(&store, directory.path(), &tree))
    {
        assert!(
            diff(&tree, &shown).changes.is_empty(),
            "{way}: {:#?}",
            diff(&tree, &shown).changes
        );
    }
    let image = store.erofs(tree.id()).unwrap();
    if let Ok(output) = Command::new("fsck.erofs").arg(&image).output() {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn privileged_layers_stack_up() {
    if !privileged() {
        return;
    }
    let (directory, store) = store();
    let mut tree = sample(&store);
    let mut parent = store.put_tree(&tree).unwrap();
    for number in 0..11 {
        let before = tree.clone();
        tree.remove(format!("many/a rather long name of a file, number {number}").as_bytes());
        match number {
            0 => {
                tree.remove(b"tmp");
            }
            1 => {
                tree.insert(b"tmp", file(b"")).unwrap();
            }
            2 => {
                tree.remove(b"tmp");
                tree.insert(b"tmp/new", file(b"")).unwrap();
            }
            3 => {
                tree.remove(b"two");
            }
            _ => {
                tree.link(b"d/e/one", format!("d/{number}").as_bytes())
                    .unwrap();
            }
        }
        let layer = store.put_layer(&diff(&before, &tree)).unwrap();
        let id = store.put_tree(&tree).unwrap();
        store.put_base(id, Some(parent), layer).unwrap();
        parent = id;
        assert!(store.checkout(id).unwrap().len() <= 9);
        if [1, 2, 7, 10].contains(&number) {
            for (way, shown) in
                ["erofs", "checkout"]
                    .iter()
                    .zip(mounted(&store, directory.path(), &tree))
            {
                assert!(
                    diff(&tree, &shown).changes.is_empty(),
                    "{way}: {:#?}",
                    diff(&tree, &shown).changes
                );
            }
        }
    }
}

#[test]
fn privileged_an_overlay_is_captured() {
    if !privileged() {
        return;
    }
    let (directory, store) = store();
    let tree = sample(&store);
    let id = store.put_tree(&tree).unwrap();
    let [image, upper, work, root] =
        ["image", "upper", "work", "root"].map(|name| directory.path().join(name));
    let _erofs = Mount::new("erofs", &store.erofs(id).unwrap(), "", &image);
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    let lower = format!("{}::{}", image.display(), store.objects().display());
    let options = format!(
        "lowerdir={lower},upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    let overlay = Mount::new("overlay", Path::new("overlay"), &options, &root);
    fs::remove_file(root.join("null")).unwrap();
    fs::remove_dir_all(root.join("tmp")).unwrap();
    fs::create_dir(root.join("tmp")).unwrap();
    fs::write(root.join("tmp/new"), "fresh").unwrap();
    fs::remove_dir_all(root.join("many")).unwrap();
    std::os::unix::fs::chown(root.join("pipe"), Some(7), Some(8)).unwrap();
    // By another store: this one must not have the new file yet.
    let (_elsewhere, other) = support::store();
    let expected = other.import_dir(&root, &ImportOptions::default()).unwrap();
    drop(overlay);
    assert!(
        fs::symlink_metadata(upper.join("null"))
            .unwrap()
            .file_type()
            .is_char_device()
    );
    let inode = fs::metadata(upper.join("tmp/new")).unwrap().ino();
    let options = CaptureOptions {
        move_files: true,
        ..CaptureOptions::default()
    };
    let captured = store
        .capture(&upper, &options)
        .unwrap()
        .apply(&tree)
        .unwrap();
    assert!(
        diff(&expected, &captured).changes.is_empty(),
        "{:#?}",
        diff(&expected, &captured).changes
    );
    assert!(!paths(&captured).contains("many"));
    let object = store
        .open_object(racker_store::ObjectId::of(b"fresh"))
        .unwrap();
    // It was moved, and not copied.
    assert_eq!(object.metadata().unwrap().ino(), inode);
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn a_full_disk_can_be_collected() {
    if !privileged() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("disk");
    fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-m", "0"])
        .arg(&image)
        .status();
    assert!(made.unwrap().success());
    let disk = directory.path().join("mounted");
    let _mount = Mount::new("ext4", &image, "loop", &disk);
    let root = disk.join("store");
    let open = || Store::open(&root, Access::ReadWrite).unwrap();
    let put = |name: &str, byte: u8, files: u8| {
        let store = open();
        let mut tree = Tree::default();
        for number in 0..files {
            let body = [byte, number].repeat(50_000);
            store.put_bytes(&body).unwrap();
            tree.insert(format!("f{number}").as_bytes(), file(&body))
                .unwrap();
        }
        let tree = store.put_tree(&tree).unwrap();
        store
            .put_image(&racker_store::Image {
                config: serde_json::json!({}),
                created: 5,
                ..racker_store::Image::new(name, tree)
            })
            .unwrap();
    };
    put("kept", 1, 40);
    put("gone", 2, 40);
    open().remove_image("gone").unwrap();
    // To the last block.
    for size in [1 << 20, 4096, 1] {
        let mut number = 0;
        loop {
            let path = disk.join(format!("fill-{size}-{number}"));
            if fs::write(path, vec![1; size]).is_err() {
                break;
            }
            number += 1;
        }
    }
    let free = || rustix::fs::statvfs(&disk).unwrap().f_bavail;
    assert_eq!(free(), 0);
    open().put_bytes(&[3; 5000]).unwrap_err();
    let policy = Policy {
        older_than: std::time::Duration::ZERO,
        ..Policy::default()
    };
    let collected = open().collect(&policy, false).unwrap();
    let freed = collected.total().bytes;
    assert!(freed >= 40 * 100_000, "{collected:?}");
    let block = rustix::fs::statvfs(&disk).unwrap().f_frsize;
    // Directories and the journal take what they take.
    assert!(
        free() * block >= freed - (64 << 10),
        "{} of {freed}",
        free() * block
    );
    assert!(open().verify().unwrap().is_empty());
    put("new", 3, 30);
    assert!(open().verify().unwrap().is_empty());
}
