//! `racker save`, and what other tools make of it.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use racker_store::ImportOptions;
use sha2::{Digest as _, Sha256};
use support::{Kitchen, Output, Racker, execute, shared, temporary, tool};

/// Three steps, of which the middle one changes nothing.
const BOX: &str = "
    [[step]]
    run = '''
    mkdir -p /data/sub
    echo one > /data/one
    ln /data/one /data/again
    ln -s one /data/link
    rm /usr/bin/wc
    '''
    [[step]]
    run = \"true\"
    [[step]]
    run = \"rm -r /data/sub; echo two > /data/sub\"
    [image]
    cmd = [\"cat\", \"/data/one\"]
";

fn save(racker: &Racker, image: &str, target: &str, more: &[&str]) -> Output {
    let mut arguments = vec!["save", image, target];
    arguments.extend(more);
    racker.run(&arguments).success()
}

fn read(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A document of a layout, by its digest.
fn document(layout: &Path, digest: &serde_json::Value) -> serde_json::Value {
    let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    read(&layout.join("blobs/sha256").join(hex))
}

/// Fails unless every blob is what its name says and belongs to an image, and nothing else is there.
fn check_layout(layout: &Path) {
    let mut named: BTreeSet<String> = BTreeSet::new();
    let index = read(&layout.join("index.json"));
    let name =
        |descriptor: &serde_json::Value| descriptor["digest"].as_str().unwrap()[7..].to_owned();
    for entry in index["manifests"].as_array().unwrap() {
        let manifest = document(layout, &entry["digest"]);
        named.insert(name(entry));
        named.insert(name(&manifest["config"]));
        named.extend(manifest["layers"].as_array().unwrap().iter().map(name));
    }
    let blobs = support::names(&layout.join("blobs/sha256"));
    assert_eq!(blobs, named.into_iter().collect::<Vec<_>>());
    for blob in blobs {
        let digest = Sha256::digest(fs::read(layout.join("blobs/sha256").join(&blob)).unwrap());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, blob);
    }
    assert_eq!(
        support::names(layout),
        ["blobs", "index.json", "oci-layout"]
    );
    // This tool is older than zstd and than layouts of several images.
    if let [only] = &index["manifests"].as_array().unwrap()[..]
        && !document(layout, &only["digest"])
            .to_string()
            .contains("zstd")
    {
        let mut tool = Command::new(tool("oci-image-tool", "oci-image-tool"));
        execute(tool.args(["validate", "--type=image"]).arg(layout));
    }
}

/// What `umoci unpack` makes of an image, as a tree's id.
fn unpacked(racker: &Racker, layout: &Path, tag: &str) -> String {
    let directory = temporary();
    let root = directory.path().join("root");
    execute(
        Command::new(tool("umoci", "umoci"))
            .args(["raw", "unpack", "--image"])
            .arg(format!("{}:{tag}", layout.display()))
            .arg(&root),
    );
    let store = racker_store::Store::open(racker.store(), racker_store::Access::ReadWrite).unwrap();
    let tree = store.import_dir(&root, &ImportOptions::default()).unwrap();
    tree.id().to_string()
}

#[test]
fn others_read_what_is_saved() {
    let racker = shared();
    let directory = temporary();
    let layout = directory.path().join("layout");
    let target = format!("oci:{}", layout.display());
    let output = save(racker, "quickstart", &target, &[]);
    let digest = output.text().trim().to_owned();
    check_layout(&layout);
    assert_eq!(
        unpacked(racker, &layout, "latest"),
        racker.tree("quickstart")
    );
    let name = format!("{target}:latest");
    let inspected = execute(Command::new(tool("skopeo", "skopeo")).args(["inspect", &name]));
    let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
    assert_eq!(inspected["Digest"], *digest);
    assert_eq!(inspected["Layers"].as_array().unwrap().len(), 4);
    // Once more gives the same, beside it under another tag too.
    let before = support::snapshot(&layout.join("blobs"));
    let again = save(racker, "quickstart", &format!("{target}:v1"), &[]);
    assert_eq!(again.text().trim(), digest);
    assert_eq!(before.len(), support::snapshot(&layout.join("blobs")).len());
    let plain = save(
        racker,
        "quickstart",
        &format!("{target}:small"),
        &["--compression", "zstd"],
    );
    assert_ne!(plain.text().trim(), digest);
    let index = read(&layout.join("index.json"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
    check_layout(&layout);
    let copied = format!("dir:{}", directory.path().join("copied").display());
    execute(Command::new("skopeo").args(["copy", "--quiet", &format!("{target}:small"), &copied]));
}

#[test]
fn racker_reads_what_is_saved() {
    let kitchen = Kitchen::new();
    kitchen.recipe("box.toml", BOX);
    kitchen.bake("box.toml").success();
    let expected = kitchen.racker.tree("box");
    let layout = kitchen.path("layout");
    for encoding in ["gzip", "zstd", "none"] {
        let target = format!("oci:layout:{encoding}");
        save(
            &kitchen.racker,
            "box",
            &target,
            &["--compression", encoding],
        );
    }
    check_layout(&layout);
    let index = read(&layout.join("index.json"));
    let mut diff_ids = BTreeSet::new();
    for entry in index["manifests"].as_array().unwrap() {
        let manifest = document(&layout, &entry["digest"]);
        let config = document(&layout, &manifest["config"]["digest"]);
        // The base and two steps; the third is in the history alone.
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
        let history = config["history"].as_array().unwrap();
        assert_eq!(history.len(), 4);
        assert_eq!(history[2]["empty_layer"], true);
        assert_eq!(config["config"]["Cmd"][0], "cat");
        diff_ids.insert(config["rootfs"]["diff_ids"].to_string());
    }
    assert_eq!(diff_ids.len(), 1);
    // The base goes out as it came in.
    let mini = Sha256::digest(fs::read(support::mini()).unwrap());
    let mini: String = mini.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(diff_ids.first().unwrap().contains(&mini));
    for encoding in ["gzip", "zstd", "none"] {
        let name = format!("copy-{encoding}");
        let text = format!("from = \"oci:layout:{encoding}\"\n");
        kitchen.write(&format!("{name}.toml"), &text);
        kitchen.bake(&format!("{name}.toml")).success();
        assert_eq!(kitchen.racker.tree(&name), expected);
        // An image that came from a layout goes out as it came in.
        save(
            &kitchen.racker,
            &name,
            &format!("oci:again:{encoding}"),
            &["--compression", encoding],
        );
    }
    check_layout(&kitchen.path("again"));
    assert_eq!(unpacked(&kitchen.racker, &layout, "gzip"), expected);
}

/// Another store, host name, umask, time of day, number of cores, directory.
#[test]
fn elsewhere_the_same_comes_out() {
    let kitchen = Kitchen::with_quickstart();
    let mut elsewhere = kitchen.racker.surround(tool("unshare", "util-linux"));
    elsewhere.args(["--uts", "sh", "-ec"]);
    elsewhere.arg(
        "hostname elsewhere; umask 077; export TZ=Asia/Tokyo
        exec taskset --cpu-list 0 \"$0\" --store other/place bake quickstart.toml",
    );
    elsewhere.arg(env!("CARGO_BIN_EXE_racker"));
    kitchen.racker.finish(elsewhere).success();
    let other = Racker::new(&kitchen.path("other/place"));
    assert_eq!(other.tree("quickstart"), shared().tree("quickstart"));
    let digest = |racker: &Racker, name: &str| {
        let target = format!("oci:{}", kitchen.path(name).display());
        save(racker, "quickstart", &target, &[]).text().to_owned()
    };
    assert_eq!(digest(&other, "one"), digest(shared(), "two"));
}

#[test]
fn mistakes_are_named_and_leave_nothing() {
    let kitchen = Kitchen::new();
    kitchen.recipe("box.toml", BOX);
    kitchen.bake("box.toml").success();
    let racker = &kitchen.racker;
    racker
        .run(&["save", "nothing", "oci:x"])
        .code(1)
        .says("nothing")
        .one_message();
    racker
        .run(&["save", "box", "oci:"])
        .code(2)
        .says("write oci:DIR or oci:DIR:TAG");
    racker
        .run(&["save", "box", "x"])
        .code(1)
        .says("no such image");
    racker
        .run(&["save", "box", "oci:x:a b"])
        .code(2)
        .says("a tag has");
    racker
        .run(&["save", "box", "oci:x", "--compression=xz"])
        .code(2)
        .says("expected gzip, zstd or none");
    kitchen.write("full/of/things", "");
    racker
        .run(&["save", "box", "oci:full"])
        .code(1)
        .says("neither empty nor an OCI layout")
        .one_message();
    assert_eq!(support::names(&kitchen.path("full")), ["of"]);
    kitchen.write("odd/oci-layout", "{}");
    kitchen.write("odd/index.json", "[");
    racker
        .run(&["save", "box", "oci:odd"])
        .code(1)
        .says("index.json")
        .one_message();
    assert_eq!(fs::read(kitchen.path("odd/index.json")).unwrap(), b"[");
    assert!(!kitchen.path("x").exists());
    // A disk that fills up: an error, and no half-written blob.
    fs::create_dir(kitchen.path("small")).unwrap();
    let mut full = racker.surround(tool("unshare", "util-linux"));
    full.args(["--mount", "sh", "-ec"]);
    full.arg(
        "mount -t tmpfs -o size=1m none small; ! \"$0\" save box oci:small
        find small -name '.unfinished-*' -o -name index.json
        find small/blobs -type f | while read -r blob; do
            echo \"${blob##*/}  $blob\" | sha256sum --check --status
        done",
    );
    full.arg(env!("CARGO_BIN_EXE_racker"));
    let output = racker.finish(full).success();
    assert_eq!(output.text(), "", "{}", output.report());
    output.says("No space left on device").one_message();
}
