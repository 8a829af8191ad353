//! What is in the registry is not what was put there.

use std::fs;
use std::io::Write as _;

use racker_store::Digest;
use serde_json::{Value, json};

use crate::registry::tool;
use crate::trust::made_with_warnings;
use crate::{Bench, made};

pub(crate) const STATEMENT: &str = "application/vnd.racker.statement.v1";
pub(crate) const LAYER: &str = "application/vnd.racker.layer.v1+zstd";
pub(crate) const LOG: &str = "application/vnd.racker.log.v1+zstd";
pub(crate) const PACK: &str = "application/vnd.racker.pack.v1+zstd";

/// The tags of the cache that begin like this.
pub(crate) fn tags(cache: &str, start: &str) -> Vec<String> {
    let name = format!("docker://{cache}");
    let text = tool("skopeo", &["list-tags", "--tls-verify=false", &name]);
    let all: Value = serde_json::from_str(&text).unwrap();
    let all = all["Tags"].as_array().unwrap().iter();
    let all = all.map(|tag| tag.as_str().unwrap().to_owned());
    all.filter(|tag| tag.starts_with(start)).collect()
}

pub(crate) fn manifest(cache: &str, tag: &str) -> Value {
    let name = format!("docker://{cache}:{tag}");
    let raw = tool("skopeo", &["inspect", "--raw", "--tls-verify=false", &name]);
    serde_json::from_str(&raw).unwrap()
}

/// Has every artifact of a step fetched, its manifest and blobs changed, and put back: as somebody
/// would who may write to the registry, with digests that are right.
fn change(
    bench: &Bench,
    edit: impl Fn(&mut Value, &dyn Fn(&Value, &dyn Fn(Vec<u8>) -> Vec<u8>) -> Value),
) {
    for tag in tags(&bench.cache, "step-") {
        let directory = bench.kitchen.path(&format!("dir-{tag}"));
        let local = format!("dir:{}", directory.display());
        let remote = format!("docker://{}:{tag}", bench.cache);
        tool(
            "skopeo",
            &["copy", "--src-tls-verify=false", &remote, &local],
        );
        let path = directory.join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        // Replaces the bytes of one part; the part that then stands for it.
        let replace = |part: &Value, other: &dyn Fn(Vec<u8>) -> Vec<u8>| {
            let hex = &part["digest"].as_str().unwrap()["sha256:".len()..];
            let bytes = other(fs::read(directory.join(hex)).unwrap());
            let digest = Digest::of(&bytes);
            fs::write(directory.join(digest.hex()), &bytes).unwrap();
            let mut part = part.clone();
            part["digest"] = json!(digest.to_string());
            part["size"] = json!(bytes.len());
            part
        };
        edit(&mut manifest, &replace);
        fs::write(&path, manifest.to_string()).unwrap();
        tool(
            "skopeo",
            &["copy", "--dest-tls-verify=false", &local, &remote],
        );
        fs::remove_dir_all(directory).unwrap();
    }
}

/// [`change`] for the bytes of every part of one type.
fn change_parts(bench: &Bench, media_type: &str, other: &dyn Fn(Vec<u8>) -> Vec<u8>) {
    change(bench, |manifest, replace| {
        for part in manifest["layers"].as_array_mut().unwrap() {
            if part["mediaType"] == media_type {
                *part = replace(part, other);
            }
        }
    });
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    zstd::decode_all(bytes).unwrap()
}

#[test]
fn a_statement_that_says_something_else() {
    let bench = Bench::filled();
    change_parts(&bench, STATEMENT, &|bytes| {
        let text = String::from_utf8(bytes).unwrap();
        let line = text.lines().find(|it| it.starts_with("tree ")).unwrap();
        let other = format!("tree {}", "0".repeat(64));
        text.replace(line, &other).into_bytes()
    });
    let racker = bench.machine("other");
    let output = bench.fetch(&racker).success();
    made_with_warnings(&bench, &racker, output, "its signature is forged");
    // Whoever can sign puts it right again.
    bench.push("box.toml").success().says("3 steps put into");
    let third = bench.machine("third");
    assert_eq!(made(&bench.fetch(&third).success()), 0);
}

/// What was truly signed, below the tag of another step.
#[test]
fn a_statement_about_another_step() {
    let bench = Bench::filled();
    let all = tags(&bench.cache, "step-");
    for (tag, other) in all.iter().zip(all.iter().cycle().skip(1)) {
        let name = |cache: &str, tag: &str| format!("docker://{cache}:{tag}");
        let moved = format!("{}/moved", bench.registry.host);
        let arguments = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
        let (from, to) = (name(&bench.cache, other), name(&moved, tag));
        tool("skopeo", &[&arguments[..], &[&from, &to]].concat());
    }
    let racker = bench.machine("other");
    let cache = format!("{}/moved", bench.registry.host);
    let output = racker.run(&["bake", "box.toml", "--json", "--cache", &cache]);
    let text = "its statement is about something else";
    made_with_warnings(&bench, &racker, output.success(), text);
}

#[test]
fn a_layer_that_was_not_signed() {
    let bench = Bench::filled();
    change_parts(&bench, LAYER, &|bytes| {
        let text = String::from_utf8(unpack(&bytes)).unwrap();
        pack(text.replacen(" 0644 0 0 ", " 4755 0 0 ", 1).as_bytes())
    });
    let racker = bench.machine("other");
    let output = bench.fetch(&racker).success().says("its layer is another");
    // The second step's layer has no file of that kind, perhaps; those that have are refused.
    assert!(made(&output) >= 1, "{}", output.report());
    assert_eq!(racker.tree("box"), bench.kitchen.racker.tree("box"));
    racker.verify();
    let bench = Bench::filled();
    change_parts(&bench, LAYER, &|_| b"this is no layer".to_vec());
    let racker = bench.machine("other");
    let output = bench.fetch(&racker).success();
    made_with_warnings(&bench, &racker, output, "its layer");
}

#[test]
fn files_with_other_bytes() {
    for other in [
        // One bit of a file, in a pack that is whole otherwise.
        (|bytes| {
            let mut bytes = unpack(&bytes);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            pack(&bytes)
        }) as fn(Vec<u8>) -> Vec<u8>,
        |bytes| pack(&[&unpack(&bytes)[..], b"more"].concat()),
        |bytes| pack(&unpack(&bytes)[1..]),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |_| b"no pack at all".to_vec(),
    ] {
        let bench = Bench::filled();
        change_parts(&bench, PACK, &other);
        let racker = bench.machine("other");
        let output = bench.fetch(&racker).success();
        made_with_warnings(&bench, &racker, output, "pack sha256:");
    }
}

#[test]
fn packs_that_are_missing_or_miscounted() {
    let pack = |part: &Value| part["mediaType"] == PACK;
    let bench = Bench::filled();
    change(&bench, |manifest, _| {
        let parts = manifest["layers"].as_array_mut().unwrap();
        parts.retain(|part| !pack(part));
    });
    let racker = bench.machine("other");
    let output = bench.fetch(&racker).success();
    made_with_warnings(&bench, &racker, output, "it lacks files of its layer");
    for count in ["100000", "-1", "x"] {
        let bench = Bench::filled();
        change(&bench, |manifest, _| {
            for part in manifest["layers"].as_array_mut().unwrap() {
                if pack(part) {
                    part["annotations"]["racker.objects"] = json!(count);
                }
            }
        });
        let racker = bench.machine("other");
        let output = bench.fetch(&racker).success();
        made_with_warnings(&bench, &racker, output, "its packs are others");
    }
}

/// A log proves nothing, and a result is good without it.
#[test]
fn logs_that_nobody_signed() {
    let other_text = |part: &mut Value, replace: &dyn Fn(&Value) -> Value| *part = replace(part);
    let another = |part: &mut Value, _: &dyn Fn(&Value) -> Value| {
        let text = part["annotations"]["racker.statement"].as_str().unwrap();
        let line = text.lines().find(|it| it.starts_with("key ")).unwrap();
        let other = text.replace(line, &format!("key {}", "0".repeat(64)));
        part["annotations"]["racker.statement"] = json!(other);
    };
    let unsigned = |part: &mut Value, _: &dyn Fn(&Value) -> Value| {
        part.as_object_mut().unwrap().remove("annotations");
    };
    type Edit<'a> = &'a dyn Fn(&mut Value, &dyn Fn(&Value) -> Value);
    for edit in [&other_text as Edit<'_>, &another, &unsigned] {
        let bench = Bench::filled();
        change(&bench, |manifest, replace| {
            for part in manifest["layers"].as_array_mut().unwrap() {
                if part["mediaType"] == LOG {
                    edit(part, &|part| replace(part, &|_| pack(b"believe me\n")));
                }
            }
        });
        let racker = bench.machine("other");
        let output = bench.fetch(&racker).success();
        let text = "is not taken from the cache";
        assert_eq!(
            output.stderr.matches(text).count(),
            3,
            "{}",
            output.report()
        );
        assert_eq!(
            made(&output),
            0,
            "{}",
            output.says("the log of step box/1").report()
        );
        racker.run(&["log", "box/1"]).code(1);
        racker.verify();
    }
}

/// The disk of the registry lost bytes, which it does not notice.
fn spoil(bench: &Bench, kinds: &[&str], spoil: impl Fn(Vec<u8>) -> Vec<u8>) {
    for tag in tags(&bench.cache, "step-") {
        for part in manifest(&bench.cache, &tag)["layers"].as_array().unwrap() {
            if kinds.contains(&part["mediaType"].as_str().unwrap()) {
                let path = bench.registry.blob(part["digest"].as_str().unwrap());
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, spoil(bytes)).unwrap();
            }
        }
    }
}

#[test]
fn packs_that_the_registry_spoilt() {
    for other in [
        (|bytes| bytes[..bytes.len() / 2].to_vec()) as fn(Vec<u8>) -> Vec<u8>,
        |bytes| vec![0; bytes.len()],
        |_| Vec::new(),
    ] {
        let bench = Bench::filled();
        spoil(&bench, &[PACK], other);
        let racker = bench.machine("other");
        let output = bench.fetch(&racker).success();
        made_with_warnings(&bench, &racker, output, "sha256:");
    }
}

/// Whoever could not use what is there, and may write, puts it again, twice if he must; the registry itself
/// would take no other bytes for those that it believes to have.
#[test]
fn what_the_registry_spoilt_is_put_again() {
    let zeros = |bytes: Vec<u8>| vec![0; bytes.len()];
    for kinds in [&[PACK][..], &[STATEMENT, LAYER, LOG, PACK]] {
        let bench = Bench::filled();
        for round in ["first", "second"] {
            spoil(&bench, kinds, zeros);
            let racker = bench.machine(round);
            let racker = racker.env("RACKER_SIGNING_KEY", bench.kitchen.path("ci.key"));
            let arguments = ["bake", "box.toml", "--json", "--cache", &bench.cache];
            let both = [&arguments[..], &["--cache-push", &bench.cache]].concat();
            let output = racker.run(&both).success().says("3 steps put into");
            assert_eq!(made(&output), 3, "{}", output.report());
            let third = bench.machine(&format!("third-{round}"));
            let output = bench.fetch(&third).success();
            assert_eq!(made(&output), 0, "{}", output.report());
            assert!(!output.stderr.contains("warning"), "{}", output.report());
            assert_eq!(third.tree("box"), racker.tree("box"));
            third.run(&["log", "box/1"]).success();
            third.verify();
        }
    }
}
