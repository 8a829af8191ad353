//! Registries that do not answer, or stop to.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Output, Racker};
use crate::tampered::{PACK, manifest, tags};
use crate::trust::made_with_warnings;
use crate::wire::{Answer, Wire};
use crate::{Bench, made};

/// All steps were made, with one word about the cache.
#[track_caller]
fn made_without(bench: &Bench, racker: &Racker, output: Output) {
    let warnings = output.stderr.matches("warning:").count();
    assert_eq!(warnings, 1, "{}", output.report());
    let output = output.says("going on without the cache");
    assert_eq!(made(&output), 3);
    assert_eq!(racker.tree("box"), bench.kitchen.racker.tree("box"));
    racker.verify();
}

#[test]
fn a_registry_that_is_down() {
    let mut bench = Bench::filled();
    bench.registry.stop();
    let racker = bench.machine("other");
    let racker = racker.env("RACKER_SIGNING_KEY", bench.kitchen.path("ci.key"));
    let cache = &bench.cache;
    let arguments = ["bake", "box.toml", "--json", "--cache", cache];
    let both = [&arguments[..], &["--cache-push", cache]].concat();
    let output = racker.run(&both).success();
    made_without(&bench, &racker, output);
}

/// Parts of what is there are gone; whoever has them puts them back.
#[test]
fn a_registry_that_lost_something() {
    let bench = Bench::filled();
    let repository = "docker/registry/v2/repositories/team/cache/_layers/sha256";
    let links = bench.registry.storage().join(repository);
    let mut lost = 0;
    for tag in tags(&bench.cache, "step-") {
        for part in manifest(&bench.cache, &tag)["layers"].as_array().unwrap() {
            if part["mediaType"] == PACK {
                let hex = &part["digest"].as_str().unwrap()["sha256:".len()..];
                lost += usize::from(fs::remove_dir_all(links.join(hex)).is_ok());
            }
        }
    }
    assert!(lost > 3);
    let racker = bench.machine("other");
    let racker = racker.env("RACKER_SIGNING_KEY", bench.kitchen.path("ci.key"));
    let arguments = ["bake", "box.toml", "--json", "--cache", &bench.cache];
    let both = [&arguments[..], &["--cache-push", &bench.cache]].concat();
    let output = racker.run(&both).success().says("3 steps put into");
    made_with_warnings(&bench, &racker, output, "not found on");
    let third = bench.machine("third");
    assert_eq!(made(&bench.fetch(&third).success()), 0);
}

/// Somebody takes the connection and says nothing.
#[test]
fn a_registry_that_says_nothing() {
    let bench = Bench::filled();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let cache = format!("{}/cache", silent.local_addr().unwrap());
    let racker = bench.machine("other");
    let arguments = ["bake", "box.toml", "--json", "--cache", &cache];
    let output = racker.run(&arguments).success();
    made_without(&bench, &racker, output);
    // The next cache is asked all the same.
    let racker = bench.machine("third");
    let arguments = [&arguments[..], &["--cache", &bench.cache]].concat();
    let output = racker.run(&arguments).success();
    assert_eq!(made(&output), 0, "{}", output.report());
}

/// It is no registry, or one that lets nobody in.
#[test]
fn something_else_that_answers() {
    let bench = Bench::filled();
    for head in ["500 Broken", "401 Who", "403 No", "404 None"] {
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let wire = crate::wire::Wire::start(move |_| crate::wire::Answer::raw(head.clone()));
        let cache = format!("{}/cache", wire.host);
        let racker = bench.machine(&wire.host);
        let output = racker.run(&["bake", "box.toml", "--json", "--cache", &cache]);
        let output = output.success();
        assert_eq!(made(&output), 3, "{}", output.report());
        assert!(
            output.stderr.matches("warning:").count() <= 1,
            "{}",
            output.report()
        );
        racker.verify();
    }
}

/// The file system is full: that is this machine's trouble, and is told as such.
#[test]
fn what_fails_here_is_no_fault_of_the_cache() {
    let bench = Bench::filled();
    let racker = bench.machine("other");
    racker.run(&["images"]).success();
    let mount = bench.kitchen.path("small");
    fs::create_dir(&mount).unwrap();
    let script = "mount -t tmpfs -o size=900k none small && shift && \
        RACKER_STORE=$PWD/small/store exec \"$@\"";
    let mut command = racker.surround(crate::support::tool("unshare", "util-linux"));
    command.args(["--mount", "sh", "-ec", script, "sh", "x"]);
    command.arg(env!("CARGO_BIN_EXE_racker"));
    command.args(["bake", "box.toml", "--cache", &bench.cache]);
    racker
        .finish(command)
        .code(1)
        .one_message()
        .says("No space left");
}

/// Bakes what is baked already, and puts it into a registry that has nothing. `post` is what that says
/// where an upload begins, `put` what it says to what is sent. The methods of requests that write.
fn push_to(post: &'static str, put: impl Fn() -> Answer + Send + Sync + 'static) -> Vec<String> {
    let bench = Bench::new();
    let plain = ["bake", "box.toml", "--json"];
    assert_eq!(made(&bench.kitchen.racker.run(&plain).success()), 3);
    let wire = Wire::start(move |asked| match &*asked.method {
        "GET" if asked.path == "/v2/" => Answer::ok(b"{}"),
        "POST" => Answer::raw(post),
        "GET" | "HEAD" => Answer::new("404 None", b""),
        _ => put(),
    });
    let cache = format!("{}/cache", wire.host);
    let push = [&plain[..], &["--cache-push", &cache]].concat();
    let output = bench.signing("ci.key").run(&push).success();
    assert_eq!(made(&output), 0, "{}", output.report());
    let told = output.stderr.matches("going on without the cache").count();
    assert_eq!(told, 1, "{}", output.report());
    bench.kitchen.racker.verify();
    let asked = wire.asked().into_iter().map(|it| it.method);
    asked.filter(|it| it != "GET" && it != "HEAD").collect()
}

/// Nothing is tried twice. Steps are put at the same time, so that each may have failed once.
#[test]
fn a_registry_that_fails_when_something_is_put() {
    const BROKEN: &str = "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let asked = push_to(BROKEN, || unreachable!());
    assert!((1..=3).contains(&asked.len()), "{asked:?}");
}

/// It takes what is sent, and never says that it did.
#[test]
fn a_registry_that_is_silent_when_something_is_put() {
    let begun = "HTTP/1.1 202 Accepted\r\nLocation: /upload?a=b\r\nContent-Length: 0\r\n\
        Connection: close\r\n\r\n";
    let asked = push_to(begun, || {
        Answer::raw("").then(Duration::from_secs(3600), b"")
    });
    let count = |method: &str| asked.iter().filter(|it| *it == method).count();
    assert!((1..=3).contains(&count("PUT")), "{asked:?}");
    assert_eq!(count("POST"), count("PUT"), "{asked:?}");
}

/// It answers when it is asked whether it is there, and never again.
#[test]
fn a_registry_that_falls_silent() {
    let bench = Bench::filled();
    let wire = Wire::start(|asked| match &*asked.path {
        "/v2/" => Answer::ok(b"{}"),
        _ => Answer::raw("").then(Duration::from_secs(3600), b""),
    });
    let racker = bench.machine("other");
    let cache = format!("{}/cache", wire.host);
    let output = racker.run(&["bake", "box.toml", "--json", "--cache", &cache]);
    made_without(&bench, &racker, output.success());
    assert_eq!(wire.asked().len(), 2, "{:?}", wire.asked());
}
