//! The collector: what it takes away, what it leaves, and who need not wait for it.

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant, SystemTime};

use racker_store::{
    Access, Collected, Error, Image, ImageLayer, Limits, ObjectId, Policy, Realisation, StepKey,
    Store, Tree, TreeId, diff,
};
use support::{archive, entry, file, store};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Nothing is kept for its age.
fn everything() -> Policy {
    Policy {
        older_than: Duration::ZERO,
        ..Policy::default()
    }
}

/// The store of the directory as another process sees it.
fn open(directory: &tempfile::TempDir) -> Store {
    Store::open(&directory.path().join("store"), Access::ReadWrite).unwrap()
}

/// Collects with a store of its own, once the clock of the file system has gone on.
fn collect(directory: &tempfile::TempDir, policy: &Policy) -> Collected {
    std::thread::sleep(Duration::from_millis(20));
    open(directory).collect(policy, false).unwrap()
}

/// A tree with these files, and its objects.
fn put(store: &Store, bodies: &[&[u8]]) -> TreeId {
    let mut tree = Tree::default();
    for (number, body) in bodies.iter().enumerate() {
        store.put_bytes(body).unwrap();
        tree.insert(format!("f{number}").as_bytes(), file(body))
            .unwrap();
    }
    store.put_tree(&tree).unwrap()
}

fn image(name: &str, tree: TreeId) -> Image {
    Image {
        config: serde_json::json!({}),
        created: 5,
        ..Image::new(name, tree)
    }
}

/// A recorded step that led from one tree to one with these files.
fn realisation(store: &Store, number: u8, bodies: &[&[u8]]) -> Realisation {
    let parent = put(store, &[b"parent", &[number]]);
    let tree = put(store, bodies);
    let layer = diff(&store.tree(parent).unwrap(), &store.tree(tree).unwrap());
    let realisation = Realisation {
        key: StepKey::from_bytes([number; 32]),
        document: serde_json::json!({}),
        recipe: "web".into(),
        place: 0,
        step: "run".into(),
        parent: Some(parent),
        tree,
        layer: Some(store.put_layer(&layer).unwrap()),
        built: 5,
        milliseconds: 5,
        log: Some(store.create_log().unwrap().id().to_owned()),
    };
    store.record(&realisation).unwrap();
    realisation
}

fn record_path(store: &Store, it: &Realisation) -> PathBuf {
    let key = it.key.to_string();
    let directory = store.root().join("realisations").join(&key[..2]);
    directory.join(key).join(format!("{}.json", it.tree))
}

/// Says that a file was used last so long ago.
fn age(path: &Path, age: Duration) {
    File::open(path)
        .unwrap()
        .set_modified(SystemTime::now() - age)
        .unwrap();
}

/// All files of the store that hold content.
fn files(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    for directory in [
        "objects",
        "trees",
        "layers",
        "blobs",
        "realisations",
        "logs",
        "stage",
        "trash",
    ] {
        for entry in walkdir::WalkDir::new(store.root().join(directory)) {
            let entry = entry.unwrap();
            if !entry.file_type().is_dir() {
                let path = entry.path().strip_prefix(store.root()).unwrap();
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_nothing_refers_to_goes_and_the_rest_stays() {
    let (directory, store) = store();
    let kept = put(&store, &[b"kept", b"shared"]);
    store.put_image(&image("kept", kept)).unwrap();
    let imported = store
        .import_tar(
            &*archive(&[entry(b'0', "f", "", b"imported")]),
            &Limits::default(),
        )
        .unwrap();
    let tree = imported.changeset.apply(&Tree::default()).unwrap();
    let layer = diff(&Tree::default(), &tree);
    let layered = ImageLayer {
        layer: Some(store.put_layer(&layer).unwrap()),
        tree: store.put_tree(&tree).unwrap(),
        diff_id: Some(imported.diff_id),
        created_by: String::new(),
        size: 0,
        log: Some(store.create_log().unwrap().id().to_owned()),
        step_key: None,
        impure: false,
        empty: false,
    };
    let pulled = Image {
        layers: vec![layered.clone()],
        ..image("pulled", layered.tree)
    };
    store.put_image(&pulled).unwrap();
    drop(store);
    let before = files(&open(&directory));
    assert_eq!(collect(&directory, &everything()).total().files, 0);
    let store = open(&directory);
    assert_eq!(files(&store), before);

    let dead = put(&store, &[b"dead", b"shared", &vec![7; 100_000]]);
    store.put_bytes(b"no tree has this").unwrap();
    drop(store);
    let dry = open(&directory);
    std::thread::sleep(Duration::from_millis(20));
    let with_garbage = files(&dry);
    let said = dry.collect(&everything(), true).unwrap();
    assert_eq!(files(&dry), with_garbage, "a dry run takes nothing");
    let used = || -> u64 {
        let all = files(&dry);
        let blocks = |name: &String| fs::metadata(dry.root().join(name)).unwrap();
        all.iter()
            .map(|name| std::os::unix::fs::MetadataExt::blocks(&blocks(name)) * 512)
            .sum()
    };
    let full = used();
    let collected = collect(&directory, &everything());
    assert_eq!(collected.kinds, said.kinds);
    assert_eq!(full - used(), collected.total().bytes, "what was freed");
    assert_eq!(collected.kinds["objects"].files, 3);
    assert_eq!(collected.kinds["trees"].files, 2);
    assert_eq!(files(&dry), before);
    assert!(!dry.has_tree(dead) && dry.has_object(ObjectId::of(b"shared")));
    assert!(dry.verify().unwrap().is_empty());

    dry.remove_image("pulled").unwrap();
    dry.remove_image("kept").unwrap();
    collect(&directory, &everything());
    let left: Vec<String> = files(&dry);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn results_of_steps_and_blobs_go_by_age() {
    let (directory, store) = store();
    let old = realisation(&store, 1, &[b"old"]);
    let new = realisation(&store, 2, &[b"new"]);
    let mut writer = store.blob_writer().unwrap();
    std::io::Write::write_all(&mut writer, b"blob").unwrap();
    let blob = writer.finish(None).unwrap();
    age(&record_path(&store, &old), 31 * DAY);
    age(&record_path(&store, &new), 29 * DAY);
    age(&store.blob(&blob).unwrap(), 29 * DAY);
    drop(store);
    collect(&directory, &Policy::default());
    let store = open(&directory);
    assert!(store.realisations(old.key).unwrap().is_empty());
    assert!(!store.has_tree(old.tree) && !store.has_layer(old.layer.unwrap()));
    assert!(
        !store.log_path(old.log.as_ref().unwrap()).exists()
            || store.log_path(new.log.as_ref().unwrap()).exists()
    );
    assert_eq!(
        store.realisations(new.key).unwrap(),
        std::slice::from_ref(&new)
    );
    assert!(store.has_tree(new.tree) && store.has_tree(new.parent.unwrap()));
    assert_eq!(store.recent("web", 0).unwrap(), std::slice::from_ref(&new));
    assert!(store.verify().unwrap().is_empty());
    // Used again, it is young again.
    assert!(store.use_again(&new).unwrap());
    drop(store);
    let week = Policy {
        older_than: 7 * DAY,
        ..Policy::default()
    };
    collect(&directory, &week);
    let store = open(&directory);
    assert_eq!(store.realisations(new.key).unwrap().len(), 1);
    assert!(
        store.blob(&blob).is_none(),
        "nobody used the blob for a week"
    );
    drop(store);
    collect(&directory, &everything());
    assert!(files(&open(&directory)).is_empty());
}

#[test]
fn what_somebody_is_about_to_need_stays() {
    let (directory, writer) = store();
    writer.put_bytes(b"found again").unwrap();
    let base = put(&writer, &[b"base"]);
    let imported = writer
        .import_tar(
            &*archive(&[entry(b'0', "f", "", b"body")]),
            &Limits::default(),
        )
        .unwrap();
    drop(writer);

    // These are garbage, but for what a process finds, holds and adds.
    let writer = open(&directory);
    assert!(writer.hold(base).unwrap());
    writer.put_bytes(b"found again").unwrap();
    assert!(writer.imported(&imported.diff_id).unwrap().is_some());
    writer.put_bytes(b"new").unwrap();
    let collected = collect(&directory, &everything());
    assert!(writer.has_tree(base));
    for body in [&b"base"[..], b"found again", b"body", b"new"] {
        assert!(writer.has_object(ObjectId::of(body)), "{body:?}");
    }
    assert!(collected.total().files <= 1, "{collected:?}");
    drop(writer);
    collect(&directory, &everything());
    let store = open(&directory);
    assert!(files(&store).is_empty());
    assert!(!store.hold(base).unwrap());
    assert!(store.imported(&imported.diff_id).unwrap().is_none());
}

#[test]
fn containers_keep_their_trees() {
    let (directory, store) = store();
    let tree = put(&store, &[b"body"]);
    let container = store.containers().join("0123456789ab");
    fs::create_dir_all(&container).unwrap();
    fs::write(container.join("tree"), tree.to_string()).unwrap();
    fs::write(container.join("config.json"), "{}").unwrap();
    drop(store);
    collect(&directory, &everything());
    let store = open(&directory);
    assert!(store.has_tree(tree) && store.has_object(ObjectId::of(b"body")));
    fs::remove_dir_all(container).unwrap();
    drop(store);
    collect(&directory, &everything());
    assert!(!open(&directory).has_tree(tree));
}

#[test]
fn nothing_goes_while_a_root_cannot_be_read() {
    let (directory, store) = store();
    let tree = put(&store, &[b"body"]);
    store.put_image(&image("web", tree)).unwrap();
    store.put_bytes(b"garbage").unwrap();
    let before = files(&store);
    let broken = [
        store.root().join("roots/images/web.json"),
        store.root().join(format!("trees/{tree}.tree")),
    ];
    drop(store);
    std::thread::sleep(Duration::from_millis(20));
    for path in broken {
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let error = open(&directory).collect(&everything(), false).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(files(&open(&directory)), before);
        fs::write(&path, whole).unwrap();
    }
    let container = open(&directory).containers().join("0123456789ab");
    fs::create_dir_all(&container).unwrap();
    fs::write(container.join("config.json"), "{}").unwrap();
    fs::write(container.join("tree"), "nonsense").unwrap();
    open(&directory).collect(&everything(), false).unwrap_err();
    assert_eq!(files(&open(&directory)), before);
}

#[test]
fn limits_take_the_longest_unused_first() {
    let (directory, store) = store();
    let body = |number: u8| vec![number; 1 << 20];
    let made: Vec<_> = (1..=4)
        .map(|number| realisation(&store, number, &[&body(number)]))
        .collect();
    for (number, it) in (1..).zip(&made) {
        age(&record_path(&store, it), DAY * number);
    }
    store.put_image(&image("base", made[2].tree)).unwrap();
    store
        .put_image(&image("own", put(&store, &[b"x"])))
        .unwrap();
    drop(store);
    let policy = |megabytes: u64| Policy {
        max_size: Some(megabytes << 20),
        ..Policy::default()
    };
    collect(&directory, &policy(100));
    let left = |store: &Store| -> Vec<bool> {
        let found = |it: &Realisation| !store.realisations(it.key).unwrap().is_empty();
        made.iter().map(found).collect()
    };
    assert_eq!(left(&open(&directory)), [true; 4]);
    // The image keeps one megabyte, the newest two results another two.
    collect(&directory, &policy(4));
    let store = open(&directory);
    assert_eq!(left(&store), [true, true, true, false]);
    assert!(store.has_tree(made[2].tree) && !store.has_tree(made[3].tree));
    drop(store);
    let images = Policy {
        images: vec!["base".into()],
        ..policy(0)
    };
    let collected = collect(&directory, &images);
    assert_eq!(collected.images, ["base"]);
    let store = open(&directory);
    assert_eq!(left(&store), [false; 4]);
    let names: Vec<_> = store
        .images()
        .unwrap()
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert_eq!(names, ["own"]);
    assert!(store.verify().unwrap().is_empty());
    drop(store);
    let free = Policy {
        min_free: Some(u64::MAX / 4),
        ..Policy::default()
    };
    collect(&directory, &free);
    assert!(open(&directory).image("own").unwrap().is_some());
}

#[test]
fn an_image_stays_while_something_made_from_it_does() {
    let (directory, store) = store();
    let it = realisation(&store, 1, &[b"made"]);
    store
        .put_image(&image("from:base", it.parent.unwrap()))
        .unwrap();
    age(
        &store.root().join("roots/images/from%3Abase.json"),
        90 * DAY,
    );
    drop(store);
    let policy = Policy {
        images: vec!["from:base".into()],
        ..Policy::default()
    };
    assert!(collect(&directory, &policy).images.is_empty());
    age(&record_path(&open(&directory), &it), 31 * DAY);
    assert_eq!(collect(&directory, &policy).images, ["from:base"]);
    assert!(
        files(&open(&directory))
            .iter()
            .all(|name| name.starts_with("logs"))
    );
}

#[test]
fn a_killed_collection_loses_nothing() {
    let (directory, store) = store();
    store.put_bytes(b"needed").unwrap();
    let id = ObjectId::of(b"needed").to_string();
    let home = store.root().join("objects").join(&id[..2]).join(&id[2..]);
    let trash = |seconds: u64| {
        let name = format!("{seconds}.000000000+objects+{}+{}", &id[..2], &id[2..]);
        store.root().join("trash").join(name)
    };
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    // Killed after it took the name away; somebody had freshened the file just before.
    fs::rename(&home, trash(now - 10)).unwrap();
    store.sweep_stage().unwrap();
    assert!(home.exists() && !trash(now - 10).exists());
    // A collector that is at work has it for a moment: nobody who reads misses it.
    let tree = put(&store, &[b"read"]);
    let path = |kind: &str| store.root().join(format!("trees/{tree}.{kind}"));
    let taken = |kind: &str| {
        let name = format!("{}.000000000+trees+{tree}.{kind}", now - 10);
        fs::rename(path(kind), store.root().join("trash").join(name)).unwrap();
    };
    taken("erofs");
    taken("tree");
    whole(&store, tree);
    assert!(store.has_tree(tree) && !path("tree").exists());
    // One that was killed meanwhile keeps nobody from holding a tree.
    assert!(store.hold(tree).unwrap() && path("tree").exists());
    // Nobody had.
    fs::rename(&home, trash(now + 10)).unwrap();
    store.sweep_stage().unwrap();
    assert!(!home.exists() && !trash(now + 10).exists());
    drop(store);
    assert!(open(&directory).verify().unwrap().is_empty());
}

/// What a process that was killed left half done is told, counted and taken away.
#[test]
fn rests_of_killed_processes_count() {
    let (_directory, store) = store();
    let rest = store.stage().unwrap().into_path();
    fs::write(rest.join("file"), vec![1; 1 << 20]).unwrap();
    let work = store.stage().unwrap();
    for dry_run in [true, false] {
        let collected = store.collect(&Policy::default(), dry_run).unwrap();
        let stage = collected.kinds["stage"];
        assert_eq!((stage.files, stage.bytes >= 1 << 20), (1, true));
        assert_eq!(rest.exists(), dry_run);
    }
    assert!(work.path().exists());
}

/// Writers that share most of what they put in, collectors that keep nothing by age, and readers.
/// `RACKER_GC_SECONDS` says for how long, instead of six seconds.
#[test]
fn many_at_once_lose_nothing() {
    const EACH: usize = 10;
    let seconds = std::env::var("RACKER_GC_SECONDS").map_or(6, |it| it.parse().unwrap());
    let at_least = Duration::from_secs(seconds);
    let at_most = at_least + Duration::from_secs(54);
    let (directory, _store) = store();
    let over = AtomicBool::new(false);
    let (rounds, collections, reads) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for writer in 0..16_u32 {
            let (over, rounds, directory) = (&over, &rounds, &directory);
            threads.push(scope.spawn(move || {
                let mut round = writer;
                while !over.load(Ordering::Relaxed) {
                    round = round.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let store = open(directory);
                    let bodies: Vec<Vec<u8>> = (0..12)
                        .map(|place| {
                            format!("{}", (round >> 8).wrapping_add(place * place) % 40)
                                .into_bytes()
                        })
                        .collect();
                    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
                    let tree = put(&store, &bodies);
                    std::thread::yield_now();
                    let name = format!("w{writer}");
                    store.put_image(&image(&name, tree)).unwrap();
                    whole(&store, tree);
                    drop(store);
                    let store = open(directory);
                    whole(&store, tree);
                    if round % 3 == 0 {
                        store.remove_image(&name).unwrap();
                    }
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        for _ in 0..4 {
            let (over, collections, directory) = (&over, &collections, &directory);
            threads.push(scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    open(directory).collect(&everything(), false).unwrap();
                    collections.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        for reader in 0..8 {
            let (over, reads, directory) = (&over, &reads, &directory);
            threads.push(scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let store = open(directory);
                    let images = store.images().unwrap();
                    let Some(image) = images.get(reader % images.len().max(1)) else {
                        continue;
                    };
                    // It may be gone by now; what is held stays.
                    if store.hold(image.tree).unwrap() {
                        whole(&store, image.tree);
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        let began = Instant::now();
        let counts = [&rounds, &collections, &reads];
        let enough = || counts.iter().all(|it| it.load(Ordering::Relaxed) > EACH);
        while began.elapsed() < at_least || (!enough() && began.elapsed() < at_most) {
            // One that failed ended early; all others would go on to the end.
            if threads.iter().any(ScopedJoinHandle::is_finished) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let counts = [&rounds, &collections, &reads].map(|it| it.load(Ordering::Relaxed));
    assert!(counts.iter().all(|count| *count > EACH), "{counts:?}");
    let line = format!("{counts:?} rounds of writers, collections, reads\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    let store = open(&directory);
    assert_eq!(store.verify().unwrap(), []);
    for image in store.images().unwrap() {
        whole(&store, image.tree);
    }
}

/// Everything of a tree is there.
#[track_caller]
fn whole(store: &Store, id: TreeId) {
    let tree = store.tree(id).unwrap();
    for (_, node) in tree.entries() {
        if let racker_store::NodeRef::Inode(_, inode) = node
            && let racker_store::Content::File {
                object: Some(object),
                size,
            } = inode.content
        {
            let mut bytes = Vec::new();
            let mut file = store.open_object(object).unwrap();
            std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, size);
            assert_eq!(ObjectId::of(&bytes), object);
        }
    }
}
