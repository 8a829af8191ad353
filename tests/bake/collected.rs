//! What a bake and a pull collect by themselves where little is free.

use std::fs;
use std::path::Path;

use super::registry::{self, Registry};
use super::support::{Kitchen, Output, Racker, mini, tool, verify};

/// More than any file system has: it is always collected.
const ALWAYS: &str = "1000000T";

/// A step that stays, and one whose large file is another for each `word`.
const LARGE: &str = r#"
[args]
word = "first"

[[step]]
run = "head -c 2000000 /dev/urandom > /kept"

[[step]]
run = "echo ${word}; head -c 8000000 /dev/urandom > /large"
"#;

/// A kitchen with [`LARGE`].
fn large() -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.recipe("large.toml", LARGE);
    kitchen
}

/// Bakes with this word, in which `gc-min-free` is what the environment says.
fn bake(racker: &Racker, word: &str) -> Output {
    let word = format!("word={word}");
    racker.run(&["bake", "large.toml", "--set", &word])
}

fn realisations(store: &Path) -> usize {
    walkdir::WalkDir::new(store.join("realisations"))
        .into_iter()
        .map(Result::unwrap)
        .filter(|it| it.file_type().is_file())
        .count()
}

/// Runs a script, whose first argument is racker, in a mount namespace of its own.
fn small_disk(kitchen: &Kitchen, script: &str) -> Output {
    let mut command = kitchen.racker.surround(tool("unshare", "util-linux"));
    command.args(["--mount", "sh", "-ec", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_racker"));
    kitchen.racker.finish(command).success()
}

/// The script said `wanted N free M`.
#[track_caller]
fn enough_is_free(output: &Output) {
    let (_, numbers) = output.stderr.split_once("wanted ").unwrap();
    let mut numbers = numbers.split_whitespace();
    let wanted: u64 = numbers.next().unwrap().parse().unwrap();
    let free: u64 = numbers.nth(1).unwrap().parse().unwrap();
    assert!(free >= wanted, "{}", output.report());
}

#[test]
fn a_bake_on_a_small_file_system_collects_what_it_must() {
    // The store lies on a file system that only racker sees; what it is then is copied out.
    const SCRIPT: &str = "mkdir disk
        mount -t tmpfs -o size=100m none disk
        bake() { \"$1\" --store disk/store bake large.toml --set word=$2; }
        free() { df --block-size=1 --output=avail disk | tail -n 1; }
        bake \"$1\" first
        cp -a disk/store first
        export RACKER_GC_MIN_FREE=$(($(free) - 1000000))
        bake \"$1\" first
        echo nothing yet >&2
        bake \"$1\" second
        echo \"wanted $RACKER_GC_MIN_FREE free $(free)\" >&2
        cp -a disk/store second
        bake \"$1\" second
        export RACKER_GC_MIN_FREE=1M
        bake \"$1\" first";
    let kitchen = large();
    let output = small_disk(&kitchen, SCRIPT);
    let (quiet, after) = output.stderr.split_once("nothing yet").unwrap();
    assert!(!quiet.contains("Reclaimed"), "{}", output.report());
    // Once, by the bake that needed the room; with one line.
    assert_eq!(after.matches("Reclaimed").count(), 1, "{}", output.report());
    enough_is_free(&output);
    // What was made from the first word went, and nothing else: the step before it was found.
    assert_eq!(
        output.made(),
        ["large/1", "large/2", "large/2", "large/2"],
        "{}",
        output.report()
    );
    for copy in ["first", "second"] {
        verify(&kitchen.path(copy));
        assert_eq!(realisations(&kitchen.path(copy)), 2, "{copy}");
    }
}

#[test]
fn a_collection_goes_on_until_max_free() {
    const SCRIPT: &str = "mkdir disk
        mount -t tmpfs -o size=100m none disk
        bake() { \"$1\" --store disk/store bake large.toml --set word=$2; }
        free() { df --block-size=1 --output=avail disk | tail -n 1; }
        bake \"$1\" first
        bake \"$1\" second
        free=$(free)
        export RACKER_GC_MIN_FREE=$((free - 4000000))
        bake \"$1\" third
        cp -a disk/store third
        export RACKER_GC_MAX_FREE=$((free + 4000000))
        bake \"$1\" fourth
        echo \"wanted $RACKER_GC_MAX_FREE free $(free)\" >&2
        cp -a disk/store fourth";
    let kitchen = large();
    let output = small_disk(&kitchen, SCRIPT);
    assert_eq!(
        output.stderr.matches("Reclaimed").count(),
        2,
        "{}",
        output.report()
    );
    // What the first word led to made room for the third; for the fourth more than one went.
    for (copy, count) in [("third", 3), ("fourth", 2)] {
        assert_eq!(
            realisations(&kitchen.path(copy)),
            count,
            "{}",
            output.report()
        );
        verify(&kitchen.path(copy));
    }
    enough_is_free(&output);
}

/// What the settings say holds for `racker store gc`, unless an option says otherwise.
#[test]
fn settings_are_limits_of_every_collection() {
    let kitchen = large();
    bake(&kitchen.racker, "first").success();
    bake(&kitchen.racker, "second").success();
    let home = kitchen.path("home");
    let racker = kitchen.racker.clone().env("HOME", &home);
    let configured = |text: &str| kitchen.write("home/.config/racker/config.toml", text);
    let would = |arguments: &[&str]| {
        let all = [&["store", "gc", "--dry-run", "--json"], arguments].concat();
        racker.run(&all).success().json()["bytes"].as_u64().unwrap()
    };
    assert_eq!(would(&[]), 0);
    for text in [
        "gc-older-than = \"0\"\n",
        "gc-max-size = \"1M\"\n",
        "gc-max-free = \"1000T\"\n",
        "gc-min-free = \"1000T\"\n",
    ] {
        configured(text);
        assert!(would(&[]) >= 8_000_000, "{text}");
    }
    // Options go before.
    configured("gc-max-size = \"1M\"\n");
    assert_eq!(would(&["--max-size", "1G"]), 0);
    configured("gc-older-than = \"0\"\n");
    assert_eq!(would(&["--older-than", "1h"]), 0);
    for wrong in ["gc-older-than = \"soon\"", "gc-max-size = \"big\""] {
        configured(wrong);
        racker.run(&["store", "gc"]).code(2).one_message();
    }
    // An image that is not there yet may be named.
    let all = ["store", "gc", "--images"];
    configured("gc-older-than = \"0\"\ngc-keep = [\"large\", \"none\"]\n");
    racker.run(&all).success();
    assert!(!kitchen.racker.tree("large").is_empty());
    assert_eq!(realisations(racker.store()), 0);
    let never = racker.clone().env("RACKER_GC_KEEP", "none");
    let gone = never.run(&all).success();
    assert!(
        gone.text().starts_with("Untagged: large\n"),
        "{}",
        gone.report()
    );
    racker.verify();
}

#[test]
fn nothing_is_collected_unless_it_is_asked_for() {
    let kitchen = large();
    for word in ["first", "second"] {
        let output = bake(&kitchen.racker, word).success();
        assert!(!output.stderr.contains("Reclaimed"), "{}", output.report());
    }
    let output = bake(&kitchen.racker, "first").success();
    assert_eq!(output.cached().len(), 2, "{}", output.report());
}

#[test]
fn the_configuration_says_how_much() {
    let kitchen = large();
    bake(&kitchen.racker, "first").success();
    let home = kitchen.path("home");
    let configured = |text: &str| {
        kitchen.write("home/.config/racker/config.toml", text);
        bake(&kitchen.racker.clone().env("HOME", &home), "second")
    };
    configured("gc-min-free = \"much\"\n")
        .code(2)
        .one_message()
        .says("gc-min-free: \"much\" is no size");
    configured(&format!("gc-min-free = \"{ALWAYS}\"\n"))
        .success()
        .says("Reclaimed ");
    // The environment goes before the file, and 0 is never.
    let racker = kitchen.racker.clone().env("HOME", &home);
    let output = bake(&racker.env("RACKER_GC_MIN_FREE", "0"), "third").success();
    assert!(!output.stderr.contains("Reclaimed"), "{}", output.report());
    let output = bake(&kitchen.racker, "second").success();
    assert_eq!(output.cached().len(), 2, "{}", output.report());
    kitchen.racker.verify();
}

#[test]
fn a_collection_that_fails_fails_no_bake() {
    let kitchen = large();
    bake(&kitchen.racker, "first").success();
    // Of a container whose tree nobody knows, nobody knows what it needs.
    kitchen.write("store/containers/odd/tree", "nonsense\n");
    kitchen.write("store/containers/odd/config.json", "{}\n");
    let racker = kitchen.racker.clone().env("RACKER_GC_MIN_FREE", ALWAYS);
    let before = realisations(racker.store());
    let output = bake(&racker, "second")
        .success()
        .says("Not collected, though gc-min-free says so: ");
    assert_eq!(output.made(), ["large/2"], "{}", output.report());
    assert_eq!(realisations(racker.store()), before + 1);
    // Empty files are what a power cut leaves of one that nobody reported.
    for name in ["tree", "image.json", "config.json"] {
        kitchen.write(&format!("store/containers/odd/{name}"), "");
    }
    bake(&racker, "second").success().says("Reclaimed ");
    assert_eq!(racker.run(&["ps", "-aq"]).success().text(), "");
    fs::remove_dir_all(kitchen.path("store/containers/odd")).unwrap();
    kitchen.racker.verify();
}

#[test]
fn a_bake_that_failed_makes_room_too() {
    let kitchen = large();
    bake(&kitchen.racker, "first").success();
    bake(&kitchen.racker, "second").success();
    kitchen.recipe("wrong.toml", "[[step]]\nrun = \"false\"\n");
    let racker = kitchen.racker.clone().env("RACKER_GC_MIN_FREE", ALWAYS);
    racker
        .run(&["bake", "wrong.toml"])
        .code(100)
        .says("Reclaimed ");
    kitchen.racker.verify();
}

#[test]
fn a_pull_collects_too() {
    let kitchen = large();
    let racker = &kitchen.racker;
    let registry = Registry::start();
    let name = format!("{}/box", registry.host);
    let layout = registry::layout(&kitchen.path("layout"), &[mini()]);
    registry.push(&layout, "box", &[]);
    bake(racker, "first").success();
    racker.run(&["rmi", "large"]).success();
    racker.run(&["pull", &name]).success();
    assert_eq!(realisations(racker.store()), 2);
    let forced = racker.clone().env("RACKER_GC_MIN_FREE", ALWAYS);
    forced.run(&["pull", &name]).success().says("Reclaimed ");
    assert_eq!(realisations(racker.store()), 0);
    assert!(!kitchen.racker.tree(&name).is_empty());
    racker.verify();
}
