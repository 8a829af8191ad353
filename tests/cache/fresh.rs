//! A machine that has the recipe, the lock and the cache, and nothing else.

use std::fs;
use std::process::Command;

use crate::registry::{Registry, layout, tool};
use crate::support::{Racker, execute, mini};
use crate::tampered::{LAYER, LOG, PACK, STATEMENT, manifest, tags};
use crate::{Bench, made, metadata_images, nothing_was_executed};

#[test]
fn a_fresh_machine_executes_nothing() {
    let mut bench = Bench::new();
    let pushed = bench.push("box.toml").success();
    pushed.says(&format!("3 steps put into the cache {}", bench.cache));
    let other = bench.machine("other");
    // Not even the program that steps are carried out with is there.
    let arguments = ["bake", "box.toml", "--locked", "--json", "--cache"];
    let arguments = [&arguments[..], &[&bench.cache]].concat();
    let baked = other.without("systemd-nspawn", &arguments).success();
    let from = format!("(from {})", bench.cache);
    assert_eq!(baked.stderr.matches(&from).count(), 3, "{}", baked.report());
    assert_eq!(made(&baked), 0);
    nothing_was_executed(&bench, &other);
    assert_eq!(other.tree("box"), bench.kitchen.racker.tree("box"));
    other.verify();
    // No step was carried out, so none is without a result; and what runs is what was baked.
    let shown = other.run(&["run", "--rm", "box"]).success();
    let sum = |racker: &Racker| {
        let script = "cat /f* /large | sha256sum; stat -c '%a %u %g %h' /f1 /f2 /f3 /var /link";
        let run = racker.run(&["run", "--rm", "box", "sh", "-c", script]);
        run.success().text().to_owned()
    };
    assert!(shown.text().starts_with("6\n7\n"), "{}", shown.report());
    assert_eq!(sum(&other), sum(&bench.kitchen.racker));
    // Metadata images are made here, and do not travel.
    let (here, there) = (other.store(), bench.kitchen.racker.store());
    let images = metadata_images(here);
    assert!(images.len() >= 4);
    assert_eq!(images, metadata_images(there));
    for tag in tags(&bench.cache, "") {
        for part in manifest(&bench.cache, &tag)["layers"].as_array().unwrap() {
            let kind = part["mediaType"].as_str().unwrap();
            assert!([STATEMENT, LAYER, LOG, PACK].contains(&kind), "{kind}");
        }
    }
    // What a step wrote is known here too.
    let log = |racker: &Racker| racker.run(&["log", "box/1"]).success().into_text();
    assert_eq!(log(&other).trim().len(), 36, "{}", log(&other));
    assert_eq!(log(&other), log(&bench.kitchen.racker));
    // What was fetched is there for good: nobody is asked a second time.
    let before = bench.registry.requests().len();
    let again = bench.fetch(&other).success();
    assert_eq!(again.stderr.matches("(cached)").count(), 3);
    assert_eq!(bench.registry.requests().len(), before);
    bench.registry.stop();
    let offline = ["bake", "box.toml", "--locked", "--offline"];
    other.run(&offline).success();
    let why = other.run(&["why", "box.toml"]).success();
    assert_eq!(why.text().matches("cached").count(), 3, "{}", why.report());
}

/// What is on record of a fetched step is as of one that was made: it can be checked.
#[test]
fn fetched_steps_are_made_again_by_a_check() {
    let bench = Bench::filled();
    let other = bench.machine("other");
    let arguments = ["bake", "box.toml", "--check", "--json", "--cache"];
    let arguments = [&arguments[..], &[&bench.cache]].concat();
    let checked = other.run(&arguments).success();
    let same = checked.stderr.matches("made again, the same came out");
    assert_eq!(same.count(), 3, "{}", checked.report());
    // And no cache is asked where every step is to be made.
    let before = bench.registry.requests().len();
    let third = bench.machine("third");
    let arguments = ["bake", "box.toml", "--no-cache", "--json", "--cache"];
    let arguments = [&arguments[..], &[&bench.cache]].concat();
    assert_eq!(made(&third.run(&arguments).success()), 3);
    let offline = bench.machine("offline").env("RACKER_OFFLINE", "1");
    assert_eq!(made(&bench.fetch(&offline).success()), 3);
    assert_eq!(bench.registry.requests().len(), before);
}

/// Where the image that a recipe starts from was pulled, nobody answers any more.
#[test]
fn the_base_comes_from_the_cache_too() {
    let bench = Bench::new();
    let elsewhere = Registry::start();
    let image = layout(&bench.kitchen.path("layout"), &[mini()]);
    elsewhere.push(&image, "base:1", &[]);
    let name = format!("{}/base:1", elsewhere.host);
    let recipe = "[[step]]\nrun = \"echo one > /one\"\n";
    let recipe = format!("from = \"{name}\"\n{recipe}");
    bench.kitchen.write("box.toml", &recipe);
    let pushed = bench.push("box.toml").success();
    pushed.says("put into the cache").says("1 step put into");
    let digest = tool(
        "skopeo",
        &[
            "inspect",
            "--format={{.Digest}}",
            "--tls-verify=false",
            &format!("docker://{name}"),
        ],
    );
    drop(elsewhere);
    let other = bench.machine("other");
    let arguments = ["bake", "box.toml", "--locked", "--json", "--cache"];
    let arguments = [&arguments[..], &[&bench.cache]].concat();
    let baked = other.without("systemd-nspawn", &arguments).success();
    assert_eq!(made(&baked), 0, "{}", baked.report());
    nothing_was_executed(&bench, &other);
    assert_eq!(other.tree("box"), bench.kitchen.racker.tree("box"));
    other.verify();
    // It is known by the name and digest that it has where it is from.
    let base = format!("{name}@{}", digest.trim());
    let shown = other.run(&["inspect", &base]).success().json();
    let kept = bench.kitchen.racker.run(&["inspect", &base]).success();
    assert_eq!(shown[0]["tree_id"], kept.json()[0]["tree_id"]);
    // The layers are the original ones: the image goes out with the same configuration.
    let saved = |racker: &Racker, to: &str| {
        racker.run(&["save", "box", &format!("oci:{to}")]).success();
        fs::read(bench.kitchen.path(to).join("index.json")).unwrap()
    };
    assert_eq!(saved(&other, "a"), saved(&bench.kitchen.racker, "b"));
    // Pushed again, nothing is sent.
    let before = bench.registry.requests().len();
    bench.push("box.toml").success();
    assert_eq!(bench.registry.uploads(before), Vec::<String>::new());
}

/// By the configuration alone.
#[test]
fn the_configuration_says_it_all() {
    let bench = Bench::new();
    let home = bench.kitchen.path("home");
    fs::create_dir_all(home.join(".config/racker")).unwrap();
    let racker = |store: &str| bench.stranger(store).env("HOME", &home);
    let key = racker("a").run(&["key", "generate", "us-1"]).success();
    let key = key.text().trim().to_owned();
    let secret = home.join(".config/racker/us-1.key");
    let stat = execute(Command::new("stat").args(["-c", "%a %s"]).arg(&secret));
    // The name, a colon, 64 bytes in base64, a line feed.
    assert_eq!(String::from_utf8(stat).unwrap(), "600 94\n");
    let shown = racker("a").run(&["key", "public", secret.to_str().unwrap()]);
    assert_eq!(shown.success().text().trim(), key);
    racker("a").run(&["key", "generate", "us-1"]).code(1);
    racker("a").run(&["key", "generate", "us 1"]).code(2);
    let config = home.join(".config/racker/config.toml");
    let write = |text: &str| fs::write(&config, text).unwrap();
    let cache = &bench.cache;
    write(&format!("cache-push = \"{cache}\"\n"));
    let refused = racker("a").run(&["bake", "box.toml"]).code(2);
    refused.one_message().says("racker key generate NAME");
    let pushes = format!(
        "cache-push = \"{cache}\"\nsigning-key = \"{}\"\n",
        secret.display()
    );
    write(&pushes);
    racker("a")
        .run(&["bake", "box.toml"])
        .success()
        .says("3 steps put into");
    write(&format!(
        "cache = [\"{cache}\"]\ntrusted-keys = [\"{key}\"]\n"
    ));
    let baked = racker("b").run(&["bake", "box.toml", "--json"]).success();
    assert_eq!(made(&baked), 0);
    // Whoever signs believes himself.
    write(&format!("{pushes}cache = [\"{cache}\"]\n"));
    let baked = racker("c").run(&["bake", "box.toml", "--json"]).success();
    assert_eq!(made(&baked), 0);
    for wrong in [
        "cache = [\"debian\"]",
        "cache = [\"r.test/x:tag\"]",
        "trusted-keys = [\"a\"]",
        "signing-key = \"/nowhere\"\ncache-push = \"r.test/x\"",
    ] {
        write(wrong);
        racker("d").run(&["bake", "box.toml"]).code(2).one_message();
    }
}
