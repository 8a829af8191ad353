//! What is made again, and what is found.

use std::fs;
use std::process::Command;
use std::thread;

use super::support::{Kitchen, Output, execute, snapshot};
use super::{THREE, file, makes, three};

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
        format!("three {}\n", kitchen.racker.tree("three"))
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
    let old = kitchen.racker.tree("quickstart");
    makes(&kitchen, "quickstart.toml", &steps[3..], &steps[..3]);
    assert_eq!(kitchen.racker.tree("quickstart"), old);

    kitchen.replace(
        "quickstart/index.html",
        "@GREETING@",
        "@GREETING@<p>more</p>",
    );
    makes(&kitchen, "quickstart.toml", &steps[2..], &steps[..2]);
    assert_ne!(kitchen.racker.tree("quickstart"), old);
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
    assert_eq!(kitchen.racker.tree("other"), kitchen.racker.tree("three"));
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
    let old = kitchen.racker.tree("three");
    let output = kitchen
        .racker
        .run(&["bake", "--no-cache", "three.toml"])
        .success();
    assert_eq!(output.made(), ["three/1", "three/2", "three/3"]);
    assert_eq!(kitchen.racker.tree("three"), old);
    kitchen.racker.verify();
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
    let waited = |output: &Output| output.stderr.contains("waiting for whoever bakes with");
    assert!(outputs.iter().any(waited), "{outputs:?}");
    kitchen.racker.verify();
}
