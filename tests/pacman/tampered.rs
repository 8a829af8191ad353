//! Repositories that lose, change or spoil what they had, signatures that do not hold, and locks
//! that somebody changed.

use std::fs;

use super::mirror::{Mirror, Pkg};
use super::support::bench::spoil;
use super::support::files::find;
use super::{Bench, KEYS};

const APP: &str = "[[step]]\npacman = [\"app\"]\n";

/// A bench with a lock, whose store has no package file of the repository.
fn locked() -> Bench {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.racker(&["lock", "box.toml"]).success();
    bench
}

#[test]
fn a_package_or_a_signature_that_was_changed() {
    for ending in ["app-1-1-any.pkg.tar.zst", "app-1-1-any.pkg.tar.zst.sig"] {
        let bench = locked();
        // The signatures came with the lock.
        fs::remove_dir_all(bench.kitchen.racker.store().join("blobs")).unwrap();
        spoil(&find(&bench.archive.path("test"), ending));
        let output = bench
            .bake()
            .code(102)
            .says("package app 1-1")
            .says("digest mismatch");
        bench.nothing_is_left(&output);
    }
}

#[test]
fn a_package_that_is_cut_off_or_gone() {
    let bench = locked();
    bench.archive.files.truncate("app-1-1-any.pkg.tar.zst");
    let output = bench.bake().says("package app 1-1");
    assert!(matches!(output.code, Some(1 | 102)), "{}", output.report());
    bench.nothing_is_left(&output);
    bench.archive.files.truncate("nothing any more");
    let path = bench.archive.path("test/app-1-1-any.pkg.tar.zst");
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    let output = bench
        .bake()
        .code(1)
        .says("package app 1-1")
        .says("racker lock RECIPE --update app");
    bench.nothing_is_left(&output);
    // Another server of the repository still has it.
    let spare = bench.archive.path("spare/test");
    fs::create_dir_all(&spare).unwrap();
    let name = "app-1-1-any.pkg.tar.zst";
    fs::write(spare.join(name), bytes).unwrap();
    let servers = format!(
        "{0}Server = {1}/spare/$repo\n",
        bench.archive.section(),
        bench.archive.files.url
    );
    bench.configure("SigLevel = Required DatabaseOptional", &servers);
    bench.bake().success();
}

#[test]
fn a_lock_that_was_changed_by_hand() {
    locked().refuses_changed_locks("1-1");
}

#[test]
fn packages_that_nobody_signed() {
    let bench = Bench::new();
    bench.archive.add_unsigned(&Pkg {
        name: "app",
        version: "2",
        fields: "depend = library\n",
        ..Pkg::default()
    });
    bench.archive.publish();
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold: that of app 2-1 cannot be fetched");
    // The image that asks no questions is not enough, nor is one that takes what it gets.
    for level in ["Never", "Optional", "Required TrustAll DatabaseNever"] {
        bench.configure(&format!("SigLevel = {level}"), &bench.archive.section());
        bench
            .bake()
            .code(100)
            .one_message()
            .says("without a signature: test")
            .says("unsigned = true");
    }
    bench.kitchen.racker.verify();
    bench.recipe("[[step]]\npacman = { install = [\"app\"], unsigned = true }\n");
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/app/version"), "2\n");
    assert!(!bench.lock().contains("signature ="), "{}", bench.lock());
}

#[test]
fn a_database_can_vouch_for_its_packages() {
    let bench = Bench::new();
    bench.configure(
        "SigLevel = PackageNever DatabaseRequired",
        &bench.archive.section(),
    );
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
    let database = bench.archive.path("test/test.db.tar.gz");
    bench.archive.sign(&database);
    let signature = bench.archive.path("test/test.db.tar.gz.sig");
    fs::copy(&signature, bench.archive.path("test/test.db.sig")).unwrap();
    bench.bake().success();
    assert_eq!(bench.sh("pacman -Qqe"), "app\n");
    // A step more checks the kept database again.
    bench.recipe("[[step]]\npacman = [\"app\", \"extra\"]\n");
    let before = bench.archive.files.requests();
    bench.bake().success();
    assert_eq!(
        bench.archive.files.asked(before),
        ["test/extra-1-1-any.pkg.tar.zst"]
    );
}

#[test]
fn what_is_signed_by_somebody_else() {
    let bench = Bench::new();
    fs::remove_dir_all(bench.kitchen.path(KEYS)).unwrap();
    Mirror::new().keyring(&bench.kitchen.path(KEYS), "test");
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
    bench.kitchen.racker.verify();
}

#[test]
fn a_repository_that_cannot_be_reached() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.configure("", "[test]\nServer = http://127.0.0.1:9\n");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("cannot reach the package repository");
    bench.configure("", "");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("no package repository configured");
}
