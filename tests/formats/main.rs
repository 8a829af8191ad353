//! Stores of every format there ever was, opened by the racker of today.
//!
//! `N.tar.zst` is a store as the last racker that wrote format N left it, `N.json` what is in it. Neither is
//! ever made again: `store/FORMAT.md` says how the next ones come about.
//!
//! Needs root; making one needs the Debian package `umoci` too.

#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod registry;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Kitchen, Racker, execute, names, repository};

/// The format that this racker writes.
const CURRENT: u32 = 1;

fn directory() -> PathBuf {
    repository().join("tests/formats")
}

/// What is in each part of a store, as numbers of files; what is no content is left out.
fn parts(store: &Path) -> BTreeMap<String, usize> {
    let parts = [
        "objects",
        "trees",
        "layers",
        "realisations",
        "roots",
        "blobs",
        "packed",
    ];
    let files = |part: &str| {
        let all = walkdir::WalkDir::new(store.join(part)).into_iter();
        all.filter(|it| it.as_ref().unwrap().file_type().is_file())
            .count()
    };
    parts
        .into_iter()
        .map(|part| (part.to_owned(), files(part)))
        .collect()
}

/// The images of a store: their trees, and digests of what they are when they go out.
fn images(kitchen: &Kitchen, racker: &Racker) -> BTreeMap<String, Value> {
    let all = racker.open().images().unwrap();
    let describe = |image: &racker_store::Image| {
        let archive = racker.run(&["export", &image.name]).success().stdout;
        let hex: String = Sha256::digest(&archive)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let layout = kitchen.path(&format!("out-{}", image.tree));
        let target = format!("oci:{}", layout.display());
        racker.run(&["save", &image.name, &target]).success();
        let index: Value =
            serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        json!({
            "tree": image.tree.to_string(),
            "tar": hex,
            "oci": index["manifests"][0]["digest"],
        })
    };
    all.iter()
        .map(|image| (image.name.clone(), describe(image)))
        .collect()
}

/// A kitchen with the store of a format in it.
fn unpacked(format: u32) -> Kitchen {
    let kitchen = Kitchen::new();
    let archive = fs::read(directory().join(format!("{format}.tar.zst"))).unwrap();
    let plain = kitchen.path("store.tar");
    fs::write(&plain, zstd::decode_all(&*archive).unwrap()).unwrap();
    let mut unpack = Command::new("tar");
    execute(unpack.arg("-C").arg(kitchen.path("")).arg("-xf").arg(plain));
    kitchen
}

#[test]
fn every_format_is_read_verified_given_out_and_collected() {
    for format in 1..=CURRENT {
        let kitchen = unpacked(format);
        let racker = &kitchen.racker;
        let text = fs::read(directory().join(format!("{format}.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json!(parts(racker.store())), expected["parts"]);
        racker.run(&["store", "verify"]).success();
        assert_eq!(json!(images(&kitchen, racker)), expected["images"]);
        // What was made then is found now.
        kitchen.write("site/a", "hello\n");
        kitchen.write("site/b", "two\n");
        kitchen.write("small.toml", RECIPE);
        let baked = racker.run(&["bake", "small.toml"]).success();
        assert_eq!(baked.cached(), ["small/1", "small/2"]);
        racker.run(&["store", "reindex"]).success();
        let names = racker.open().images().unwrap();
        for image in names {
            racker.run(&["rmi", &image.name]).success();
        }
        racker.run(&["store", "gc", "--older-than", "0"]).success();
        assert!(parts(racker.store()).values().all(|count| *count == 0));
        racker.run(&["store", "verify"]).success();
    }
}

#[test]
fn a_store_of_the_future_is_left_alone() {
    let kitchen = unpacked(CURRENT);
    let racker = &kitchen.racker;
    let meta = racker.store().join("meta.toml");
    let today = fs::read_to_string(&meta).unwrap();
    let before = support::snapshot(racker.store());
    let future = today.replace(
        &format!("format = {CURRENT}"),
        &format!("format = {}", CURRENT + 1),
    );
    let feature = today.replace("incompatible = []", "incompatible = [\"doors\"]");
    assert!(future != today && feature != today);
    for (text, reason) in [
        (future, "it has format 2, this version knows format 1"),
        (feature, "it has the feature \"doors\""),
    ] {
        fs::write(&meta, text).unwrap();
        for arguments in [
            &["images"][..],
            &["store", "verify", "--repair"],
            &["store", "gc"],
        ] {
            racker.run(arguments).code(1).one_message().says(reason);
        }
    }
    fs::write(&meta, today).unwrap();
    let after = support::snapshot(racker.store());
    let changed = after
        .iter()
        .filter(|(path, it)| before.get(*path) != Some(it));
    let changed: Vec<_> = changed.map(|(path, _)| path.file_name().unwrap()).collect();
    assert_eq!(changed, ["meta.toml"]);
}

const RECIPE: &str = "name = \"small\"\nfrom = \"scratch\"\n\
    [[step]]\ncopy = { from = \"site/a\", to = \"/a\" }\n\
    [[step]]\ncopy = { from = \"site/b\", to = \"/b\" }\n\
    [image]\ncmd = [\"/a\"]\n";

/// `cargo test --test formats -- --ignored`, once, before the first change of the next format.
#[test]
#[ignore = "writes the fixture of the current format, unless it is there"]
fn the_fixture_of_the_current_format_is_made() {
    let target = directory().join(format!("{CURRENT}.tar.zst"));
    if target.exists() {
        return;
    }
    let kitchen = Kitchen::new();
    let racker = &kitchen.racker;
    // Step by step and from an archive, so that there is everything that a store can hold.
    kitchen.write("site/a", "hello\n");
    kitchen.write("site/b", "two\n");
    kitchen.write("small.toml", RECIPE);
    racker.run(&["bake", "small.toml"]).success();
    let archive = kitchen.path("layer.tar");
    let mut pack = Command::new("tar");
    pack.args(["--sort=name", "--mtime=@0", "--owner=7", "--group=7", "-C"]);
    execute(
        pack.arg(kitchen.path(""))
            .arg("-cf")
            .arg(&archive)
            .arg("site"),
    );
    let layout = registry::layout(&kitchen.path("layout"), &[&archive]);
    racker.run(&["pull", &layout]).success();
    let described = json!({
        "images": images(&kitchen, racker),
        "parts": parts(racker.store()),
    });
    racker.run(&["store", "verify"]).success();
    assert!(names(&racker.store().join("packed")).len() > 1);
    let plain = kitchen.path("store.tar");
    let mut pack = Command::new("tar");
    pack.args(["--sort=name", "--numeric-owner", "-C"]);
    execute(
        pack.arg(kitchen.path(""))
            .arg("-cf")
            .arg(&plain)
            .arg("store"),
    );
    let packed = zstd::encode_all(&*fs::read(plain).unwrap(), 19).unwrap();
    fs::create_dir_all(directory()).unwrap();
    fs::write(target, packed).unwrap();
    let text = serde_json::to_vec_pretty(&described).unwrap();
    fs::write(directory().join(format!("{CURRENT}.json")), text).unwrap();
}
