//! What a lock pins, obeys and renews, and what comes out of it.

use std::fs;

use super::archive::{Key, Rpm, build};
use super::support::{Kitchen, Racker, tool};
use super::{Bench, each};

const APP: &str = "[[step]]\nPM = [\"app\"]\n";

each!(
    a_lock_is_made_obeyed_and_enough,
    elsewhere_the_same_comes_out,
    an_update_says_what_it_changes,
    a_second_step_sees_the_same_repository,
    weak_dependencies_versions_and_removal,
    a_package_file_of_the_recipe,
    another_checksum,
    what_is_there_already_may_be_asked_for,
);

fn a_lock_is_made_obeyed_and_enough(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.recipe(APP);
    bench.bake().success();
    let lock = bench.lock();
    let section = bench.locked("box/3");
    assert!(
        section.contains("name = \"library\", version = \"1-1\""),
        "{section}"
    );
    assert!(!section.contains("name = \"extra\""), "{section}");
    let first = bench.tree();
    assert_eq!(
        bench.sh("cat /usr/share/app/version /usr/share/library/version /usr/share/app/state"),
        "1\n1\nconfigured\n"
    );
    assert_eq!(bench.automatic(), "library shell");
    // The repository moves on; the lock does not.
    bench.move_on();
    let again = ["bake", "--locked", "--offline", "--no-cache", "box.toml"];
    bench.without_network(&again).success();
    assert_eq!(bench.tree(), first);
    assert_eq!(bench.lock(), lock);
    let check = ["bake", "--locked", "--offline", "--check", "box.toml"];
    bench
        .racker(&check)
        .success()
        .says("box/3: made again, the same came out");
    bench
        .racker(&["lock", "box.toml", "--verify"])
        .success()
        .says("packages verified");
    // What is there can be built upon.
    bench.recipe("[[step]]\nPM = [\"app\"]\n[[step]]\nPM = [\"extra\"]\n");
    bench.bake().success();
    assert_eq!(bench.automatic(), "library shell");
}

/// Another store, host name, umask, time of day.
fn elsewhere_the_same_comes_out(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.recipe("[[step]]\nPM = { install = [\"app\"], recommends = true }\n");
    bench.bake().success();
    let other = Kitchen::with_quickstart();
    for name in ["box.toml", "box.lock", "key.asc", "test.repo"] {
        fs::copy(bench.kitchen.path(name), other.path(name)).unwrap();
    }
    let mut elsewhere = other.racker.surround(tool("unshare", "util-linux"));
    elsewhere.args(["--uts", "sh", "-ec"]);
    elsewhere.arg(
        "hostname elsewhere; umask 077; export TZ=Asia/Tokyo; exec \"$0\" bake --locked box.toml",
    );
    elsewhere.arg(env!("CARGO_BIN_EXE_racker"));
    other.racker.finish(elsewhere).success();
    let tree = |racker: &Racker| {
        let all = racker.run(&["inspect", "box"]).success().json();
        all[0]["tree_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(tree(&other.racker), bench.tree());
    let digest = |kitchen: &Kitchen| {
        let target = format!("oci:{}", kitchen.path("layout").display());
        let output = kitchen
            .racker
            .run(&["save", "box", &target, "--compression=none"]);
        output.success().text().to_owned()
    };
    assert_eq!(digest(&other), digest(&bench.kitchen));
}

fn an_update_says_what_it_changes(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.recipe(APP);
    bench.bake().success();
    bench.move_on();
    // One package; what it does not need stays.
    let output = bench
        .racker(&["lock", "box.toml", "--update", "app"])
        .success();
    assert_eq!(output.text(), "box/3: app 1-1 -> 2-1\n");
    assert!(bench.locked("box/3").contains(&bench.archive.files.url));
    bench.bake().success();
    let versions = "cat /usr/share/app/version /usr/share/library/version";
    assert_eq!(bench.sh(versions), "2\n1\n");
    // All of them.
    let output = bench
        .racker(&["lock", "box.toml", "--update", "--json"])
        .success();
    let changes = output.json();
    let of_step = |it: &&serde_json::Value| it["step"] == "box/3";
    let changes: Vec<_> = changes.as_array().unwrap().iter().filter(of_step).collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (&changes[0]["name"], &changes[0]["new"]),
        (&"library".into(), &"2-1".into())
    );
    bench.bake().success();
    assert_eq!(bench.sh(versions), "2\n2\n");
}

fn a_second_step_sees_the_same_repository(manager: &'static str) {
    let bench = Bench::new(manager);
    bench.recipe("[[step]]\nPM = [\"library\"]\n");
    bench.bake().success();
    bench.move_on();
    bench.recipe("[[step]]\nPM = [\"library\"]\n[[step]]\nPM = [\"app\"]\n");
    // dnf 5 says what it would install only once it has it.
    match manager {
        "dnf5" => bench.bake().code(100).says("app-1-1.noarch.rpm"),
        _ => bench.bake().code(1).says("package app 1-1"),
    };
    // What the first step asks for is answered; the file of the second is gone.
    bench.app("1");
    let before = bench.archive.files.requests();
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");
    // Packages, and no metadata.
    let asked = bench.archive.files.asked(before);
    assert!(!asked.concat().contains("repodata"), "{asked:?}");
    let metadata = |step: &str| {
        let section = bench.locked(step);
        let mut lines = section.lines();
        lines
            .find(|line| line.starts_with("metadata"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(metadata("box/3"), metadata("box/4"));
}

fn weak_dependencies_versions_and_removal(manager: &'static str) {
    let bench = Bench::new(manager);
    for version in ["1:1.5", "1:1.10", "1:2.0"] {
        bench.archive.add_beside(&Rpm::new("older", version));
    }
    bench.archive.add(&Rpm {
        fields: "Conflicts: library",
        ..Rpm::new("rival", "1")
    });
    bench.archive.add(&Rpm {
        fields: "Requires: nothing-has-this",
        ..Rpm::new("broken", "1")
    });
    bench.archive.publish(Key::Own, &["--compress-type=xz"]);
    bench.recipe(
        "[[step]]\nPM = { install = [\"app\", \"older=1.*\"], recommends = true }\n\
         [[step]]\nPM = { install = [\"rival\"], remove = [\"app\", \"library\"] }\n\
         [[step]]\nPM = [\"older=1:1.5-1\"]\n",
    );
    bench.bake().success();
    assert!(
        bench.locked("box/3").contains("version = \"1:1.10-1\""),
        "{}",
        bench.lock()
    );
    assert!(bench.locked("box/3").contains("name = \"extra\""));
    assert_eq!(
        bench.sh("ls /usr/share/app; cat /usr/share/rival/version /usr/share/older/version"),
        "state\n1\n1.5\n"
    );
    for (asked, said) in [
        ("older=3*", "package `older` has no version `3*`"),
        ("nosuch", "unknown package `nosuch`"),
        ("broken", "nothing provides nothing-has-this"),
    ] {
        bench.recipe(&format!("[[step]]\nPM = [\"{asked}\"]\n"));
        bench.bake().code(100).one_message().says(said);
    }
    bench.recipe("[[step]]\nPM = [\"library\", \"rival\"]\n");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("cannot be installed together");
}

fn a_package_file_of_the_recipe(manager: &'static str) {
    let bench = Bench::new(manager);
    let mine = |version| {
        let package = build(&Rpm {
            fields: "Requires: library",
            key: Key::None,
            ..Rpm::new("mine", version)
        });
        fs::copy(package, bench.kitchen.path("mine.rpm")).unwrap();
    };
    mine("1.0");
    bench.recipe("[[step]]\nPM = [\"./mine.rpm\"]\n");
    bench.bake().success();
    let versions = "cat /usr/share/mine/version /usr/share/library/version";
    assert_eq!(bench.sh(versions), "1.0\n1\n");
    assert_eq!(bench.automatic(), "library");
    assert!(!bench.lock().contains("name = \"mine\""));
    assert!(bench.bake().success().made().is_empty());
    mine("1.1");
    let output = bench.bake().success();
    assert_eq!(output.made(), ["box/3"], "{}", output.report());
    assert!(bench.sh(versions).starts_with("1.1\n"));
}

fn another_checksum(manager: &'static str) {
    let bench = Bench::new(manager);
    bench
        .archive
        .publish(Key::Own, &["--checksum=sha512", "--compress-type=xz"]);
    bench.recipe(APP);
    bench.bake().success();
    bench.racker(&["lock", "box.toml", "--verify"]).success();
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");
}

/// Curated recipes ask for systemd whether the image has it or not.
fn what_is_there_already_may_be_asked_for(manager: &'static str) {
    let bench = Bench::new(manager);
    let again = "[[step]]\nPM = [\"app\", \"library\"]\n";
    bench.recipe(&format!(
        "{APP}{again}[[step]]\nPM = [\"app\", \"extra\"]\n"
    ));
    bench.bake().success();
    assert!(!bench.locked("box/4").contains("name = "));
    assert!(bench.locked("box/5").contains("name = \"extra\""));
    let check = ["bake", "--locked", "--offline", "--check", "box.toml"];
    bench.racker(&check).success();
}
