use serde_json::json;

use super::*;

fn document(value: &Value) -> KeyDocument {
    KeyDocument::from_value(value).unwrap()
}

#[track_caller]
fn said(old: &Value, new: &Value) -> String {
    why(&document(new), Some(&document(old))).to_string()
}

#[test]
fn without_a_difference() {
    let same = json!({ "script": "x" });
    assert_eq!(why(&document(&same), None).to_string(), "never built");
    assert_eq!(said(&same, &same), "cached");
    assert_eq!(
        Why::DependsOn("web/2".to_owned()).to_string(),
        "depends on step web/2"
    );
}

#[test]
fn names_the_field() {
    assert_eq!(
        said(
            &json!({ "script": "a", "parent": "1" }),
            &json!({ "script": "b", "parent": "2" })
        ),
        "parent tree changed; script changed: \"a\" -> \"b\""
    );
    assert_eq!(
        said(
            &json!({ "install": ["a", "b"] }),
            &json!({ "install": ["b", "c"] })
        ),
        "install changed: +c -a"
    );
    assert_eq!(
        said(
            &json!({ "env": { "A": "1", "B": "" } }),
            &json!({ "env": { "A": "2", "C": "" } })
        ),
        "variable A changed: \"1\" -> \"2\"; variable B removed; variable C added"
    );
    assert_eq!(
        said(&json!({}), &json!({ "tool": "1" })),
        "tool changed: nothing -> \"1\""
    );
    let many = |n| json!({ "a": n, "b": n, "c": n, "d": n, "e": n });
    assert!(said(&many(1), &many(2)).ends_with("; and 2 more"));
}

#[test]
fn cuts_long_texts_around_the_difference() {
    let long = |tail: &str| json!({ "script": format!("{}{tail}", "x".repeat(200)) });
    let start = "x".repeat(20);
    assert_eq!(
        said(&long("a"), &long("b")),
        format!("script changed: \"...{start}a\" -> \"...{start}b\"")
    );
}

#[test]
fn names_the_package() {
    let package = |version: &str, sha256: &str| json!({ "version": version, "sha256": sha256 });
    let old = json!({ "packages": {
        "nginx:amd64": package("1.22.1-9", "1"), "old:all": package("1", "1"), "same:all": package("1", "1"),
    } });
    let new = json!({ "packages": {
        "nginx:amd64": package("1.22.1-9+deb12u1", "2"), "new:all": package("2", "1"), "same:all": package("1", "2"),
    } });
    let Why::Changed(changes) = why(&document(&new), Some(&document(&old))) else {
        panic!()
    };
    let lines: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "package new 2 added",
            "package nginx 1.22.1-9 -> 1.22.1-9+deb12u1",
            "package old 1 removed",
            "package same 1 is another file",
        ]
    );
}

#[test]
fn names_the_input() {
    let inputs = |file: &str| {
        json!({ "from": "site/", "inputs": {
            "directory": true, "entries": { "index.html": { "blake3": file }, "a": {} },
        } })
    };
    assert_eq!(
        said(&inputs("1"), &inputs("2")),
        "input site/index.html changed"
    );
    let file = |it: &str| json!({ "from": "site/a", "inputs": { "directory": false, "entries": { "a": { "blake3": it } } } });
    assert_eq!(said(&file("1"), &file("2")), "input site/a changed");
}

#[test]
fn is_data_as_well() {
    let changed = why(
        &document(&json!({ "epoch": 2 })),
        Some(&document(&json!({ "epoch": 1 }))),
    );
    assert_eq!(
        serde_json::to_value(changed).unwrap(),
        json!({ "changed": [{ "field": "epoch", "old": 1, "new": 2 }] })
    );
    assert_eq!(serde_json::to_value(Why::Hit).unwrap(), json!("hit"));
}
