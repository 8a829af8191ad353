//! What travels: what is missing, and no more; between registries, whatever tool carries it.

use crate::registry::{Registry, tool};
use crate::tampered::{manifest, tags};
use crate::{Bench, made, nothing_was_executed};

#[test]
fn what_is_there_is_not_sent_again() {
    let bench = Bench::filled();
    let before = bench.registry.requests().len();
    let again = bench.push("box.toml").success();
    assert!(!again.stderr.contains("put into"), "{}", again.report());
    assert_eq!(bench.registry.uploads(before), Vec::<String>::new());
    // Somebody who baked by himself sends nothing either.
    let other = bench.machine("other");
    let other = other.env("RACKER_SIGNING_KEY", bench.kitchen.path("ci.key"));
    let baked = other.run(&["bake", "box.toml", "--cache-push", &bench.cache]);
    baked.success();
    assert_eq!(bench.registry.uploads(before), Vec::<String>::new());
}

/// Two steps that differ in one file of a thousand have most packs in common.
#[test]
fn what_is_nearly_the_same_travels_in_part() {
    let bench = Bench::new();
    let files = "[[step]]\nrun = \"for n in $(seq 1 1000); do seq $n 6000 > /f$n; done\"\n";
    let recipe = format!("{files}[[step]]\nrun = \"ln /f1 /also\"\n");
    bench.kitchen.recipe("box.toml", &recipe);
    bench.push("box.toml").success();
    let other = bench.machine("other");
    bench.fetch(&other).success();
    bench
        .kitchen
        .replace("box.toml", "done", "done; seq 9 > /f110x");
    let before = bench.registry.requests().len();
    bench.push("box.toml").success().says("2 steps put into");
    let digest = |part: &serde_json::Value| part["digest"].as_str().unwrap().to_owned();
    let packs = |tag: &String| {
        let manifest = manifest(&bench.cache, tag);
        let all = manifest["layers"].as_array().unwrap().iter();
        let all = all.filter(|part| part["annotations"]["racker.objects"].is_string());
        all.map(digest).collect::<Vec<_>>()
    };
    let largest = tags(&bench.cache, "step-")
        .iter()
        .map(packs)
        .map(|it| it.len())
        .max();
    assert!(largest >= Some(4), "{largest:?}");
    // For each step a statement and a layer, and what it wrote, which was nothing again; one pack, or some more
    // where the file moved an end.
    let sent = bench.asked(before, "PUT ", "/blobs/uploads/").len();
    assert!((5..=7).contains(&sent), "{sent}");
    let before = bench.registry.requests().len();
    let baked = bench.fetch(&other).success();
    assert_eq!(made(&baked), 0, "{}", baked.report());
    // The logs are asked for.
    let fetched = bench.asked(before, "GET ", "/blobs/").len();
    assert!((7..=9).contains(&fetched), "{fetched}");
    assert_eq!(other.tree("box"), bench.kitchen.racker.tree("box"));
    other.verify();
}

/// The first step's files are few and small: they come in a handful of requests.
#[test]
fn small_files_travel_together() {
    let bench = Bench::filled();
    let before = bench.registry.requests().len();
    bench.fetch(&bench.machine("other")).success();
    let fetched = bench.asked(before, "GET ", "/blobs/").len();
    assert!(fetched < 30, "{fetched} requests for 403 files");
}

#[test]
fn skopeo_copies_a_cache() {
    let mut bench = Bench::filled();
    let other = Registry::start();
    let target = format!("{}/copied", other.host);
    tool(
        "skopeo",
        &[
            "sync",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            "--src=docker",
            "--dest=docker",
            &bench.cache,
            &target,
        ],
    );
    let racker = bench.machine("other");
    let tree_there = bench.kitchen.racker.tree("box");
    let arguments = ["bake", "box.toml", "--locked", "--json", "--cache"];
    let cache = format!("{target}/cache");
    let arguments = [&arguments[..], &[&cache]].concat();
    bench.registry.stop();
    let baked = racker.without("systemd-nspawn", &arguments).success();
    assert_eq!(made(&baked), 0, "{}", baked.report());
    nothing_was_executed(&bench, &racker);
    assert_eq!(racker.tree("box"), tree_there);
    racker.verify();
}
