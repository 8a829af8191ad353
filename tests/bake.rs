//! `racker bake`, `plan`, `why` and `log`: what is made again and what is not, and what is said
//! where something is wrong.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use sha2::Digest as _;

mod support;

use support::{Kitchen, Output, execute, mini, shared, snapshot, tool};

/// Three steps on top of the small root filesystem.
const THREE: &str = r#"
[args]
word = "first"

[[step]]
run = "echo one > /one"

[[step]]
copy = { from = "file", to = "/copied" }

[[step]]
run = "echo ${word} > /three"
"#;

/// A kitchen in which [`THREE`] was baked.
fn three() -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.write("file", "content\n");
    kitchen.recipe("three.toml", THREE);
    let output = kitchen.bake("three.toml").success();
    assert_eq!(
        output.made(),
        ["three/1", "three/2", "three/3"],
        "{}",
        output.report()
    );
    kitchen
}

/// What the file `path` of the image has in it.
fn file(kitchen: &Kitchen, image: &str, path: &str) -> String {
    kitchen
        .racker
        .run(&["run", image, "cat", path])
        .success()
        .text()
        .to_owned()
}

fn tree(kitchen: &Kitchen, image: &str) -> String {
    let all = kitchen.racker.run(&["inspect", image]).success().json();
    all[0]["tree_id"].as_str().unwrap().to_owned()
}

/// Bakes, and fails unless exactly these steps were made and all others found.
#[track_caller]
fn makes(kitchen: &Kitchen, recipe: &str, made: &[&str], cached: &[&str]) -> Output {
    let output = kitchen.bake(recipe).success();
    assert_eq!(output.made(), made, "{}", output.report());
    assert_eq!(output.cached(), cached, "{}", output.report());
    output
}

#[test]
fn the_second_bake_finds_everything_and_writes_nothing() {
    let kitchen = three();
    let before = snapshot(kitchen.racker.store());
    let lock = fs::read(kitchen.path("three.lock")).unwrap();
    let output = makes(
        &kitchen,
        "three.toml",
        &[],
        &["three/1", "three/2", "three/3"],
    );
    assert_eq!(
        output.text(),
        format!("three {}\n", tree(&kitchen, "three"))
    );
    assert_eq!(snapshot(kitchen.racker.store()), before);
    assert_eq!(fs::read(kitchen.path("three.lock")).unwrap(), lock);
    kitchen.racker.verify();
}

#[test]
fn quickstart_is_found_again_and_only_what_changes_is_made() {
    let steps = [
        "debian-bookworm/bootstrap",
        "quickstart/1",
        "quickstart/2",
        "quickstart/3",
    ];
    let kitchen = Kitchen::with_quickstart();
    // The copy of the store first gets what a store makes for itself.
    makes(&kitchen, "quickstart.toml", &[], &steps);
    let before = snapshot(kitchen.racker.store());
    makes(&kitchen, "quickstart.toml", &[], &steps);
    assert_eq!(snapshot(kitchen.racker.store()), before);

    kitchen.replace(
        "quickstart.toml",
        "[args]",
        "# a comment\n[args]   # and another\n\n",
    );
    makes(&kitchen, "quickstart.toml", &[], &steps);
    assert_eq!(snapshot(kitchen.racker.store()), before);

    kitchen.replace("quickstart.toml", "run = \"sed", "run = \"true; sed");
    // Another key, but the same tree.
    let old = tree(&kitchen, "quickstart");
    makes(&kitchen, "quickstart.toml", &steps[3..], &steps[..3]);
    assert_eq!(tree(&kitchen, "quickstart"), old);

    kitchen.replace(
        "quickstart/index.html",
        "@GREETING@",
        "@GREETING@<p>more</p>",
    );
    makes(&kitchen, "quickstart.toml", &steps[2..], &steps[..2]);
    assert_ne!(tree(&kitchen, "quickstart"), old);
    let page = file(&kitchen, "quickstart", "/var/www/html/index.html");
    assert!(
        page.contains("<p>more</p>") && page.contains("hello from racker"),
        "{page}"
    );
    kitchen.racker.verify();
}

#[test]
fn a_comment_changes_nothing() {
    let kitchen = three();
    let before = snapshot(kitchen.racker.store());
    kitchen.replace("three.toml", "[args]", "# a comment\n[args]");
    makes(
        &kitchen,
        "three.toml",
        &[],
        &["three/1", "three/2", "three/3"],
    );
    assert_eq!(snapshot(kitchen.racker.store()), before);
}

#[test]
fn a_step_that_changes_is_made_with_those_that_follow() {
    let kitchen = three();
    kitchen.replace("three.toml", "${word} >", "${word} again >");
    makes(
        &kitchen,
        "three.toml",
        &["three/3"],
        &["three/1", "three/2"],
    );
    assert_eq!(file(&kitchen, "three", "/three"), "first again\n");
    kitchen.replace("three.toml", "echo one", "echo 1");
    makes(
        &kitchen,
        "three.toml",
        &["three/1", "three/2", "three/3"],
        &[],
    );
    assert_eq!(file(&kitchen, "three", "/one"), "1\n");
    // Back again: what was made once is found.
    kitchen.replace("three.toml", "echo 1", "echo one");
    makes(
        &kitchen,
        "three.toml",
        &[],
        &["three/1", "three/2", "three/3"],
    );
    assert_eq!(file(&kitchen, "three", "/one"), "one\n");
}

#[test]
fn a_step_is_found_in_another_recipe() {
    let kitchen = three();
    fs::copy(kitchen.path("three.toml"), kitchen.path("other.toml")).unwrap();
    makes(
        &kitchen,
        "other.toml",
        &[],
        &["other/1", "other/2", "other/3"],
    );
    assert_eq!(tree(&kitchen, "other"), tree(&kitchen, "three"));
}

#[test]
fn a_copied_file_that_changes() {
    let kitchen = three();
    kitchen.write("file", "other content\n");
    makes(
        &kitchen,
        "three.toml",
        &["three/2", "three/3"],
        &["three/1"],
    );
    assert_eq!(file(&kitchen, "three", "/copied"), "other content\n");
    // Neither its time nor the umask of whoever made it goes into the image.
    execute(
        Command::new("touch")
            .args(["-d", "2001-01-01"])
            .arg(kitchen.path("file")),
    );
    execute(Command::new("chmod").arg("600").arg(kitchen.path("file")));
    makes(
        &kitchen,
        "three.toml",
        &[],
        &["three/1", "three/2", "three/3"],
    );
    // But the execute bit does.
    execute(Command::new("chmod").arg("755").arg(kitchen.path("file")));
    makes(
        &kitchen,
        "three.toml",
        &["three/2", "three/3"],
        &["three/1"],
    );
}

#[test]
fn an_equal_output_cuts_off_what_follows() {
    let kitchen = three();
    kitchen.replace("three.toml", "echo one", "true; echo one");
    makes(
        &kitchen,
        "three.toml",
        &["three/1"],
        &["three/2", "three/3"],
    );

    // A copied file of which the next step leaves nothing.
    const GONE: &str = "[[step]]\ncopy = { from = \"file\", to = \"/copied\" }\n\
        [[step]]\nrun = \"rm /copied\"\n[[step]]\nrun = \"echo last > /last\"\n";
    kitchen.recipe("gone.toml", GONE);
    kitchen.bake("gone.toml").success();
    kitchen.write("file", "something else\n");
    makes(&kitchen, "gone.toml", &["gone/1", "gone/2"], &["gone/3"]);
}

#[test]
fn an_argument_reaches_the_steps_that_use_it() {
    let kitchen = three();
    let output = kitchen
        .racker
        .run(&["bake", "three.toml", "--set", "word=second"])
        .success();
    assert_eq!(output.made(), ["three/3"]);
    assert_eq!(file(&kitchen, "three", "/three"), "second\n");
    makes(
        &kitchen,
        "three.toml",
        &[],
        &["three/1", "three/2", "three/3"],
    );
    assert_eq!(file(&kitchen, "three", "/three"), "first\n");
    let output = kitchen
        .racker
        .run(&["bake", "three.toml", "--set", "wrod=x"]);
    output.code(2).says("wrod").says("word");
    kitchen
        .racker
        .run(&["bake", "three.toml", "--set", "word"])
        .code(2);
}

#[test]
fn no_cache_makes_everything_again_and_the_same() {
    let kitchen = three();
    let old = tree(&kitchen, "three");
    let output = kitchen
        .racker
        .run(&["bake", "--no-cache", "three.toml"])
        .success();
    assert_eq!(output.made(), ["three/1", "three/2", "three/3"]);
    assert_eq!(tree(&kitchen, "three"), old);
    kitchen.racker.verify();
}

#[test]
fn plan_shows_what_is_there_and_builds_nothing() {
    let kitchen = Kitchen::new();
    kitchen.write("file", "content\n");
    kitchen.recipe("three.toml", THREE);
    let plan = |cached: &[bool]| {
        let output = kitchen
            .racker
            .run(&["plan", "three.toml", "--json"])
            .success();
        let all = output.json();
        let found: Vec<bool> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["cached"] == true)
            .collect();
        assert_eq!(found, cached, "{}", output.report());
        all
    };
    plan(&[false, false, false]);
    assert!(!kitchen.path("three.lock").exists());
    kitchen.bake("three.toml").success();
    let before = snapshot(kitchen.racker.store());
    let all = plan(&[true, true, true]);
    assert_eq!(all[2]["tree"], tree(&kitchen, "three").as_str());
    kitchen.write("file", "changed\n");
    let all = plan(&[true, false, false]);
    assert_eq!(all[1]["key"].as_str().unwrap().len(), 64);
    assert!(all[2]["key"].is_null(), "its parent is not known yet");
    let text = kitchen.racker.run(&["plan", "three.toml"]).success();
    for part in [
        "cached",
        "to do",
        "depends on three/2",
        &all[0]["key"].as_str().unwrap()[..12],
    ] {
        assert!(text.text().contains(part), "{part}\n{}", text.report());
    }
    assert_eq!(snapshot(kitchen.racker.store()), before);
}

#[test]
fn why_names_the_field_that_changed() {
    let kitchen = three();
    let why = |step: usize| {
        let output = kitchen.racker.run(&["why", "three.toml"]).success();
        let all: Vec<String> = output
            .text()
            .lines()
            .skip(1)
            .step_by(2)
            .map(|line| line.trim().to_owned())
            .collect();
        assert_eq!(all.len(), 3, "{}", output.report());
        all[step - 1].clone()
    };
    assert_eq!(why(3), "cached");
    kitchen.replace("three.toml", "${word} >", "${word} again >");
    assert!(why(3).contains("script"), "{}", why(3));
    kitchen.write("file", "changed\n");
    assert!(why(2).contains("file"), "{}", why(2));
    assert_eq!(why(3), "depends on step three/2");
    kitchen.replace("three.toml", "[args]", "env = { LANG = \"C\" }\n[args]");
    assert!(why(1).contains("LANG"), "{}", why(1));
    let json = kitchen
        .racker
        .run(&["why", "three.toml", "--json"])
        .success()
        .json();
    assert_eq!(json[0]["why"]["changed"][0]["field"], "env");
    kitchen.recipe("new.toml", "[[step]]\nrun = \"echo new\"\n");
    let output = kitchen.racker.run(&["why", "new.toml"]).success();
    assert!(output.text().contains("never built") || output.text().contains("depends on"));
}

#[test]
fn the_log_of_a_step_is_kept() {
    let kitchen = Kitchen::new();
    kitchen.recipe("log.toml", "[[step]]\nrun = \"echo out; echo err >&2\"\n");
    kitchen.bake("log.toml").success();
    for what in ["log/1", "log.toml", "log"] {
        let output = kitchen.racker.run(&["log", what]).success();
        assert!(
            output.text().contains("out\n") && output.text().contains("err\n"),
            "{what}"
        );
    }
    kitchen.bake("log.toml").success();
    assert!(
        kitchen
            .racker
            .run(&["log", "log/1"])
            .success()
            .text()
            .contains("out\n")
    );
    kitchen
        .racker
        .run(&["log", "log/9"])
        .code(1)
        .one_message()
        .says("hint:");
}

#[test]
fn two_recipes_in_one_call() {
    let kitchen = Kitchen::new();
    kitchen.recipe("left.toml", "[[step]]\nrun = \"echo left > /side\"\n");
    kitchen.recipe("right.toml", "[[step]]\nrun = \"echo right > /side\"\n");
    let output = kitchen
        .racker
        .run(&["bake", "left.toml", "right.toml", "--json"])
        .success();
    assert_eq!(
        (&output.json()[0]["name"], &output.json()[1]["name"]),
        (&"left".into(), &"right".into())
    );
    assert_eq!(file(&kitchen, "left", "/side"), "left\n");
    assert_eq!(file(&kitchen, "right", "/side"), "right\n");
    // One that fails does not keep the other from being baked.
    kitchen.recipe("bad.toml", "[[step]]\nrun = \"exit 7\"\n");
    kitchen.recipe("good.toml", "[[step]]\nrun = \"echo good > /side\"\n");
    kitchen
        .racker
        .run(&["bake", "bad.toml", "good.toml"])
        .code(100)
        .says("bad/1");
    assert_eq!(file(&kitchen, "good", "/side"), "good\n");
    // The same step in both is made once.
    kitchen.recipe(
        "a.toml",
        "[[step]]\nrun = \"sleep 0.3; echo same > /same\"\n",
    );
    kitchen.recipe(
        "b.toml",
        "[[step]]\nrun = \"sleep 0.3; echo same > /same\"\n",
    );
    let output = kitchen.racker.run(&["bake", "a.toml", "b.toml"]).success();
    assert_eq!(
        (output.made().len(), output.cached().len()),
        (1, 1),
        "{}",
        output.report()
    );
    kitchen.racker.verify();
}

#[test]
fn two_bakes_of_one_recipe_at_once() {
    let kitchen = Kitchen::new();
    kitchen.write("file", "content\n");
    kitchen.recipe("three.toml", THREE);
    let outputs: Vec<Output> = thread::scope(|scope| {
        let bakes: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| kitchen.bake("three.toml")))
            .collect();
        bakes.into_iter().map(|bake| bake.join().unwrap()).collect()
    });
    let made: usize = outputs
        .iter()
        .map(|output| output.clone().success().made().len())
        .sum();
    assert_eq!(made, 3, "each step is made once");
    kitchen.racker.verify();
}

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
        .says("no such image");
    kitchen.replace("fails.toml", "false\n", "");
    makes(&kitchen, "fails.toml", &["fails/2"], &["fails/1"]);
    kitchen.racker.verify();
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
    let directory = support::temporary();
    let racker = shared().clone().at(directory.path());
    let base = support::repository().join("recipes/quickstart.toml");
    fs::write(
        directory.path().join("test-unknown.toml"),
        format!(
            "from = \"{}\"\n[[step]]\npackages = [\"no-such-package\"]\n",
            base.display()
        ),
    )
    .unwrap();
    fs::copy(
        support::shared_lock(),
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
fn a_base_that_is_not_there() {
    let kitchen = Kitchen::new();
    for from in [
        "./none.tar",
        "./none.tar.gz",
        "oci:none",
        "docker-archive:none.tar",
    ] {
        kitchen.write("base.toml", &format!("from = \"{from}\"\n"));
        let output = kitchen.bake("base.toml").one_message().says("none");
        assert!(matches!(output.code, Some(1 | 2)), "{}", output.report());
    }
    kitchen.write("base.toml", "from = \"./none.toml\"\n");
    kitchen.bake("base.toml").code(2).says("none.toml");
    kitchen
        .bake("missing.toml")
        .code(2)
        .one_message()
        .says("missing.toml");
    kitchen.racker.verify();
}

#[test]
fn a_base_that_is_broken() {
    let kitchen = Kitchen::new();
    kitchen.write("text.tar", "this is no archive\n");
    let whole = fs::read(mini()).unwrap();
    fs::write(kitchen.path("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    fs::write(kitchen.path("empty.tar.gz"), "").unwrap();
    for from in ["text.tar", "cut.tar", "empty.tar.gz"] {
        kitchen.write("base.toml", &format!("from = \"./{from}\"\n"));
        kitchen.bake("base.toml").code(1).one_message().says(from);
        kitchen.racker.verify();
    }
}

#[test]
fn a_registry_that_cannot_be_reached() {
    let kitchen = Kitchen::new();
    kitchen.write("net.toml", "from = \"127.0.0.1:1/some/image:tag\"\n");
    let output = kitchen.bake("net.toml").code(1).one_message();
    output.says("127.0.0.1:1").says("hint:");
    let output = kitchen
        .racker
        .run(&["pull", "127.0.0.1:1/some/image:tag"])
        .code(1)
        .one_message();
    output.says("127.0.0.1:1").says("hint:");
    let output = kitchen
        .racker
        .run(&["--offline", "bake", "net.toml"])
        .code(1)
        .one_message();
    output.says("hint:");
    kitchen.racker.verify();
}

#[test]
fn a_root_filesystem_with_another_digest() {
    let kitchen = Kitchen::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    let from = |digest: &str| {
        format!(
            "from = {{ rootfs = \"{}\", digest = \"{digest}\" }}\n",
            mini().display()
        )
    };
    kitchen.write("root.toml", &from(&digest));
    kitchen
        .bake("root.toml")
        .code(102)
        .one_message()
        .says(&digest)
        .says("hint:");
    kitchen.racker.verify();
    let right = sha2::Sha256::digest(fs::read(mini()).unwrap());
    let right = racker_store::Digest::from_bytes(right.into()).hex();
    kitchen.write("root.toml", &from(&format!("sha256:{right}")));
    kitchen.bake("root.toml").success();
}

/// Serves `body` to everybody who asks, and says where.
fn serve(body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream
                .get_mut()
                .write_all(&[head.as_bytes(), body].concat());
        }
    });
    format!("http://{address}/dir/tool.sh")
}

#[test]
fn fetched_files() {
    let kitchen = Kitchen::new();
    let url = serve(b"#!/bin/sh\necho fetched\n");
    let wrong = "0".repeat(64);
    kitchen.recipe(
        "fetch.toml",
        &format!(
            "[[step]]\nfetch = {{ url = \"{url}\", to = \"/opt/\", digest = \"sha256:{wrong}\" }}\n"
        ),
    );
    kitchen
        .bake("fetch.toml")
        .code(102)
        .one_message()
        .says(&wrong)
        .says(&url);
    kitchen.racker.verify();
    kitchen.recipe(
        "fetch.toml",
        &format!("[[step]]\nfetch = {{ url = \"{url}\", to = \"/opt/\", mode = \"0755\" }}\n"),
    );
    makes(&kitchen, "fetch.toml", &["fetch/1"], &[]);
    assert!(
        fs::read_to_string(kitchen.path("fetch.lock"))
            .unwrap()
            .contains(&url)
    );
    let output = kitchen
        .racker
        .run(&["run", "fetch", "/opt/tool.sh"])
        .success();
    assert_eq!(output.text(), "fetched\n");
    // The lock has its digest, so nobody is asked again.
    let output = kitchen
        .racker
        .run(&["--offline", "bake", "fetch.toml"])
        .success();
    assert_eq!(output.cached(), ["fetch/1"]);
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
        support::names(&kitchen.path("store/roots/images")),
        Vec::<String>::new()
    );
}

#[test]
fn a_copied_file_stays_inside_the_directory() {
    let kitchen = Kitchen::new();
    kitchen.write(
        "copy.toml",
        "from = \"scratch\"\n[[step]]\ncopy = { from = \"link/passwd\", to = \"/x\" }\n",
    );
    std::os::unix::fs::symlink("/etc", kitchen.path("link")).unwrap();
    let output = kitchen.bake("copy.toml").one_message();
    assert!(matches!(output.code, Some(2 | 100)), "{}", output.report());
    kitchen.write(
        "copy.toml",
        "from = \"scratch\"\n[[step]]\ncopy = { from = \"none\", to = \"/x\" }\n",
    );
    let output = kitchen.bake("copy.toml").one_message().says("none");
    assert!(matches!(output.code, Some(2 | 100)), "{}", output.report());
    kitchen.racker.verify();
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
            support::verify(&kitchen.path("copy"));
        }
        // With room again, all goes on.
        support::verify(&kitchen.path("later"));
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

#[test]
fn root_filesystems_in_every_compression() {
    let kitchen = Kitchen::new();
    let plain = kitchen.path("root.tar");
    fs::copy(mini(), &plain).unwrap();
    for (program, package, options) in [
        ("gzip", "gzip", &["-k", "-1"][..]),
        ("xz", "xz-utils", &["-k", "-0"]),
        ("zstd", "zstd", &["-q", "-k", "-1"]),
    ] {
        execute(
            Command::new(tool(program, package))
                .args(options)
                .arg(&plain),
        );
    }
    fs::rename(kitchen.path("root.tar.zst"), kitchen.path("other.tar.zst")).unwrap();
    fs::copy(kitchen.path("root.tar.gz"), kitchen.path("root.tgz")).unwrap();
    let mut trees = Vec::new();
    for (number, name) in [
        "root.tar",
        "root.tar.gz",
        "root.tgz",
        "root.tar.xz",
        "other.tar.zst",
    ]
    .iter()
    .enumerate()
    {
        kitchen.write(
            &format!("r{number}.toml"),
            &format!("from = \"./{name}\"\n"),
        );
        kitchen.bake(&format!("r{number}.toml")).success();
        trees.push(tree(&kitchen, &format!("r{number}")));
    }
    trees.dedup();
    assert_eq!(trees.len(), 1);
    kitchen.racker.run(&["run", "r3", "true"]).success();
    kitchen.racker.verify();
}

#[test]
fn layouts_and_archives_as_base() {
    let kitchen = Kitchen::new();
    let layout = kitchen.path("layout");
    let image = format!("{}:tag", layout.display());
    let umoci = |arguments: &[&str]| {
        execute(
            Command::new(tool("umoci", "umoci"))
                .args(arguments)
                .current_dir(kitchen.path(".")),
        );
    };
    umoci(&["init", "--layout", "layout"]);
    umoci(&["new", "--image", &image]);
    umoci(&["unpack", "--image", &image, "bundle"]);
    execute(
        Command::new("tar")
            .args(["-C", "bundle/rootfs", "-xf"])
            .arg(mini())
            .current_dir(kitchen.path(".")),
    );
    umoci(&["repack", "--image", &image, "bundle"]);
    umoci(&[
        "config",
        "--image",
        &image,
        "--config.env",
        "FROM_LAYOUT=yes",
        "--config.cmd",
        "env",
    ]);
    execute(
        Command::new(tool("skopeo", "skopeo"))
            .args(["--insecure-policy", "copy", "-q"])
            .arg(format!("oci:{image}"))
            .arg(format!(
                "docker-archive:{}",
                kitchen.path("archive.tar").display()
            )),
    );
    kitchen.recipe("plain.toml", "");
    kitchen.bake("plain.toml").success();
    for (name, from) in [
        ("tagged", "oci:layout:tag"),
        ("untagged", "oci:layout"),
        ("archive", "docker-archive:archive.tar"),
    ] {
        kitchen.write(
            &format!("{name}.toml"),
            &format!("from = \"{from}\"\n[[step]]\nrun = \"true\"\n"),
        );
        kitchen.bake(&format!("{name}.toml")).success();
        makes(
            &kitchen,
            &format!("{name}.toml"),
            &[],
            &[&format!("{name}/1")],
        );
        let output = kitchen.racker.run(&["run", name]).success();
        assert!(
            output.text().contains("FROM_LAYOUT=yes\n"),
            "{}",
            output.report()
        );
        let output = kitchen
            .racker
            .run(&["run", name, "cat", "/etc/passwd"])
            .success();
        assert!(output.text().starts_with("root:x:0:0"));
    }
    kitchen.write("tagged.toml", "from = \"oci:layout:none\"\n");
    kitchen
        .bake("tagged.toml")
        .code(1)
        .one_message()
        .says("none");
    kitchen.racker.verify();
}

#[test]
fn a_step_can_be_anything_that_a_layer_can_hold() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "odd.toml",
        "[[step]]\nrun = '''\nmkdir -m 2755 \"/a b\"; echo x > \"/a b/new\nline\"; ln \"/a b/new\nline\" /hard\n\
         ln -s ../nowhere /soft; chown 33:34 /hard; chmod 4751 /hard; : > /empty; touch -h -d @1 /soft\n'''\n\
         [[step]]\nrun = \"rm -r '/a b'; rm /etc/group; mkdir /etc/group; rm -r /var; echo x > /var\"\n",
    );
    kitchen.bake("odd.toml").success();
    let script = "stat -c '%u:%g %a %h %F' /hard /soft /empty; stat -c '%u:%g %a %F' /etc/group /var; ls -d '/a b'";
    let output = kitchen.racker.run(&["run", "odd", "sh", "-c", script]);
    assert_eq!(
        output.text(),
        "33:34 4751 1 regular file\n0:0 777 1 symbolic link\n0:0 644 1 regular empty file\n\
         0:0 755 directory\n0:0 644 regular file\n",
        "{}",
        output.report()
    );
    kitchen.racker.verify();
}

#[test]
fn a_step_runs_in_the_surroundings_that_the_recipe_says() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "env.toml",
        "env = { A = \"of the recipe\", B = \"b\" }\n[[step]]\n\
         run = { script = \"echo $A $B $(pwd) $(id -u):$(id -g) > /tmp/out; ls /sys/class/net >> /tmp/out\", \
         env = { B = \"of the step\" }, workdir = \"/usr\", user = \"www\" }\n",
    );
    kitchen.bake("env.toml").success();
    let expected = "of the recipe of the step /usr 33:34\nlo\n";
    assert_eq!(file(&kitchen, "env", "/tmp/out"), expected);
    let output = kitchen.racker.run(&["run", "env", "env"]).success();
    assert!(output.text().contains("A=of the recipe\n") && output.text().contains("B=b\n"));
}

#[test]
fn images_are_listed_inspected_and_removed() {
    let kitchen = three();
    let output = kitchen.racker.run(&["images"]).success();
    assert!(
        output.text().starts_with("REPOSITORY"),
        "{}",
        output.report()
    );
    assert!(output.text().contains("three") && output.text().contains("latest"));
    let all = kitchen.racker.run(&["images", "--json"]).success().json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(
        (&all[0]["name"], &all[0]["reference"]),
        (&"three".into(), &"localhost/three:latest".into())
    );
    let history = kitchen.racker.run(&["history", "three"]).success();
    assert!(
        history.text().contains("run echo one"),
        "{}",
        history.report()
    );
    let all = kitchen.racker.run(&["inspect", "three"]).success().json();
    assert_eq!(all[0]["layers"].as_array().unwrap().len(), 4);
    assert_eq!(
        kitchen.racker.run(&["rmi", "three"]).success().text(),
        "Untagged: localhost/three:latest\n"
    );
    kitchen
        .racker
        .run(&["rmi", "three"])
        .code(1)
        .one_message()
        .says("three");
    kitchen.racker.verify();
    makes(
        &kitchen,
        "three.toml",
        &[],
        &["three/1", "three/2", "three/3"],
    );
}
