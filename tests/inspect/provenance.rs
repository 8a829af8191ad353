//! `racker provenance`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use racker_store::{Access, Digest, ObjectId, Store};
use serde_json::Value;

use super::json;
use super::registry::{Registry, layout};
use super::support::{Kitchen, mini, shared};

fn definition(statement: &Value) -> &Value {
    &statement["predicate"]["buildDefinition"]
}

fn dependencies(statement: &Value) -> &[Value] {
    let all = &definition(statement)["resolvedDependencies"];
    all.as_array().unwrap()
}

#[track_caller]
fn dependency<'a>(statement: &'a Value, name: &str) -> &'a Value {
    let found = dependencies(statement).iter().find(|it| it["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {statement:#}"))
}

/// What the two specifications ask of every statement.
#[track_caller]
fn check_shape(statement: &Value) {
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let is_uri = |value: &Value| value.as_str().is_some_and(|it| it.starts_with("urn:"));
    assert!(is_uri(&definition(statement)["buildType"]));
    assert!(definition(statement)["externalParameters"].is_object());
    assert!(is_uri(
        &statement["predicate"]["runDetails"]["builder"]["id"]
    ));
    let subjects = statement["subject"].as_array().unwrap();
    assert_eq!(subjects.len(), 1);
    for it in subjects.iter().chain(dependencies(statement)) {
        assert!(it["name"].is_string(), "{it}");
        let digests = it["digest"].as_object().unwrap();
        assert!(!digests.is_empty());
        for (algorithm, value) in digests {
            assert!(["sha256", "blake3"].contains(&algorithm.as_str()), "{it}");
            let value = value.as_str().unwrap();
            let hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
            assert!(value.len() == 64 && value.bytes().all(hex), "{it}");
        }
    }
}

#[test]
fn a_baked_system() {
    let racker = shared();
    let output = racker.run(&["provenance", "quickstart"]).success();
    let statement = output.json();
    check_shape(&statement);
    let image = racker
        .open()
        .image("localhost/quickstart:latest")
        .unwrap()
        .unwrap();
    assert_eq!(statement["subject"][0]["name"], "quickstart");
    assert_eq!(
        statement["subject"][0]["digest"]["blake3"],
        image.tree.hex()
    );
    let asked = &definition(&statement)["externalParameters"];
    assert_eq!(asked["recipe"], "quickstart");
    let steps = asked["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 4);
    assert_eq!(steps[1]["parameters"]["install"][0], "nginx-light");
    assert!(
        steps[3]["parameters"]["script"]
            .as_str()
            .unwrap()
            .starts_with("sed -i")
    );
    let internal = &definition(&statement)["internalParameters"];
    assert_eq!(internal["platform"], "linux/amd64");
    assert_eq!(internal["epoch"], image.created);
    assert_eq!(internal["steps"][3]["tree"], image.tree.hex());
    for (asked, done) in steps.iter().zip(internal["steps"].as_array().unwrap()) {
        assert_eq!(asked["key"], done["key"]);
        assert!(done["normaliser"].is_array());
    }
    let nginx = dependency(&statement, "nginx-light");
    assert!(
        nginx["uri"]
            .as_str()
            .unwrap()
            .starts_with("pkg:deb/debian/nginx-light@")
    );
    let page = fs::read(super::support::repository().join("recipes/quickstart/index.html"));
    let page = ObjectId::of(&page.unwrap()).hex();
    assert_eq!(
        dependency(&statement, "quickstart/index.html")["digest"]["blake3"],
        page
    );
    // Nothing of this machine, and none of this run.
    let home = racker.store().parent().unwrap().to_str().unwrap();
    assert!(!output.text().contains(home), "{}", output.report());

    let elsewhere = Kitchen::with_quickstart();
    let other = elsewhere
        .racker
        .run(&["provenance", "quickstart"])
        .success();
    assert_eq!(output.stdout, other.stdout);
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
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream
                .get_mut()
                .write_all(&[head.as_bytes(), body].concat());
        }
    });
    format!("http://{address}/dir/tool.sh")
}

#[test]
fn files_that_were_fetched_and_copied() {
    let kitchen = Kitchen::new();
    let url = serve(b"#!/bin/sh\n");
    kitchen.write("site/a/b.html", "page");
    kitchen.write("site/odd \\ name", "odd");
    kitchen.recipe(
        "files.toml",
        &format!(
            "[[step]]\nfetch = {{ url = \"{url}\", to = \"/bin/\" }}\n\
             [[step]]\ncopy = {{ from = \"site\", to = \"/var/www\" }}\n\
             [[step]]\nrun = \"rm '/var/www/odd \\\\ name'\"\n"
        ),
    );
    kitchen.bake("files.toml").success();
    let statement = json(&kitchen, &["provenance", "files"]);
    check_shape(&statement);
    let base = dependency(&statement, "mini.tar");
    assert_eq!(
        base["digest"]["blake3"],
        ObjectId::of(&fs::read(mini()).unwrap()).hex()
    );
    let fetched = dependency(&statement, "tool.sh");
    assert_eq!(
        fetched["digest"]["sha256"],
        Digest::of(b"#!/bin/sh\n").hex()
    );
    assert_eq!(fetched["annotations"]["fetchedTo"], "/bin/tool.sh");
    let copied = dependency(&statement, "site/a/b.html");
    assert_eq!(copied["digest"]["blake3"], ObjectId::of(b"page").hex());
    assert_eq!(copied["annotations"]["copiedTo"], "/var/www/a/b.html");
    assert_eq!(dependencies(&statement).len(), 4);

    // A base that is not in the store any more is still known by its tree.
    let store = Store::open(kitchen.racker.store(), Access::ReadWrite).unwrap();
    for image in store.images().unwrap() {
        if image.recipe.is_none() {
            store.remove_image(&image.name).unwrap();
        }
    }
    let without = json(&kitchen, &["provenance", "files"]);
    let tree = base["annotations"]["tree"].as_str().unwrap();
    assert_eq!(dependency(&without, "base")["digest"]["blake3"], tree);

    // The bill has what is left of them, where the links of the tree lead.
    let bill = json(&kitchen, &["sbom", "files"]);
    let files: Vec<_> = bill["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["primaryPackagePurpose"] == "FILE")
        .map(|it| {
            format!(
                "{} {}",
                it["name"].as_str().unwrap(),
                it["comment"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        files,
        [
            "/usr/bin/tool.sh fetched by step 2 of the image",
            "/var/www/a/b.html copied by step 3 of the image",
        ]
    );
}

#[test]
fn a_base_from_a_registry() {
    let kitchen = Kitchen::new();
    let registry = Registry::start();
    let source = layout(&kitchen.path("layout"), &[mini()]);
    registry.push(&source, "team/mini:1", &[]);
    let repository = format!("{}/team/mini", registry.host);
    kitchen.write(
        "web.toml",
        &format!("from = \"{repository}:1\"\n[[step]]\nrun = \"echo x >/x\"\n"),
    );
    kitchen.bake("web.toml").success();
    let statement = json(&kitchen, &["provenance", "web"]);
    check_shape(&statement);
    let lock = fs::read_to_string(kitchen.path("web.lock")).unwrap();
    let base = dependency(&statement, &repository);
    let digest = base["digest"]["sha256"].as_str().unwrap();
    assert!(lock.contains(&format!("sha256:{digest}")), "{lock}");
    let uri = base["uri"].as_str().unwrap();
    assert!(
        uri.starts_with(&format!("pkg:oci/mini@sha256:{digest}?repository_url=")),
        "{uri}"
    );

    // Whoever pulled an image did not build it.
    kitchen
        .racker
        .run(&["pull", &format!("{repository}:1")])
        .success();
    let output = kitchen
        .racker
        .run(&["provenance", &format!("{repository}:1")]);
    output
        .code(1)
        .one_message()
        .says("was not baked here")
        .says("hint: ");
    let bill = json(&kitchen, &["sbom", &format!("{repository}:1")]);
    assert_eq!(bill["packages"][0]["checksums"][0]["checksumValue"], digest);
}

#[test]
fn records_that_are_gone_or_changed() {
    let kitchen = Kitchen::new();
    kitchen.recipe("two.toml", "[[step]]\nrun = \"echo one >/one\"\n");
    kitchen.bake("two.toml").success();
    let image = kitchen
        .racker
        .open()
        .image("localhost/two:latest")
        .unwrap()
        .unwrap();
    let layer = image.layers.last().unwrap();
    let key = layer.step_key.unwrap().hex();
    let directory = kitchen
        .racker
        .store()
        .join("realisations")
        .join(&key[..2])
        .join(&key);
    let record = directory.join(format!("{}.json", layer.tree));
    let text = fs::read_to_string(&record).unwrap();

    fs::write(&record, text.replace("echo one", "echo two")).unwrap();
    for verb in ["provenance", "sbom"] {
        let output = kitchen.racker.run(&[verb, "two"]).code(1).one_message();
        output.says("does not have the digest").says(&key);
    }
    fs::remove_dir_all(&directory).unwrap();
    let output = kitchen
        .racker
        .run(&["provenance", "two"])
        .code(1)
        .one_message();
    output
        .says("step 2 (run echo one >/one) is not on record")
        .says("hint: ");
    // A bill needs no record; it says less without.
    kitchen.racker.run(&["sbom", "two"]).success();
}
