//! `plan`, `why`, `log`, `images` and their like: what is said about what was baked.

use super::support::{Kitchen, snapshot};
use super::{THREE, makes, three};

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
    assert_eq!(all[2]["tree"], kitchen.racker.tree("three").as_str());
    kitchen.write("file", "changed\n");
    let all = plan(&[true, false, false]);
    assert_eq!(all[1]["key"].as_str().unwrap().len(), 64);
    assert!(all[2]["key"].is_null(), "its parent is not known yet");
    let text = kitchen.racker.run(&["plan", "three.toml"]).success();
    for part in [
        "cached here",
        "to be made",
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
