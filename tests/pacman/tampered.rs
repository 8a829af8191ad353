//! Repositories that lose, change or spoil what they had, signatures that do not hold, and locks
//! that somebody changed.

use std::fs;

use super::mirror::{Mirror, Pkg};
use super::support::files::find;
use super::{Bench, KEYS, Output};

const APP: &str = "[[step]]\npacman = [\"app\"]\n";

/// A bench with a lock, whose store has no package file of the repository.
fn locked() -> Bench {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.racker(&["lock", "box.toml"]).success();
    bench
}

fn nothing_is_left(bench: &Bench, output: &Output) {
    let messages = output.stderr.matches("racker:").count();
    assert_eq!(messages, 1, "{}", output.report());
    bench.kitchen.racker.verify();
    bench.racker(&["inspect", "box"]).code(1);
}

fn spoil(bench: &Bench, ending: &str) {
    let path = find(&bench.mirror.path("test"), ending);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_package_or_a_signature_that_was_changed() {
    for ending in ["app-1-1-any.pkg.tar.zst", "app-1-1-any.pkg.tar.zst.sig"] {
        let bench = locked();
        // The signatures came with the lock.
        fs::remove_dir_all(bench.kitchen.racker.store().join("blobs")).unwrap();
        spoil(&bench, ending);
        let output = bench
            .bake()
            .code(102)
            .says("package app 1-1")
            .says("digest mismatch");
        nothing_is_left(&bench, &output);
    }
}

#[test]
fn a_package_that_is_cut_off_or_gone() {
    let bench = locked();
    bench.mirror.files.truncate("app-1-1-any.pkg.tar.zst");
    let output = bench.bake().says("package app 1-1");
    assert!(matches!(output.code, Some(1 | 102)), "{}", output.report());
    nothing_is_left(&bench, &output);
    bench.mirror.files.truncate("nothing any more");
    let path = bench.mirror.path("test/app-1-1-any.pkg.tar.zst");
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    let output = bench
        .bake()
        .code(1)
        .says("package app 1-1")
        .says("racker lock RECIPE --update app");
    nothing_is_left(&bench, &output);
    // Another server of the repository still has it.
    let spare = bench.mirror.path("spare/test");
    fs::create_dir_all(&spare).unwrap();
    let name = "app-1-1-any.pkg.tar.zst";
    fs::write(spare.join(name), bytes).unwrap();
    let servers = format!(
        "{0}Server = {1}/spare/$repo\n",
        bench.mirror.section(),
        bench.mirror.files.url
    );
    bench.configure("SigLevel = Required DatabaseOptional", &servers);
    bench.bake().success();
}

#[test]
fn a_lock_that_was_changed_by_hand() {
    let bench = locked();
    let lock = bench.lock();
    let line = lock
        .lines()
        .find(|line| line.contains("name = \"app\""))
        .unwrap();
    let digest = line.split("sha256 = \"").nth(1).unwrap();
    let digest = digest.split('"').next().unwrap();
    let other = digest.replace(['0', '1', '2', '3'], "4");
    for changed in [
        line.replacen("size = ", "size = 1", 1),
        line.replacen("version = \"1-1\"", "version = \"3-1\"", 1),
        line.replacen(digest, &other, 1),
    ] {
        let text = lock.replace(line, &changed);
        bench.kitchen.write("box.lock", &text);
        bench
            .racker(&["lock", "box.toml", "--verify"])
            .code(102)
            .says("1 entries are not what the repositories say");
    }
    let output = bench.bake().code(102).says("package app 1-1");
    nothing_is_left(&bench, &output);
    bench.kitchen.write("box.lock", &lock);
    bench.racker(&["lock", "box.toml", "--verify"]).success();
}

#[test]
fn packages_that_nobody_signed() {
    let bench = Bench::new();
    bench.mirror.add_unsigned(&Pkg {
        name: "app",
        version: "2",
        fields: "depend = library\n",
        ..Pkg::default()
    });
    bench.mirror.publish();
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold: that of app 2-1 cannot be fetched");
    // The image that asks no questions is not enough, nor is one that takes what it gets.
    for level in ["Never", "Optional", "Required TrustAll DatabaseNever"] {
        bench.configure(&format!("SigLevel = {level}"), &bench.mirror.section());
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
        &bench.mirror.section(),
    );
    bench.recipe(APP);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
    let database = bench.mirror.path("test/test.db.tar.gz");
    bench.mirror.sign(&database);
    let signature = bench.mirror.path("test/test.db.tar.gz.sig");
    fs::copy(&signature, bench.mirror.path("test/test.db.sig")).unwrap();
    bench.bake().success();
    assert_eq!(bench.sh("pacman -Qqe"), "app\n");
    // A step more checks the kept database again.
    bench.recipe("[[step]]\npacman = [\"app\", \"extra\"]\n");
    let before = bench.mirror.files.requests();
    bench.bake().success();
    assert_eq!(
        bench.mirror.files.asked(before),
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
