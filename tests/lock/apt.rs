//! What a lock pins, obeys and renews.

use super::archive::Deb;
use super::support::deb::build;
use super::{Bench, traced};

const APP: &str = "[[step]]\npackages = [\"app\"]\n";

#[test]
fn a_lock_is_made_obeyed_and_enough() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    let lock = bench.lock();
    assert!(lock.contains("step = \"box/3\""), "{lock}");
    assert!(
        lock.contains("name = \"library\", version = \"1\""),
        "{lock}"
    );
    assert!(!lock.contains("name = \"extra\""), "{lock}");
    let first = bench.tree();
    assert_eq!(
        bench.sh("cat /usr/share/*/version /usr/share/app/state; apt-mark showmanual app library"),
        "1\n1\nconfigured\napp\n"
    );
    // The archive moves on; the lock does not.
    bench.app("2");
    bench.library("2");
    bench.archive.publish();
    let again = ["bake", "--locked", "--offline", "--no-cache", "box.toml"];
    bench.without_network(&again).success();
    assert_eq!(bench.tree(), first);
    assert_eq!(bench.lock(), lock);
    let check = ["bake", "--locked", "--offline", "--check", "box.toml"];
    let (output, sockets) = traced(&bench, &check);
    output
        .success()
        .says("box/3: made again, the same came out");
    assert!(sockets.contains("AF_UNIX"), "nothing was traced");
    assert!(!sockets.contains("AF_INET"), "{sockets}");
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
    bench.app("2");
    bench.library("2");
    bench.archive.publish();
    // One package; what it does not need stays.
    let output = bench
        .racker(&["lock", "box.toml", "--update", "app"])
        .success();
    assert_eq!(output.text(), "box/3: app 1 -> 2\n");
    bench.bake().success();
    assert_eq!(
        bench.sh("cat /usr/share/app/version /usr/share/library/version"),
        "2\n1\n"
    );
    // All of them.
    let output = bench
        .racker(&["lock", "box.toml", "--update", "--json"])
        .success();
    let changes = output.json();
    let changes: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["step"] == "box/3")
        .collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (&changes[0]["name"], &changes[0]["new"]),
        (&"library".into(), &"2".into())
    );
    bench.bake().success();
    assert_eq!(
        bench.sh("cat /usr/share/app/version /usr/share/library/version"),
        "2\n2\n"
    );
    bench
        .racker(&["lock", "box.toml", "--update", "nosuch"])
        .code(2)
        .one_message()
        .says("nosuch");
}

#[test]
fn a_step_that_asks_for_more_keeps_what_it_had() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    bench.app("2");
    bench.library("2");
    bench.archive.publish();
    // The state of the archive that the lock was made from is known still.
    bench.recipe("[[step]]\npackages = [\"app\", \"extra\"]\n");
    bench
        .racker(&["bake", "--locked", "box.toml"])
        .code(1)
        .says("asks for other packages");
    let before = bench.archive.files.requests();
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/*/version"), "1\n1\n1\n");
    // Only the file that was not there yet is asked for.
    assert_eq!(bench.archive.files.requests(), before + 1);
}

#[test]
fn what_means_the_same_makes_no_step_again() {
    let bench = Bench::new();
    bench.recipe("[[step]]\npackages = [\"app\", \"extra\"]\n");
    bench.bake().success();
    let tree = bench.tree();
    let all = |output: &super::Output| output.made().is_empty();
    for steps in [
        "# a comment\n\n[[step]]\npackages = [ \"app\",\n  \"extra\" ]   # and another\n",
        "[[step]]\npackages = [\"extra\", \"app\"]\n",
        "[[step]]\npackages = { recommends = false, install = [\"app\", \"extra\"] }\n",
    ] {
        bench.recipe(steps);
        let output = bench.bake().success();
        assert!(all(&output), "{steps}: {}", output.report());
    }
    // Another mirror in the lock, its lines in another order.
    let lock = bench
        .lock()
        .replace("http://127.0.0.1", "http://mirror.test");
    let (head, sections) = lock.split_once("\n[[section]]").unwrap();
    let mut sections: Vec<&str> = sections.split("\n[[section]]").collect();
    sections.reverse();
    let text = format!("{head}\n[[section]]{}", sections.join("\n\n[[section]]"));
    bench.kitchen.write("box.lock", &text);
    let output = bench.bake().success();
    assert!(all(&output), "{}", output.report());
    assert_eq!(bench.tree(), tree);
}

#[test]
fn recommends_versions_and_removal() {
    let bench = Bench::new();
    bench.archive.add(&Deb {
        name: "older",
        version: "1:1.5-1",
        ..Deb::default()
    });
    bench.archive.publish();
    bench.recipe(
        "[[step]]\napt = { install = [\"app\", \"older=1:1.*\"], recommends = true }\n\
         [[step]]\napt = { remove = [\"app\"] }\n",
    );
    bench.bake().success();
    assert_eq!(bench.sh("ls /usr/share/app/version 2>&1 | head -1; cat /usr/share/extra/version /usr/share/older/version"),
        "ls: cannot access '/usr/share/app/version': No such file or directory\n1\n1:1.5-1\n");
    bench.recipe("[[step]]\napt = [\"older=2*\"]\n");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("has no version `2*`");
}

#[test]
fn a_virtual_package_is_told_from_a_misspelt_one() {
    let bench = Bench::new();
    for name in ["small-editor", "large-editor"] {
        bench.archive.add(&Deb {
            name,
            version: "1",
            fields: "Provides: some-editor\n",
            ..Deb::default()
        });
    }
    bench.archive.publish();
    bench.recipe("[[step]]\npackages = [\"some-editor\"]\n");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("package `some-editor` is a virtual one")
        .says("hint: name one that provides it: large-editor, small-editor");
}

#[test]
fn debconf_is_answered() {
    let bench = Bench::new();
    bench.archive.add(&Deb {
        name: "painted",
        version: "1",
        templates: "Template: painted/colour\nType: select\nChoices: red, green, dark blue\n\
                    Default: red\nDescription: which colour\n",
        postinst: ". /usr/share/debconf/confmodule\ndb_get painted/colour\n\
                   echo \"$RET\" > /usr/share/painted/colour",
        ..Deb::default()
    });
    bench.archive.publish();
    let colour = "cat /usr/share/painted/colour";
    bench.recipe("[[step]]\napt = { install = [\"painted\"] }\n");
    bench.bake().success();
    assert_eq!(bench.sh(colour), "red\n");
    let answer = "debconf = { \"painted/colour\" = \"select dark blue\" }";
    bench.recipe(&format!(
        "[[step]]\napt = {{ install = [\"painted\"], {answer} }}\n"
    ));
    bench.bake().success();
    assert_eq!(bench.sh(colour), "dark blue\n");
}

/// What apt takes for an order is a name here.
#[test]
fn signs_at_the_end_of_a_name() {
    let bench = Bench::new();
    bench.archive.add(&Deb {
        name: "more+",
        version: "1",
        ..Deb::default()
    });
    bench.archive.publish();
    bench.recipe("[[step]]\napt = [\"more+\"]\n");
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/more+/version"), "1\n");
    bench.recipe("[[step]]\napt = [\"app+\"]\n");
    let refused = bench.bake().code(100).one_message();
    refused.says("unknown package `app+`");
    bench.recipe("[[step]]\napt = [\"less-\"]\n");
    bench.bake().code(100).one_message().says("`less-`");
}

#[test]
fn a_package_file_of_the_recipe() {
    let bench = Bench::new();
    let deb = |version| Deb {
        name: "mine",
        version,
        fields: "Depends: library\n",
        ..Deb::default()
    };
    build(&deb("1.0"), &bench.kitchen.path("mine.deb"));
    bench.recipe("[[step]]\npackages = [\"./mine.deb\"]\n");
    bench.bake().success();
    let script =
        "cat /usr/share/mine/version /usr/share/library/version; apt-mark showmanual mine library";
    assert_eq!(bench.sh(script), "1.0\n1\nmine\n");
    assert!(!bench.lock().contains("name = \"mine\""));
    assert!(bench.bake().success().made().is_empty());
    // Another file is another step, though its name is the same.
    build(&deb("1.1"), &bench.kitchen.path("mine.deb"));
    let output = bench.bake().success();
    assert_eq!(output.made(), ["box/3"], "{}", output.report());
    assert!(bench.sh(script).starts_with("1.1\n"));
    bench.recipe("[[step]]\npackages = [\"mine.deb\"]\n");
    bench
        .bake()
        .code(2)
        .says("`mine.deb` is no package")
        .says("./mine.deb");
    bench.recipe("[[step]]\npackages = [\"./gone.deb\"]\n");
    bench.bake().code(2).one_message().says("gone.deb");
}

#[test]
fn a_second_step_sees_the_same_archive() {
    let bench = Bench::new();
    bench.recipe("[[step]]\npackages = [\"library\"]\n[[step]]\npackages = [\"app\"]\n");
    let output = bench.bake().success();
    assert_eq!(output.made(), ["box/1", "box/2", "box/3", "box/4"]);
    let lock = bench.lock();
    let metadata = |step: &str| {
        let section = lock
            .split("[[section]]")
            .find(|it| it.contains(step))
            .unwrap();
        section
            .lines()
            .find(|line| line.starts_with("metadata"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(metadata("\"box/3\""), metadata("\"box/4\""));
    assert_ne!(metadata("\"box/3\""), metadata("\"quickstart/1\""));
}
