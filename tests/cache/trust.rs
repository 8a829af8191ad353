//! Whose results are taken, and whose are not; and who is let in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::registry::{Extra, Registry};
use crate::support::{Output, Racker, execute, tls, tokens::Tokens};
use crate::{Bench, generate, made};

/// Every step was made, with one word about each of the three.
#[track_caller]
pub(crate) fn made_with_warnings(bench: &Bench, racker: &Racker, output: Output, text: &str) {
    let warnings = output.stderr.matches("is not taken from the cache");
    assert_eq!(warnings.count(), 3, "{}", output.report());
    assert_eq!(
        output.stderr.matches(text).count(),
        3,
        "{}",
        output.report()
    );
    assert_eq!(made(&output), 3);
    assert_eq!(racker.tree("box"), bench.kitchen.racker.tree("box"));
    racker.verify();
}

#[test]
fn somebody_unknown_is_not_believed() {
    let bench = Bench::filled();
    let stranger = bench.stranger("nobody");
    let output = bench.fetch(&stranger).success().says("box/1");
    made_with_warnings(&bench, &stranger, output, "no key is trusted here");
    let other = generate(&bench.kitchen, "other", "other.key");
    let racker = bench.stranger("other").env("RACKER_TRUSTED_KEYS", other);
    let output = bench.fetch(&racker).success();
    let text = "signed by nobody who is trusted, but by ci";
    made_with_warnings(&bench, &racker, output, text);
}

/// A key may have any name; what counts are its bytes.
#[test]
fn somebody_who_takes_a_name_is_not_believed() {
    let bench = Bench::filled();
    let other = generate(&bench.kitchen, "ci", "mallory.key");
    let racker = bench.stranger("other").env("RACKER_TRUSTED_KEYS", other);
    let output = bench.fetch(&racker).success();
    made_with_warnings(&bench, &racker, output, "its signature is forged");
}

/// What somebody trusted came to stays; what nobody trusted did is replaced, or signed as well.
#[test]
fn two_who_come_to_the_same_both_sign() {
    let bench = Bench::filled();
    let second = generate(&bench.kitchen, "second", "second.key");
    let second_key = bench.signing("second.key");
    let push = ["bake", "box.toml", "--cache-push", &bench.cache];
    // The second believes the first: nothing to do.
    let believes = second_key.clone().env("RACKER_TRUSTED_KEYS", &bench.key);
    let before = bench.registry.requests().len();
    believes.run(&push).success();
    assert_eq!(bench.registry.uploads(before), Vec::<String>::new());
    // It does not: the statements get its signature, and no file is sent again.
    let before = bench.registry.requests().len();
    second_key.run(&push).success().says("3 steps put into");
    let sent = bench.asked(before, "PUT ", "/blobs/uploads/");
    assert_eq!(sent.len(), 3, "{sent:?}");
    for (name, key) in [("a", &bench.key), ("b", &second)] {
        let racker = bench.stranger(name).env("RACKER_TRUSTED_KEYS", key);
        assert_eq!(made(&bench.fetch(&racker).success()), 0);
    }
}

/// Whoever has a key to sign with believes it, where nothing is pushed, too.
#[test]
fn the_own_key_is_believed() {
    let bench = Bench::filled();
    let key = bench.kitchen.path("ci.key");
    let racker = bench.stranger("own").env("RACKER_SIGNING_KEY", &key);
    assert_eq!(made(&bench.fetch(&racker).success()), 0);
    // One that cannot be had is done without.
    let racker = bench.stranger("none");
    let racker = racker.env("RACKER_SIGNING_KEY", bench.kitchen.path("nowhere"));
    let output = bench.fetch(&racker).success().says("going on without it");
    made_with_warnings(&bench, &racker, output, "no key is trusted here");
}

/// Neither is shown who it belongs to, nor left where all may read it without a word.
#[test]
fn a_secret_key_is_kept_secret() {
    let bench = Bench::new();
    let key = bench.kitchen.path("ci.key");
    let secret = fs::read_to_string(&key).unwrap();
    let racker = bench.stranger("x").env("RACKER_TRUSTED_KEYS", &secret);
    let output = racker.run(&["bake", "box.toml"]).code(2).one_message();
    let output = output.says("\"ci\": it is a secret key");
    let (_, hidden) = secret.trim().split_once(':').unwrap();
    assert!(!output.stderr.contains(hidden), "{}", output.stderr);
    let open = "others may use the signing key";
    let output = bench.push("box.toml").success();
    assert!(!output.stderr.contains(open), "{}", output.report());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    bench.push("box.toml").success().says(open);
}

/// Reading takes no right to write, and a cache that takes nothing spoils no bake.
#[test]
fn a_cache_that_is_read_only() {
    let bench = Bench::filled();
    let frozen = Registry::start_with(&Extra {
        storage: "  maintenance: {readonly: {enabled: true}}\n".into(),
        ..Extra::default()
    });
    execute(
        std::process::Command::new("cp")
            .args(["-a", "-T"])
            .arg(bench.registry.storage())
            .arg(frozen.storage()),
    );
    let cache = format!("{}/team/cache", frozen.host);
    let arguments = ["bake", "box.toml", "--json", "--cache", &cache];
    let racker = bench.machine("reads");
    assert_eq!(made(&racker.run(&arguments).success()), 0);
    // The second step is another one, and cannot go there.
    bench.kitchen.replace("box.toml", "/f3", "/f30");
    let racker = bench.machine("writes");
    let racker = racker.env("RACKER_SIGNING_KEY", bench.kitchen.path("ci.key"));
    let arguments = [&arguments[..], &["--cache-push", &cache]].concat();
    let output = racker.run(&arguments).success();
    assert_eq!(made(&output), 2, "{}", output.report());
    let warnings = output.stderr.matches("going on without the cache");
    assert_eq!(warnings.count(), 1, "{}", output.report());
    racker.verify();
}

#[test]
fn a_registry_that_wants_to_know_who_asks() {
    let bench = Bench::new();
    let directory = bench.kitchen.path("tls");
    fs::create_dir(&directory).unwrap();
    tls::certificates(&directory);
    let tokens = Tokens::serve(&directory, 60);
    let registry = Registry::start_with(&Extra {
        top: tokens.configuration(),
        ..Extra::default()
    });
    let cache = format!("{}/team/cache", registry.host);
    let home = bench.kitchen.path("home");
    let writer = bench.signing("ci.key").env("HOME", &home);
    let push = ["bake", "box.toml", "--cache-push", &cache];
    let refused = writer.run(&push).success().says("refuses access");
    let warnings = refused.stderr.matches("going on without the cache");
    assert_eq!(warnings.count(), 1, "{}", refused.report());
    let fetch = ["bake", "box.toml", "--json", "--cache", &cache];
    let reader = bench.machine("other").env("HOME", &home);
    let unknown = bench.machine("unknown").run(&fetch).success();
    assert_eq!(made(&unknown.says("refuses access")), 3);
    let login = ["login", &registry.host, "-u", "me", "-p", "pw"];
    writer.run(&login).success();
    writer.run(&push).success().says("3 steps put into");
    let before = tokens.asked().len();
    let fetched = reader.run(&fetch).success();
    assert_eq!(made(&fetched), 0, "{}", fetched.report());
    // One who reads asks for no more than that.
    let asked = tokens.asked().split_off(before);
    let asked = asked.iter().filter(|it| it.contains("scope"));
    assert!(asked.clone().count() >= 1);
    assert!(asked.clone().all(|it| !it.contains("push")));
}
