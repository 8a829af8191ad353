//! Damage of every kind to files of every kind: it is found, told, and put right.

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use racker_store::{
    Access, Damage, Error, Image, ImageLayer, Limits, ObjectId, Realisation, StepKey, Store, Tree,
    TreeId, diff,
};
use support::{archive, entry, file};

/// What a repair is expected to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything is as it was.
    Restored,
    /// It is gone with all that led to it, the image too; put in again it is whole.
    Lost,
    /// It is gone and nobody suffers.
    Dropped,
}

/// A store with one of everything, and how to put the same in.
struct Sample {
    _directory: tempfile::TempDir,
    root: PathBuf,
}

const BODY: &[u8] = b"the body of a file in a layer of an image";
const STEP: &[u8] = b"what a step made";

impl Sample {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("store");
        let sample = Self {
            _directory: directory,
            root,
        };
        sample.make();
        assert_eq!(sample.open().verify().unwrap(), []);
        sample
    }

    fn open(&self) -> Store {
        Store::open(&self.root, Access::ReadWrite).unwrap()
    }

    /// What a pull and a bake do.
    fn make(&self) {
        let store = self.open();
        let archive = archive(&[entry(b'0', "f", "", BODY)]);
        let imported = store.import_tar(&*archive, &Limits::default()).unwrap();
        let base = imported.changeset.apply(&Tree::default()).unwrap();
        let empty = Tree::default();
        let base_id = store.put_tree(&base).unwrap();
        let base_layer = store.put_layer(&diff(&empty, &base)).unwrap();
        store.put_tree(&empty).unwrap();
        store
            .put_base(base_id, Some(empty.id()), base_layer)
            .unwrap();
        let mut result = base.clone();
        store.put_bytes(STEP).unwrap();
        result.insert(b"step", file(STEP)).unwrap();
        let (tree, layer) = store.put_successor(base_id, &base, &result).unwrap();
        let realisation = Realisation {
            key: StepKey::from_bytes([7; 32]),
            document: serde_json::json!({ "step": 1 }),
            recipe: "web".into(),
            place: 0,
            step: "run".into(),
            parent: Some(base_id),
            tree,
            layer: Some(layer),
            built: 5,
            milliseconds: 5,
            log: None,
        };
        store.put_base(tree, Some(base_id), layer).unwrap();
        store.sync().unwrap();
        store.record(&realisation).unwrap();
        let layer = |layer, tree, diff_id| ImageLayer {
            layer: Some(layer),
            tree,
            diff_id,
            created_by: String::new(),
            size: 0,
            log: None,
            step_key: None,
            impure: false,
            empty: false,
        };
        let image = Image {
            config: serde_json::json!({}),
            recipe: Some("web".into()),
            created: 5,
            layers: vec![
                layer(base_layer, base_id, Some(imported.diff_id)),
                layer(realisation.layer.unwrap(), tree, None),
            ],
            ..Image::new("localhost/web:latest", tree)
        };
        let mut blob = store.blob_writer().unwrap();
        blob.write_all(b"a package").unwrap();
        blob.finish(None).unwrap();
        store.put_image(&image).unwrap();
        store.recent("web", 0).unwrap();
    }

    fn find(&self, directory: &str, end: &str, place: usize) -> PathBuf {
        let mut found: Vec<PathBuf> = walkdir::WalkDir::new(self.root.join(directory))
            .into_iter()
            .map(|it| it.unwrap().into_path())
            .filter(|path| path.is_file() && path.to_string_lossy().ends_with(end))
            .collect();
        found.sort();
        found.swap_remove(place)
    }

    fn object(&self, body: &[u8]) -> PathBuf {
        let id = ObjectId::of(body).to_string();
        self.root.join("objects").join(&id[..2]).join(&id[2..])
    }

    fn image(&self) -> Image {
        self.open().image("localhost/web:latest").unwrap().unwrap()
    }

    fn tree(&self, id: TreeId, kind: &str) -> PathBuf {
        self.root.join(format!("trees/{id}.{kind}"))
    }
}

/// All files but the index, with their bytes and modes.
fn contents(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for directory in [
        "objects",
        "trees",
        "layers",
        "blobs",
        "realisations",
        "roots",
    ] {
        for it in walkdir::WalkDir::new(root.join(directory)) {
            let path = it.unwrap().into_path();
            if path.is_file() {
                let mode = path.metadata().unwrap().permissions().mode();
                found.push((path.clone(), mode, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Ways to damage a file.
fn harm(path: &Path, how: &str) {
    let whole = fs::read(path).unwrap();
    let mode = path.metadata().unwrap().permissions();
    let mut bytes = whole.clone();
    match how {
        "cut" => bytes.truncate(whole.len() / 2),
        "empty" => bytes.clear(),
        "flip" => bytes[whole.len() / 2] ^= 0x40,
        _ => {}
    }
    fs::remove_file(path).unwrap();
    if how == "link" {
        let root = path.ancestors().find(|it| it.join("meta.toml").exists());
        let away = root.unwrap().join("away");
        fs::write(&away, bytes).unwrap();
        std::os::unix::fs::symlink(&away, path).unwrap();
        return;
    }
    if how == "directory" {
        return fs::create_dir(path).unwrap();
    }
    if how != "delete" {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, mode).unwrap();
    }
    if how == "mode" {
        fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
    }
    if how == "owner" {
        std::os::unix::fs::chown(path, Some(12345), Some(12345)).unwrap();
    }
}

/// Harms one file in every way, and sees that it is found, told, and put right.
fn each(ways: &[&str], outcome: Outcome, find: impl Fn(&Sample) -> PathBuf) {
    for how in ways {
        let sample = Sample::new();
        let path = find(&sample);
        let name = path.strip_prefix(&sample.root).unwrap().to_owned();
        let what = format!("{how} of {}", name.display());
        let before = contents(&sample.root);
        let image = sample.image();
        harm(&path, how);
        let found = sample.open().verify().unwrap();
        assert!(!found.is_empty(), "{what} is not found");
        let affects = |damage: &Damage| damage.images.contains(&image.name);
        let serious = outcome == Outcome::Lost;
        assert!(!serious || found.iter().any(affects), "{what}: {found:?}");
        let repaired = sample.open().repair().unwrap();
        assert_eq!(repaired.found, found, "{what}");
        assert_eq!(sample.open().verify().unwrap(), [], "{what} is repaired");
        let lost = repaired.lost.iter().any(|it| it.name == image.name);
        assert_eq!(lost, serious, "{what}: {repaired:?}");
        match outcome {
            Outcome::Restored => {
                assert_eq!(contents(&sample.root), before, "{what}");
            }
            Outcome::Lost => {
                assert!(sample.open().image(&image.name).unwrap().is_none());
                assert!(sample.root.join("damaged").exists() || *how == "delete");
            }
            Outcome::Dropped => assert!(!path.exists(), "{what}"),
        }
        // The next pull and bake make it whole again.
        sample.make();
        assert_eq!(contents(&sample.root), before, "{what} and made again");
        assert_eq!(sample.open().verify().unwrap(), [], "{what} and made again");
    }
}

const ALL: &[&str] = &["cut", "empty", "flip", "delete", "link", "directory"];

#[test]
fn an_object_that_is_damaged_takes_its_trees_with_it() {
    each(ALL, Outcome::Lost, |it| it.object(BODY));
    each(ALL, Outcome::Lost, |it| it.object(STEP));
    each(&["mode"], Outcome::Restored, |it| it.object(BODY));
    if rustix::process::geteuid().is_root() {
        each(&["owner"], Outcome::Restored, |it| it.object(BODY));
    }
}

#[test]
fn trees_and_layers_are_made_again_from_each_other() {
    each(ALL, Outcome::Restored, |it| {
        it.tree(it.image().tree, "tree")
    });
    each(ALL, Outcome::Restored, |it| {
        it.tree(it.image().layers[0].tree, "tree")
    });
    each(ALL, Outcome::Restored, |it| {
        let layer = it.image().layers[1].layer.unwrap();
        it.root.join(format!("layers/{layer}.layer"))
    });
    each(ALL, Outcome::Restored, |it| {
        it.tree(it.image().tree, "erofs")
    });
}

#[test]
fn what_can_be_had_again_is_dropped() {
    each(
        &["cut", "flip", "empty", "link", "directory"],
        Outcome::Dropped,
        |it| it.find("blobs", "", 0),
    );
    each(
        &["cut", "empty", "link", "directory"],
        Outcome::Dropped,
        |it| it.find("realisations", ".json", 0),
    );
    each(&["cut", "flip", "empty", "link"], Outcome::Dropped, |it| {
        it.find("layers", ".split", 0)
    });
    each(&["cut", "empty", "directory"], Outcome::Dropped, |it| {
        it.tree(it.image().tree, "base")
    });
    each(&["cut", "empty", "directory"], Outcome::Dropped, |it| {
        it.find("roots/images", ".json", 0)
    });
}

#[test]
fn the_index_is_made_again() {
    for how in ["cut", "flip", "lies", "delete", "empty", "directory"] {
        let sample = Sample::new();
        let path = sample.root.join("index.db");
        assert!(path.exists());
        match how {
            "lies" => {
                let bytes = fs::read(&path).unwrap();
                let key = StepKey::from_bytes([7; 32]).to_string();
                let other = StepKey::from_bytes([8; 32]).to_string();
                let place = |bytes: &[u8]| bytes.windows(64).position(|it| it == key.as_bytes());
                let mut bytes = bytes;
                while let Some(at) = place(&bytes) {
                    bytes[at..at + 64].copy_from_slice(other.as_bytes());
                }
                fs::write(&path, bytes).unwrap();
            }
            "flip" => {
                let mut bytes = fs::read(&path).unwrap();
                bytes[20..4096].fill(0xa5);
                fs::write(&path, bytes).unwrap();
            }
            _ => harm(&path, how),
        }
        let found = sample.open().verify().unwrap();
        // One that is missing or empty is made when it is needed.
        let silent = matches!(how, "delete" | "empty");
        assert_eq!(found.is_empty(), silent, "{how}: {found:?}");
        sample.open().repair().unwrap();
        assert_eq!(sample.open().verify().unwrap(), [], "{how}");
        assert_eq!(sample.open().recent("web", 0).unwrap().len(), 1, "{how}");
    }
}

#[test]
fn what_should_be_a_directory_is_one_again() {
    for name in [
        "realisations",
        "objects",
        "trees",
        "roots/images",
        "blobs/sha256",
    ] {
        let sample = Sample::new();
        let before = contents(&sample.root);
        let path = sample.root.join(name);
        fs::rename(&path, sample.root.join("away")).unwrap();
        fs::write(&path, "a file").unwrap();
        let found = sample.open().verify().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, Path::new(name));
        sample.open().repair().unwrap();
        assert_eq!(sample.open().verify().unwrap(), [], "{name}");
        sample.make();
        assert_eq!(contents(&sample.root), before, "{name}");
        assert_eq!(sample.open().verify().unwrap(), [], "{name}");
    }
}

#[test]
fn a_store_whose_format_is_unknown_is_left_alone() {
    for how in ["cut", "empty"] {
        let sample = Sample::new();
        let path = sample.root.join("meta.toml");
        let before = contents(&sample.root);
        let whole = fs::read(&path).unwrap();
        harm(&path, how);
        let error = Store::open(&sample.root, Access::ReadWrite).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        assert_eq!(contents(&sample.root), before);
        fs::write(&path, whole).unwrap();
        assert_eq!(sample.open().verify().unwrap(), []);
    }
}
