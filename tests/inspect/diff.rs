//! `racker diff`.

use std::collections::BTreeMap;
use std::fs;

use racker_store::{Store, TreeId};
use serde_json::Value;

use super::roots::{self, Rpm};
use super::support::{Kitchen, Racker, shared, temporary};
use super::{bake_root, json};

/// The changes of a path, by path.
fn by_path(document: &Value) -> BTreeMap<String, Value> {
    let files = document["files"].as_array().unwrap();
    let all: BTreeMap<String, Value> = files
        .iter()
        .map(|it| (it["path"].as_str().unwrap().to_owned(), it.clone()))
        .collect();
    assert_eq!(all.len(), files.len(), "a path stands twice");
    all
}

fn compare(racker: &Racker, before: &str, after: &str) -> Value {
    racker
        .run(&["diff", "--json", before, after])
        .success()
        .json()
}

fn tree(store: &Store, document: &Value, side: &str) -> racker_store::Tree {
    let id: TreeId = document[side]["tree_id"].as_str().unwrap().parse().unwrap();
    store.tree(id).unwrap()
}

#[test]
fn an_image_does_not_differ_from_itself() {
    let racker = shared();
    for more in [&[][..], &["--exit-code"], &["--packages"], &["--files"]] {
        let mut arguments = vec!["diff", "quickstart", "quickstart/3"];
        arguments.extend(more);
        let output = racker.run(&arguments).success().says("no difference");
        assert_eq!(output.text(), "");
    }
    let document = compare(racker, "quickstart", "quickstart");
    assert_eq!(document["files"], serde_json::json!([]));
    assert_eq!(document["packages"], serde_json::json!([]));
}

/// On two systems of thousands of files: each path of the store's difference once, and owners.
#[test]
fn steps_of_a_real_system() {
    let racker = shared();
    let document = compare(racker, "debian-bookworm/bootstrap", "quickstart");
    let store = racker.open();
    let (before, after) = (
        tree(&store, &document, "before"),
        tree(&store, &document, "after"),
    );
    let mut paths = by_path(&document);
    for (path, _) in racker_store::diff(&before, &after).changes {
        let path = format!("/{}", String::from_utf8(path).unwrap());
        assert!(paths.remove(&path).is_some(), "{path} is missing");
    }
    assert_eq!(paths, BTreeMap::new());

    let paths = by_path(&document);
    assert!(paths.len() > 400, "{} paths", paths.len());
    assert_eq!(paths["/usr/sbin/nginx"]["after"]["package"], "nginx");
    // dpkg lists it as /bin/ip.
    assert_eq!(paths["/usr/bin/ip"]["after"]["package"], "iproute2");
    assert_eq!(paths["/usr/bin/ip"]["change"], "added");
    let status = &paths["/var/lib/dpkg/status"];
    assert_eq!(status["change"], "changed");
    assert_eq!(status["differs"][0], "bytes");

    let packages = document["packages"].as_array().unwrap();
    let nginx = packages.iter().find(|it| it["name"] == "nginx-light");
    assert_eq!(nginx.unwrap()["change"], "added");
    let totals = &document["totals"];
    assert_eq!(totals["packages"]["added"]["number"], packages.len());
    assert_eq!(
        totals["files"]["added"]["number"].as_u64().unwrap()
            + totals["files"]["changed"]["number"].as_u64().unwrap(),
        paths.len() as u64
    );

    let back = compare(racker, "quickstart", "debian-bookworm/bootstrap");
    let back = by_path(&back);
    assert_eq!(back.len(), paths.len());
    for (path, change) in &paths {
        assert_eq!(change["before"], back[path]["after"], "{path}");
        assert_eq!(change["after"], back[path]["before"], "{path}");
    }
}

#[test]
fn what_people_read() {
    let racker = shared();
    let output = racker
        .run(&["diff", "quickstart/1", "quickstart"])
        .success();
    let lines: Vec<_> = output.text().lines().collect();
    let expected = [
        "+ /var/www/html/index.html 88B",
        "",
        "packages: 0 added, 0 removed, 0 changed",
        "files: 1 added (+88B), 0 removed, 0 changed",
    ];
    assert_eq!(lines, expected, "{}", output.report());
    let output = racker.run(&["diff", "--packages", "quickstart/bootstrap", "quickstart"]);
    output
        .code(1)
        .says("no image, tree or step: quickstart/bootstrap")
        .says("hint: ");
    let bootstrap = "debian-bookworm/bootstrap";
    let output = racker
        .run(&["diff", "--packages", bootstrap, "quickstart"])
        .success();
    let text = output.text();
    assert!(text.starts_with("    PACKAGE"), "{}", output.report());
    assert!(
        text.lines().all(|line| !line.contains('/')),
        "{}",
        output.report()
    );
    let output = racker
        .run(&["diff", "--files", bootstrap, "quickstart"])
        .success();
    assert!(
        output.text().contains("+ /usr/sbin/nginx "),
        "{}",
        output.report()
    );
    assert!(!output.text().contains("PACKAGE"), "{}", output.report());
    racker
        .run(&["diff", "--exit-code", bootstrap, "quickstart"])
        .code(1);
    racker
        .run(&["diff", "--packages", "--files", "a", "b"])
        .code(2);
}

#[test]
fn trees_are_found_by_their_ids() {
    let racker = shared();
    let document = compare(racker, "quickstart/2", "quickstart");
    let id = document["before"]["tree_id"].as_str().unwrap();
    for name in [id, &id[..12], &id[..20]] {
        let found = compare(racker, name, "quickstart");
        assert_eq!(found["before"]["tree_id"], id);
        assert_eq!(found["files"], document["files"]);
    }
    for name in [&id[..11], "000000000000", "web/x", "quickstart/99"] {
        racker
            .run(&["diff", name, "quickstart"])
            .code(1)
            .one_message();
    }
}

#[test]
fn every_kind_of_difference() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "kinds.toml",
        r#"
        [[step]]
        run = "cd /var; echo one >bytes; echo a >mode; echo a >owner; echo a >time; ln -s a target; echo a >links; echo a >kind; mkdir gone; echo a >gone/in; ln gone/in gone/too; touch -d @-5 time"
        [[step]]
        run = "cd /var; echo two >bytes; chmod 600 mode; chown 33:34 owner; touch -d @-7 time; ln -sfn b target; ln links new; rm kind; mkdir kind; rm -r gone; echo four >'esc\u001B[31mape'"
        "#,
    );
    kitchen.bake("kinds.toml").success();
    let document = compare(&kitchen.racker, "kinds/1", "kinds/2");
    let paths = by_path(&document);
    let differs = |path: &str| paths[path]["differs"].as_array().unwrap().clone();
    assert!(differs("/var/bytes").contains(&"bytes".into()));
    assert!(!differs("/var/bytes").contains(&"size".into()));
    assert_eq!(differs("/var/mode"), ["mode"]);
    assert_eq!(paths["/var/mode"]["after"]["mode"], "0600");
    assert_eq!(differs("/var/owner"), ["owner"]);
    assert_eq!(paths["/var/owner"]["after"]["gid"], 34);
    assert_eq!(differs("/var/time"), ["mtime"]);
    assert!(differs("/var/target").contains(&"target".into()));
    assert_eq!(differs("/var/links"), ["links"]);
    assert_eq!(paths["/var/links"]["after"]["links"], 2);
    assert!(differs("/var/kind").contains(&"kind".into()));
    for gone in ["/var/gone", "/var/gone/in", "/var/gone/too"] {
        assert_eq!(paths[gone]["change"], "removed");
    }
    // Two bytes, under two names.
    assert_eq!(document["totals"]["files"]["removed"]["before"], 2);
    assert_eq!(paths["/var/new"]["change"], "added");

    let output = kitchen
        .racker
        .run(&["diff", "kinds/1", "kinds/2"])
        .success();
    let text = output.text();
    assert!(
        text.contains("+ /var/esc\\x1b[31mape 5B\n"),
        "{}",
        output.report()
    );
    assert!(!text.contains('\x1b'), "{}", output.report());
    assert!(
        text.contains("~ /var/owner owner 0:0 -> 33:34\n"),
        "{}",
        output.report()
    );
}

#[test]
fn packages_change_their_versions() {
    let hello = |version| Rpm {
        name: "hello",
        version,
        licence: "MIT",
        files: &[("/usr/bin/hello", "hi")],
    };
    let (old, new) = (temporary(), temporary());
    roots::rpm(old.path(), &[hello("1.0")]);
    roots::rpm(new.path(), &[hello("1.10")]);
    fs::write(new.path().join("usr/bin/hello"), "hey").unwrap();
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "old", old.path());
    bake_root(&kitchen, "new", new.path());
    let document = json(&kitchen, &["diff", "--json", "old", "new"]);
    let [package] = document["packages"].as_array().unwrap().as_slice() else {
        panic!("{document}")
    };
    assert_eq!(package["database"], "rpm");
    assert_eq!(package["change"], "changed");
    assert_eq!(package["before"]["version"], "2:1.0-1");
    assert_eq!(package["after"]["version"], "2:1.10-1");
    let changed = &by_path(&document)["/usr/bin/hello"];
    assert_eq!(changed["before"]["package"], "hello");
    let output = kitchen.racker.run(&["diff", "old", "new"]).success();
    let row = "~   hello     noarch   2:1.0-1   2:1.10-1   +0B\n";
    assert!(output.text().contains(row), "{}", output.report());
    let line = "~ /usr/bin/hello bytes, size 2B -> 3B [hello]\n";
    assert!(output.text().contains(line), "{}", output.report());
}
