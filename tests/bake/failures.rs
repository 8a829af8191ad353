//! Steps that fail, and what is said then.

use std::fs;
use std::path::Path;

use super::makes;
use super::support::{Kitchen, shared, tool};

#[test]
fn a_script_that_fails() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "fails.toml",
        "[[step]]\nrun = \"echo fine > /fine\"\n\
         [[step]]\nrun = \"\"\"\nfor i in $(seq 50); do echo line $i; done\nfalse\necho not reached\n\"\"\"\n",
    );
    let output = kitchen.bake("fails.toml").code(100).one_message();
    let output = output
        .says("step fails/2 failed with exit code 1")
        .says("| line 50");
    assert!(
        !output.stderr.contains("not reached"),
        "{}",
        output.report()
    );
    assert!(
        !output.stderr.contains("| line 1\n"),
        "the last lines are enough\n{}",
        output.report()
    );
    // The log is named, is there, and has everything.
    let (start, rest) = output.stderr.rsplit_once('(').unwrap();
    assert!(start.contains("racker log fails/2"), "{}", output.report());
    let log = Path::new(rest.split_once(')').unwrap().0);
    assert!(fs::read_to_string(log).unwrap().contains("line 1\n"));
    let kept = kitchen.racker.run(&["log", "fails/2"]).success();
    assert!(kept.text().contains("line 1\n") && kept.text().contains("line 50\n"));
    kitchen.racker.verify();
    // What was made before it is found.
    let output = kitchen.bake("fails.toml").code(100);
    assert_eq!(output.cached(), ["fails/1"]);
    kitchen
        .racker
        .run(&["inspect", "fails"])
        .code(1)
        .says("no such object");
    kitchen.replace("fails.toml", "false\n", "");
    makes(&kitchen, "fails.toml", &["fails/2"], &["fails/1"]);
    kitchen.racker.verify();
}

#[test]
fn a_last_line_without_end_is_cut() {
    let kitchen = Kitchen::new();
    let script = "head -c 3000000 /dev/zero | tr '\\\\0' x; exit 3";
    kitchen.recipe("long.toml", &format!("[[step]]\nrun = \"{script}\"\n"));
    let output = kitchen.bake("long.toml").code(100).one_message();
    let line = output.stderr.lines().find(|it| it.starts_with("  | xxx"));
    let line = line.unwrap_or_else(|| panic!("{}", output.report()));
    assert!(line.len() < 500 && line.contains("… ("), "{line}");
}

#[test]
fn a_script_that_takes_too_long() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "slow.toml",
        "[[step]]\nrun = { script = \"echo started; sleep 1000\", timeout = \"1s\" }\n",
    );
    let output = kitchen.bake("slow.toml").code(101).one_message();
    output
        .says("slow/1")
        .says("1 s")
        .says("hint:")
        .says("racker log slow/1");
    assert!(
        kitchen
            .racker
            .run(&["log", "slow/1"])
            .success()
            .text()
            .contains("started\n")
    );
    kitchen.racker.verify();
}

#[test]
fn an_unknown_package() {
    let directory = super::support::temporary();
    let racker = shared().clone().at(directory.path());
    let base = super::support::repository().join("recipes/quickstart.toml");
    fs::write(
        directory.path().join("test-unknown.toml"),
        format!(
            "from = \"{}\"\n[[step]]\npackages = [\"no-such-package\"]\n",
            base.display()
        ),
    )
    .unwrap();
    fs::copy(
        super::support::shared_lock(),
        directory.path().join("test-unknown.lock"),
    )
    .unwrap();
    let output = racker.run(&["bake", "test-unknown.toml"]).one_message();
    assert!(matches!(output.code, Some(1 | 100)), "{}", output.report());
    output.says("no-such-package").says("hint:");
}

#[test]
fn packages_without_a_package_manager() {
    let kitchen = Kitchen::new();
    kitchen.recipe("no.toml", "[[step]]\npackages = [\"hello\"]\n");
    let output = kitchen.bake("no.toml").one_message();
    assert!(matches!(output.code, Some(1 | 100)), "{}", output.report());
    output.says("no package manager");
    kitchen.recipe("no.toml", "[[step]]\nunits = { enable = [\"hello\"] }\n");
    kitchen
        .bake("no.toml")
        .code(100)
        .one_message()
        .says("systemctl");
    kitchen.racker.verify();
}

#[test]
fn mistakes_in_a_recipe_are_pointed_at() {
    let kitchen = Kitchen::new();
    for (text, place, word) in [
        ("from = \"scratch\"\nnmae = \"x\"\n", "2:1", "`name`"),
        ("from = 3\n", "1:8", "from"),
        (
            "from = \"scratch\"\n[[step]]\nrnu = \"x\"\n",
            "3:1",
            "`run`",
        ),
        (
            "from = \"scratch\"\n[[step]]\nrun = \"a\"\npackages = []\n",
            "",
            "one key",
        ),
        (
            "from = \"scratch\"\n[[step]]\nrun = \"${gone}\"\n",
            "3:8",
            "gone",
        ),
        (
            "from = \"scratch\"\n[[step]]\nrun = { script = \"x\", timeout = \"soon\" }\n",
            "3:33",
            "soon",
        ),
        ("from = \"scratch\"\nname = \"Upper\"\n", "2:8", "Upper"),
        ("from = \"scratch\"\nfrom = \"scratch\"\n", "2:1", "from"),
        ("name = \"x\"\n", "", "from"),
        ("from = \"scratch\n", "1:", ""),
        (
            "from = \"scratch\"\n[[step]]\ncopy = { from = \"a\", to = \"relative\" }\n",
            "3:",
            "relative",
        ),
        (
            "from = \"scratch\"\n[[step]]\ncopy = { from = \"/etc/passwd\", to = \"/x\" }\n",
            "3:",
            "/etc/passwd",
        ),
        (
            "from = \"scratch\"\n[[step]]\ncopy = { from = \"../up\", to = \"/x\" }\n",
            "3:",
            "../up",
        ),
    ] {
        kitchen.write("wrong.toml", text);
        for verb in ["bake", "plan"] {
            let output = kitchen.racker.run(&[verb, "wrong.toml"]).code(2);
            assert_eq!(output.text(), "", "{}", output.report());
            let output = output.says(&format!("wrong.toml:{place}")).says(word);
            assert!(output.stderr.starts_with("error"), "{}", output.report());
        }
    }
    // All of them at once.
    kitchen.write(
        "wrong.toml",
        "from = \"scratch\"\nnmae = \"x\"\n[[step]]\nrnu = \"x\"\n",
    );
    kitchen
        .bake("wrong.toml")
        .code(2)
        .says("wrong.toml:2:1")
        .says("wrong.toml:4:1");
    assert_eq!(
        super::support::names(&kitchen.path("store/roots/images")),
        Vec::<String>::new()
    );
}

#[test]
fn what_the_machine_lacks_is_named_with_its_package() {
    let kitchen = Kitchen::new();
    kitchen.recipe("one.toml", "[[step]]\nrun = \"true\"\n");
    let output = kitchen
        .racker
        .without("systemd-nspawn", &["bake", "one.toml"])
        .one_message();
    assert!(matches!(output.code, Some(1 | 100)), "{}", output.report());
    output
        .says("systemd-nspawn")
        .says("apt-get install systemd-container");
    kitchen.write(
        "boot.toml",
        "from = { bootstrap = \"debian\", suite = \"bookworm\" }\n",
    );
    let output = kitchen
        .racker
        .without("mmdebstrap", &["bake", "boot.toml"])
        .one_message();
    assert!(matches!(output.code, Some(1 | 100)), "{}", output.report());
    output.says("mmdebstrap").says("apt-get install mmdebstrap");
    kitchen.racker.verify();
    let output = kitchen.racker.without("systemd-nspawn", &["doctor"]);
    assert!(
        output.text().contains("apt-get install systemd-container"),
        "{}",
        output.report()
    );
}

#[test]
fn a_full_disk() {
    // The store lies on a file system that only racker sees; what it is then is copied out.
    const SCRIPT: &str = "mkdir disk
        mount -t tmpfs -o size=$1,nr_inodes=$2 none disk
        code=0
        \"$3\" --store disk/store bake full.toml || code=$?
        test ! -e disk/store || cp -a disk/store copy
        mount -o remount,size=1g,nr_inodes=100000 disk
        \"$3\" --quiet --store disk/store bake full.toml
        cp -a disk/store later
        exit $code";
    let mut refused = 0;
    for (size, inodes) in [
        ("100k", "100000"),
        ("1m", "100000"),
        ("4m", "100000"),
        ("8m", "100000"),
        ("9m", "100000"),
        ("12m", "100000"),
        ("16m", "100000"),
        ("20m", "100000"),
        ("24m", "100000"),
        ("1g", "100"),
        ("1g", "300"),
        ("1g", "320"),
        ("1g", "400"),
        ("1g", "100000"),
    ] {
        let kitchen = Kitchen::new();
        kitchen.recipe(
            "full.toml",
            "[[step]]\nrun = \"head -c 6M /dev/urandom > /big; for i in $(seq 99); do echo $i > /f$i; done\"\n\
             [[step]]\nrun = \"cat /big /big > /bigger\"\n",
        );
        let mut command = kitchen.racker.surround(tool("unshare", "util-linux"));
        command.args(["--mount", "sh", "-ec", SCRIPT, "sh", size, inodes]);
        command.arg(env!("CARGO_BIN_EXE_racker"));
        let output = kitchen.racker.finish(command);
        if kitchen.path("copy/meta.toml").exists() {
            super::support::verify(&kitchen.path("copy"));
        }
        // With room again, all goes on.
        assert!(kitchen.path("later").exists(), "{}", output.report());
        super::support::verify(&kitchen.path("later"));
        if output.code == Some(0) {
            continue;
        }
        refused += 1;
        assert!(
            matches!(output.code, Some(1 | 100)),
            "{size} {inodes}\n{}",
            output.report()
        );
        let said = output.stderr.to_lowercase();
        assert!(
            said.contains("no space left") || said.contains("disk is full"),
            "{size} {inodes}\n{}",
            output.report()
        );
        assert!(!said.contains("panicked"), "{}", output.report());
    }
    assert!((8..14).contains(&refused), "{refused} of 14 bakes failed");
}

/// Before the step's command runs there is systemd-nspawn, which has things to say too.
#[test]
fn what_systemd_nspawn_does_not_like() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "odd.toml",
        "normalise = { machine-id = false }
        [[step]]\nrun = \"echo nonsense > /etc/machine-id\"\n[[step]]\nrun = \"true\"\n",
    );
    kitchen
        .bake("odd.toml")
        .code(1)
        .one_message()
        .says("could not start the container")
        .says("machine ID");
    kitchen.racker.verify();
}

#[test]
fn files_that_are_not_there_are_told_first() {
    let kitchen = Kitchen::new();
    for (step, says) in [
        (
            "copy = { from = \"nothere\", to = \"/x\" }",
            "nothere: No such file",
        ),
        (
            "copy = { from = \"./*.txt\", to = \"/x\" }",
            "patterns have no meaning",
        ),
        (
            "packages = [\"./nothere.deb\"]",
            "nothere.deb: No such file",
        ),
    ] {
        kitchen.recipe(
            "late.toml",
            &format!("[[step]]\nrun = \"echo made > /made\"\n[[step]]\n{step}\n"),
        );
        let output = kitchen.bake("late.toml").code(2).one_message();
        let output = output.says("step late/2: cannot read ").says(says);
        assert!(output.made().is_empty(), "{}", output.report());
    }
}

/// In an archive it would mean that a file of the layer below is gone.
#[test]
fn a_name_that_no_archive_can_hold() {
    let kitchen = Kitchen::new();
    kitchen.recipe("strange.toml", "[[step]]\nrun = \"echo > /usr/.wh.x\"\n");
    let output = kitchen.bake("strange.toml").one_message();
    output.says("/usr/.wh.x").says("whiteout in an archive");
    kitchen.racker.verify();
}
