//! Repositories that lose, change or spoil what they had, and locks that somebody changed.

use super::archive::{Key, Rpm};
use super::support::bench::spoil;
use super::support::files::find;
use super::{Bench, each};

const APP: &str = "[[step]]\nPM = [\"app\"]\n";

each!(
    a_package_that_was_changed,
    a_package_that_is_cut_off,
    a_lock_that_was_changed_by_hand,
    metadata_of_somebody_else,
    nothing_signed,
    packages_of_somebody_else,
    a_script_that_fails,
);

/// A bench with a lock, whose store has no package file of the repository.
fn locked(manager: &'static str) -> Bench {
    let bench = Bench::new(manager);
    bench.recipe(APP);
    bench.racker(&["lock", "box.toml"]).success();
    bench
}

fn a_package_that_was_changed(manager: &'static str) {
    let bench = locked(manager);
    spoil(&find(&bench.archive.path(""), "app-1-1.noarch.rpm"));
    let output = bench
        .bake()
        .code(102)
        .says("package app 1-1")
        .says("digest mismatch");
    bench.nothing_is_left(&output);
}

fn a_package_that_is_cut_off(manager: &'static str) {
    let bench = locked(manager);
    bench.archive.files.truncate("app-1-1.noarch.rpm");
    let output = bench.bake().says("package app 1-1");
    assert!(matches!(output.code, Some(1 | 102)), "{}", output.report());
    bench.nothing_is_left(&output);
    bench.kitchen.racker.verify();
}

fn a_lock_that_was_changed_by_hand(manager: &'static str) {
    locked(manager).refuses_changed_locks("1-1");
}

fn metadata_of_somebody_else(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.archive.publish(Key::Foreign, &[]);
    bench.recipe(APP);
    let output = bench.bake().code(100).says("signature does not hold");
    bench.nothing_is_left(&output);
    bench.recipe("[[step]]\nPM = { install = [\"app\"], unsigned = true }\n");
    bench.bake().success();
}

fn nothing_signed(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.archive.add(&Rpm {
        key: Key::None,
        ..Rpm::new("plain", "1")
    });
    bench.archive.publish(Key::None, &[]);
    let plain = "[[step]]\nPM = [\"plain\"]\n";
    let accepting = "[[step]]\nPM = { install = [\"plain\"], unsigned = true }\n";
    // Asked for a signature, there is none.
    bench.recipe(plain);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
    // Not even asked for.
    bench.source("gpgcheck=0\nrepo_gpgcheck=0\n");
    bench.recipe(plain);
    let output = bench
        .bake()
        .code(100)
        .says("repository without a signature: test");
    bench.nothing_is_left(&output);
    bench.recipe(accepting);
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/plain/version"), "1\n");
}

/// Nobody vouches for the metadata, so the packages must be signed.
fn packages_of_somebody_else(manager: &'static str) {
    let bench = Bench::new(manager);
    for (name, key) in [("foreign", Key::Foreign), ("plain", Key::None)] {
        bench.archive.add(&Rpm {
            key,
            ..Rpm::new(name, "1")
        });
    }
    bench.archive.publish(Key::None, &[]);
    bench.source("gpgcheck=1\nrepo_gpgcheck=0\npkg_gpgcheck=1\n");
    for name in ["foreign", "plain"] {
        bench.recipe(&format!("[[step]]\nPM = [\"{name}\"]\n"));
        let output = bench.bake().code(100).says("signature").says(name);
        bench.nothing_is_left(&output);
    }
    bench.recipe(APP);
    bench.bake().success();
}

fn a_script_that_fails(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.archive.add(&Rpm {
        pre: "echo it is full; exit 3",
        ..Rpm::new("bad", "1")
    });
    bench.archive.publish(Key::Own, &[]);
    bench.recipe("[[step]]\nPM = [\"bad\"]\n");
    let output = bench
        .bake()
        .code(100)
        .says("scriptlet failed, exit status 3");
    bench.nothing_is_left(&output);
}
