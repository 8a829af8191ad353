//! What a lock pins, obeys and renews.

use std::fs;
use std::process::Command;

use super::Bench;
use super::mirror::Pkg;
use super::support::{Kitchen, execute, tool};

const APP: &str = "[[step]]\npacman = [\"app\"]\n";

#[test]
fn a_lock_is_made_obeyed_and_enough() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    let lock = bench.lock();
    assert!(lock.contains("step = \"box/2\""), "{lock}");
    assert!(
        lock.contains("name = \"library\", version = \"1-1\""),
        "{lock}"
    );
    assert!(!lock.contains("name = \"extra\""), "{lock}");
    let first = bench.tree();
    assert_eq!(
        bench.sh("cat /usr/share/*/version /usr/share/app/state; pacman -Qqe; pacman -Qqd"),
        "1\n1\nconfigured\napp\nlibrary\n"
    );
    // The repository moves on; the lock does not.
    bench.app("2");
    bench.library("2");
    bench.archive.publish();
    let again = ["bake", "--locked", "--offline", "--no-cache", "box.toml"];
    bench.without_network(&again).success();
    assert_eq!(bench.tree(), first);
    assert_eq!(bench.lock(), lock);
    let check = ["bake", "--locked", "--offline", "--check", "box.toml"];
    bench
        .without_network(&check)
        .success()
        .says("box/2: made again, the same came out");
    let output = bench.racker(&["lock", "box.toml", "--verify"]).success();
    assert!(
        output.stderr.contains("packages verified"),
        "{}",
        output.report()
    );
}

#[test]
fn an_update_says_what_it_changes() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    let first = bench.tree();
    bench.app("2");
    bench.library("2");
    bench.archive.publish();
    // One package; what it does not need stays.
    let update = ["lock", "box.toml", "--update", "app"];
    let output = bench.racker(&update).success();
    assert_eq!(output.text(), "box/2: app 1-1 -> 2-1\n");
    bench.bake().success();
    assert_ne!(bench.tree(), first);
    let script = "cat /usr/share/app/version /usr/share/library/version; pacman -Qqe";
    assert_eq!(bench.sh(script), "2\n1\napp\n");
    // What it needs comes along.
    bench.archive.add(&Pkg {
        name: "app",
        version: "3",
        fields: "depend = library>=2\n",
        ..Pkg::default()
    });
    bench.archive.publish();
    let output = bench.racker(&update).success();
    assert_eq!(
        output.text(),
        "box/2: app 2-1 -> 3-1\nbox/2: library 1-1 -> 2-1\n"
    );
    bench.bake().success();
    assert_eq!(bench.sh(script), "3\n2\napp\n");
    // All of them.
    bench.library("4");
    bench.archive.publish();
    let output = bench.racker(&["lock", "box.toml", "--update"]).success();
    assert_eq!(output.text(), "box/2: library 2-1 -> 4-1\n");
}

#[test]
fn a_step_that_asks_for_more_keeps_what_it_had() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    bench.app("2");
    bench.library("2");
    bench.archive.publish();
    // The state of the repository that the lock was made from is known still.
    bench.recipe("[[step]]\npacman = [\"app\", \"extra\"]\n");
    bench
        .racker(&["bake", "--locked", "box.toml"])
        .code(1)
        .says("asks for other packages");
    let before = bench.archive.files.requests();
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/*/version"), "1\n1\n1\n");
    // Only the file that was not there yet, and what signs it, are asked for; a signature is
    // looked up by its place again.
    let asked = bench.archive.files.asked(before);
    assert!(asked.iter().all(|it| !it.contains("test.db")), "{asked:?}");
    let files = asked.iter().filter(|it| it.ends_with(".pkg.tar.zst"));
    assert_eq!(files.count(), 1, "{asked:?}");
}

#[test]
fn later_steps_see_the_same_repository_and_what_is_installed() {
    let bench = Bench::new();
    let steps = "[[step]]\npacman = [\"library\"]\n[[step]]\npacman = [\"app\", \"library\"]\n";
    bench.recipe(steps);
    let output = bench.bake().success();
    assert_eq!(output.made(), ["box/1", "box/2", "box/3"]);
    let lock = bench.lock();
    let section = |step: &str| {
        let mut all = lock.split("[[section]]");
        all.find(|it| it.contains(step)).unwrap()
    };
    let metadata = |step: &str| {
        let mut lines = section(step).lines();
        lines.find(|it| it.starts_with("metadata")).unwrap()
    };
    assert_eq!(metadata("\"box/2\""), metadata("\"box/3\""));
    assert!(
        !section("\"box/3\"").contains("name = \"library\""),
        "{lock}"
    );
    assert_eq!(bench.sh("pacman -Qqe"), "app\nlibrary\n");
    // Another version below makes the answer of the step above stale.
    bench.library("2");
    bench.archive.publish();
    bench.racker(&["lock", "box.toml", "--update"]).success();
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/library/version"), "2\n");
    assert_eq!(
        bench.sh("pacman -Qk 2>/dev/null"),
        "app: 4 total files, 0 missing files\nlibrary: 4 total files, 0 missing files\n"
    );
}

#[test]
fn two_stores_agree() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    let other = Kitchen::with_quickstart();
    let copy = ["box.toml", "box.lock", "root"].map(|name| bench.kitchen.path(name));
    execute(Command::new("cp").arg("-R").args(copy).arg(other.path(".")));
    let script = "hostname elsewhere; umask 077; exec \"$@\"";
    let mut command = other.racker.surround(tool("unshare", "util-linux"));
    command.args(["--uts", "--", "sh", "-ec", script, "sh"]);
    command.env("TZ", "Pacific/Auckland");
    command
        .arg(env!("CARGO_BIN_EXE_racker"))
        .args(["bake", "--locked", "box.toml"]);
    other.racker.finish(command).success();
    let saved = |kitchen: &Kitchen| {
        let target = format!("oci:{}", kitchen.path("saved").display());
        kitchen.racker.run(&["save", "box", &target]).success();
        let index = fs::read_to_string(kitchen.path("saved/index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_str(&index).unwrap();
        index["manifests"][0]["digest"].clone()
    };
    assert_eq!(saved(&bench.kitchen), saved(&other));
    bench.kitchen.racker.verify();
}
