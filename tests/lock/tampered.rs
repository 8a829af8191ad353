//! Archives that lose, change or spoil what they had, and locks that somebody changed.

use std::fs;

use racker_store::{Access, Digest, Store};

use super::Bench;
use super::registry::Registry;
use super::support::bench::spoil;
use super::support::files::{Files, find};

const APP: &str = "[[step]]\npackages = [\"app\"]\n";

/// A bench with a lock, whose store has no package file of the archive.
fn locked() -> Bench {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.racker(&["lock", "box.toml"]).success();
    bench
}

#[test]
fn a_package_that_was_changed() {
    let bench = locked();
    spoil(&find(&bench.archive.path("pool"), "app_1_all.deb"));
    let output = bench
        .bake()
        .code(102)
        .says("package app 1")
        .says("digest mismatch");
    bench.nothing_is_left(&output);
}

#[test]
fn a_package_that_is_cut_off() {
    let bench = locked();
    bench.archive.files.truncate("app_1_all.deb");
    let output = bench.bake().says("package app 1");
    assert!(matches!(output.code, Some(1 | 102)), "{}", output.report());
    bench.nothing_is_left(&output);
}

#[test]
fn a_version_that_is_gone() {
    let bench = locked();
    let spare = Files::serve(bench.archive.path("spare").as_path());
    fs::create_dir_all(bench.archive.path("spare/pool")).unwrap();
    let deb = find(&bench.archive.path("pool"), "app_1_all.deb");
    fs::rename(&deb, bench.archive.path("spare/pool/app_1_all.deb")).unwrap();
    let output = bench
        .bake()
        .code(1)
        .says("package app 1")
        .says("racker lock RECIPE --update app");
    bench.nothing_is_left(&output);
    // Another mirror still has it.
    let mirrors = format!(
        "http://no.test=http://no.test,{}={}",
        bench.archive.files.url, spare.url
    );
    let racker = bench
        .kitchen
        .racker
        .clone()
        .env("RACKER_PACKAGE_MIRRORS", mirrors);
    racker.run(&["bake", "--locked", "box.toml"]).success();
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");
    let racker = bench
        .kitchen
        .racker
        .clone()
        .env("RACKER_PACKAGE_MIRRORS", "nonsense");
    racker.run(&["bake", "box.toml"]).code(2).one_message();
}

/// The archives that the image is configured with are asked for what is not where the lock says.
#[test]
fn a_version_that_another_archive_of_the_image_has() {
    let bench = locked();
    let spare = Files::serve(bench.archive.path("spare").as_path());
    fs::create_dir_all(bench.archive.path("spare/pool")).unwrap();
    let deb = find(&bench.archive.path("pool"), "app_1_all.deb");
    let kept = bench.archive.path("spare/pool/app_1_all.deb");
    fs::rename(&deb, &kept).unwrap();
    let other = format!("deb {} test main\n", spare.url);
    bench.source(&(bench.archive.source() + &other));
    let arguments = ["bake", "--locked", "box.toml"];
    // What it has must be the same file.
    let bytes = fs::read(&kept).unwrap();
    fs::write(&kept, [&bytes[..], b"more"].concat()).unwrap();
    let output = bench.racker(&arguments).code(102);
    let output = output.says("package app 1").says("size mismatch");
    bench.nothing_is_left(&output);
    fs::write(&kept, &bytes).unwrap();
    bench.racker(&arguments).success().says("not found on");
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");
}

/// No mirror has it any more, but somebody who had it put it into a shared cache.
#[test]
fn a_package_that_only_the_cache_has() {
    let bench = locked();
    let registry = Registry::start();
    let cache = format!("{}/cache", registry.host);
    let generate = ["key", "generate", "ci", "--output", "ci.key"];
    bench.racker(&generate).success();
    let signing = bench.kitchen.racker.clone();
    let signing = signing.env("RACKER_SIGNING_KEY", bench.kitchen.path("ci.key"));
    signing
        .run(&["bake", "--locked", "box.toml", "--cache-push", &cache])
        .success();
    // Neither the archive nor the store has the files.
    let mut lost = 0;
    for deb in ["app_1_all.deb", "library_1_all.deb"] {
        let path = find(&bench.archive.path("pool"), deb);
        let digest = Digest::of(&fs::read(&path).unwrap());
        let store = Store::open(bench.kitchen.racker.store(), Access::ReadWrite).unwrap();
        lost += usize::from(store.remove_blob(&digest).unwrap());
        fs::remove_file(path).unwrap();
    }
    assert_eq!(lost, 2);
    let other = "[[step]]\npackages = [\"app\"]\n[[step]]\nrun = \"true\"\n";
    bench.recipe(other);
    let arguments = ["bake", "--locked", "--no-cache", "box.toml"];
    bench.racker(&arguments).code(1).says("not found on");
    let arguments = [&arguments[..], &["--cache", &cache]].concat();
    let output = bench.racker(&arguments).success();
    for deb in ["app_1_all.deb", "library_1_all.deb"] {
        let text = format!("{deb}: taken from the cache {cache}");
        assert!(output.stderr.contains(&text), "{}", output.report());
    }
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");
    bench.kitchen.racker.verify();
}

#[test]
fn a_lock_that_was_changed_by_hand() {
    let bench = locked();
    bench.refuses_changed_locks("1");
    // The metadata itself, gone.
    let section = bench.locked("box/3");
    let metadata = section
        .split("metadata = \"sha256:")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let kept = bench
        .kitchen
        .racker
        .store()
        .join(format!("metadata/{metadata}.tar.zst"));
    fs::remove_file(kept).unwrap();
    bench
        .racker(&["lock", "box.toml", "--verify"])
        .code(1)
        .says("not everything could be verified");
}

#[test]
fn a_lock_of_a_newer_version() {
    let bench = locked();
    let lock = bench.lock();
    bench
        .kitchen
        .write("box.lock", &lock.replace("version = 1\n", "version = 7\n"));
    bench
        .bake()
        .code(2)
        .one_message()
        .says("box.lock has version 7")
        .says("use a newer racker");
    assert!(bench.lock().contains("version = 7\n"));
}

#[test]
fn an_archive_without_a_signature() {
    let bench = Bench::new();
    bench.archive.publish_unsigned();
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
    // The image that asks no questions is not enough.
    bench.source(&bench.archive.source().replace("deb ", "deb [trusted=yes] "));
    bench
        .bake()
        .code(100)
        .one_message()
        .says("without a signature: /etc/apt/sources.list")
        .says("unsigned = true");
    bench.kitchen.racker.verify();
    bench.recipe("[[step]]\napt = { install = [\"app\"], unsigned = true }\n");
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");
}

#[test]
fn an_archive_that_is_signed_by_somebody_else() {
    let bench = Bench::new();
    bench.kitchen.write("key.asc", &super::Archive::new().key());
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
}

#[test]
fn an_archive_that_cannot_be_reached() {
    let bench = Bench::new();
    bench.source("deb http://127.0.0.1:9 test main\n");
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("cannot reach the package repository");
    bench.source("# nothing\n");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("no package repository configured");
}
