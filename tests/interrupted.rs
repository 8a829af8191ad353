//! Every call of racker's that writes, killed at or failing: the store stays whole, and the work can be
//! finished. `strace` injects the faults into the real program.
//!
//! Needs root and the Debian packages `strace`, `docker-registry` and `skopeo`.

#[path = "support/registry.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod registry;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use registry::Registry;
use rustix::process::{Pid, Signal, kill_process};
use support::{Kitchen, Output, Racker, execute, temporary, tool};

/// Calls that change files, or make changes last.
const CALLS: [&str; 18] = [
    "write",
    "pwrite64",
    "rename",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "fsync",
    "fdatasync",
    "syncfs",
    "ftruncate",
    "fchmod",
    "fchown",
    "utimensat",
    "flock",
    "copy_file_range",
    "openat",
];

/// What befalls a call.
const FAULTS: [&str; 3] = ["signal=KILL", "error=ENOSPC", "error=EIO"];

const RECIPE: &str = "name = \"small\"\nfrom = \"scratch\"\n\
    [[step]]\ncopy = { from = \"site/a\", to = \"/a\" }\n\
    [[step]]\ncopy = { from = \"site/b\", to = \"/b\" }\n";

/// What is tried at every call.
struct Work<'a> {
    /// The store before it.
    before: &'a Path,
    arguments: &'a [&'a str],
    /// Whether the store is whole before it, and so must be at every moment.
    whole: bool,
}

/// Counts what was injected.
#[derive(Debug, Default)]
struct Points {
    killed: usize,
    failed: usize,
    survived: usize,
}

impl Points {
    fn tell(&self, what: &str) {
        let line = format!("{what}: {self:?}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}

/// Does the work once for each call and fault; `finish` then does it undisturbed and looks at the
/// result.
#[track_caller]
fn at_every_call(kitchen: &Kitchen, work: &Work<'_>, finish: impl Fn(&Racker, &str)) -> Points {
    let racker = kitchen.racker.clone().env("RAYON_NUM_THREADS", "1");
    let mut points = Points::default();
    let mut kills = 0;
    let counts = count(&racker, work);
    assert!(counts["write"] > 0 && counts["openat"] > 0, "{counts:?}");
    for (call, count) in counts {
        for (place, fault) in FAULTS.into_iter().enumerate() {
            for number in 1..=count {
                // It is killed at every call. Of the errors each call gets one or the other; most of
                // what is opened are files of the system's own, and opening changes nothing.
                let other = place > 0 && number % 2 != place - 1;
                let rare = call == "openat" && (place == 0 || number % 8 != place - 1);
                if other && call != "openat" || rare {
                    continue;
                }
                let what = format!("{fault} at {call} {number} of {:?}", work.arguments);
                kills += usize::from(place == 0);
                restore(work.before, racker.store());
                let inject = format!("inject={call}:{fault}:when={number}");
                let output = strace(&racker, call, &inject, work.arguments);
                match output.code {
                    // The signal ends strace too.
                    None | Some(137) if place == 0 => points.killed += 1,
                    Some(0) => points.survived += 1,
                    _ => points.failed += 1,
                }
                // The network wakes itself by writing to what is no file, and takes a failure ill.
                let woken = output.stderr.contains("failed to wake I/O driver");
                assert!(
                    woken || !output.stderr.contains("panicked"),
                    "{what}: {}",
                    output.report()
                );
                if work.whole {
                    let damage = racker.open().verify().unwrap();
                    assert!(damage.is_empty(), "{what}: {damage:#?}");
                }
                finish(&racker, &what);
            }
        }
    }
    // Threads do not share their work in the same way every time, so a few calls are not reached.
    assert!(points.killed * 2 > kills, "{points:?} of {kills}");
    assert!(points.failed > 0, "{points:?}");
    points
}

fn strace(racker: &Racker, call: &str, inject: &str, arguments: &[&str]) -> Output {
    let directory = temporary();
    let log = directory.path().join("log");
    let mut command = racker.surround(tool("strace", "strace"));
    // Not with --seccomp-bpf: strace 6.1 injects into one call then and no more.
    command
        .args(["-f", "-y", "-o"])
        .arg(&log)
        .args(["-e", &format!("trace={call}"), "-e", inject]);
    command.arg(env!("CARGO_BIN_EXE_racker")).args(arguments);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if let Some(thread) = sleeper(&log) {
                    let _ = kill_process(thread, Signal::KILL);
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let output = racker.finish(command);
        over.store(true, Ordering::Relaxed);
        output
    })
}

/// A thread of racker's that could not wake another one, because the counter that it wakes it by was made to
/// fail. No machine does that, and racker would wait until the network takes too long: it is ended.
fn sleeper(log: &Path) -> Option<Pid> {
    let log = fs::read_to_string(log).ok()?;
    let line = log
        .lines()
        .find(|line| line.contains("[eventfd]>") && line.ends_with("(INJECTED)"))?;
    Pid::from_raw(line.split_once(' ')?.0.parse().ok()?)
}

/// How often one thread of the undisturbed work calls each of the calls, at most.
fn count(racker: &Racker, work: &Work<'_>) -> BTreeMap<&'static str, usize> {
    restore(work.before, racker.store());
    let directory = temporary();
    let log = directory.path().join("log");
    let mut command = racker.surround(tool("strace", "strace"));
    command.args(["-f", "-o"]).arg(&log);
    command.args(["-e", &format!("trace={}", CALLS.join(","))]);
    command
        .arg(env!("CARGO_BIN_EXE_racker"))
        .args(work.arguments);
    racker.finish(command);
    let log = fs::read_to_string(log).unwrap();
    let mut all: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let call = rest.trim_start().split('(').next().unwrap_or_default();
        // Files of the system's own are opened before racker is itself.
        *all.entry((thread, call)).or_default() += 1;
    }
    let most = |call: &str| {
        let counts = all.iter().filter(|((_, it), _)| *it == call);
        counts.map(|(_, count)| *count).max()
    };
    CALLS
        .into_iter()
        .filter_map(|call| Some((call, most(call)?)))
        .collect()
}

fn restore(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    execute(
        Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .stdin(Stdio::null()),
    );
}

/// A kitchen with a small recipe, and the path of its store in the state that `make` leaves it in.
fn kitchen(make: impl FnOnce(&Kitchen)) -> (Kitchen, PathBuf) {
    let kitchen = Kitchen::new();
    fs::create_dir(kitchen.path("site")).unwrap();
    kitchen.write("site/a", "hello\n");
    kitchen.write("site/b", "two\n");
    kitchen.write("small.toml", RECIPE);
    make(&kitchen);
    kitchen.racker.run(&["images"]).success();
    let before = kitchen.path("before");
    restore(kitchen.racker.store(), &before);
    (kitchen, before)
}

fn bake(racker: &Racker) -> String {
    let output = racker.run(&["bake", "small.toml"]).success();
    output.into_text()
}

/// Names of everything that is content.
fn contents(store: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in [
        "objects",
        "trees",
        "layers",
        "realisations",
        "blobs",
        "roots",
        "trash",
    ] {
        for entry in walkdir::WalkDir::new(store.join(directory)) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                found.push(entry.path().strip_prefix(store).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
#[ignore = "takes minutes; tests/full runs it"]
fn a_bake_can_be_ended_anywhere() {
    let (kitchen, before) = kitchen(|_| {});
    let expected = bake(&kitchen.racker);
    let work = Work {
        before: &before,
        arguments: &["bake", "small.toml"],
        whole: true,
    };
    let points = at_every_call(&kitchen, &work, |racker, what| {
        assert_eq!(bake(racker), expected, "{what}");
        assert!(racker.open().verify().unwrap().is_empty(), "{what}");
    });
    points.tell("bake");
}

#[test]
#[ignore = "takes minutes; tests/full runs it"]
fn a_collection_can_be_ended_anywhere() {
    let (kitchen, before) = kitchen(|kitchen| {
        bake(&kitchen.racker);
        kitchen.write(
            "other.toml",
            &RECIPE
                .replace("small", "other")
                .replace("site/b", "small.toml"),
        );
        kitchen.racker.run(&["bake", "other.toml"]).success();
        kitchen.racker.run(&["rmi", "other"]).success();
        fs::create_dir(kitchen.racker.store().join("stage/left")).unwrap();
    });
    let arguments = ["store", "gc", "--older-than", "0"];
    kitchen.racker.run(&arguments).success();
    let expected = contents(kitchen.racker.store());
    assert!(expected.len() < contents(&before).len());
    let work = Work {
        before: &before,
        arguments: &arguments,
        whole: true,
    };
    let points = at_every_call(&kitchen, &work, |racker, what| {
        racker.run(&arguments).success();
        assert_eq!(contents(racker.store()), expected, "{what}");
        assert!(racker.open().verify().unwrap().is_empty(), "{what}");
    });
    points.tell("gc");
}

#[test]
#[ignore = "takes minutes; tests/full runs it"]
fn a_repair_can_be_ended_anywhere() {
    let mut expected = String::new();
    let (kitchen, before) = kitchen(|kitchen| {
        expected = bake(&kitchen.racker);
        let store = kitchen.racker.store();
        let all = contents(store);
        let path = |end: &str| {
            let found = all
                .iter()
                .find(|path| path.to_string_lossy().ends_with(end));
            store.join(found.unwrap())
        };
        // One of each kind: what is made again, and what takes others with it.
        fs::write(path(".erofs"), "x").unwrap();
        let object = blake3::hash(b"two\n").to_hex();
        let object = store.join("objects").join(&object[..2]).join(&object[2..]);
        fs::write(&object, "too").unwrap();
        fs::write(store.join("index.db"), "no database").unwrap();
    });
    let work = Work {
        before: &before,
        arguments: &["store", "verify", "--repair"],
        whole: false,
    };
    let points = at_every_call(&kitchen, &work, |racker, what| {
        let again = racker.run(&["store", "verify", "--repair"]);
        assert!(
            matches!(again.code, Some(0 | 1)),
            "{what}: {}",
            again.report()
        );
        assert!(racker.open().verify().unwrap().is_empty(), "{what}");
        assert_eq!(bake(racker), expected, "{what}");
        assert!(racker.open().verify().unwrap().is_empty(), "{what}");
    });
    points.tell("verify --repair");
}

#[test]
#[ignore = "takes minutes; tests/full runs it"]
fn a_pull_can_be_ended_anywhere() {
    let registry = Registry::start();
    let (kitchen, before) = kitchen(|kitchen| {
        let elsewhere = Racker::new(&kitchen.path("elsewhere")).at(&kitchen.path(""));
        bake(&elsewhere);
        let layout = kitchen.path("layout");
        let target = format!("oci:{}", layout.display());
        elsewhere.run(&["save", "small", &target]).success();
        registry.push(&target, "small:1", &[]);
    });
    let name = format!("{}/small:1", registry.host);
    kitchen.racker.run(&["pull", &name]).success();
    let tree = |racker: &Racker| racker.open().images().unwrap()[0].tree;
    let expected = tree(&kitchen.racker);
    let work = Work {
        before: &before,
        arguments: &["pull", &name],
        whole: true,
    };
    let points = at_every_call(&kitchen, &work, |racker, what| {
        racker.run(&["pull", &name]).success();
        assert_eq!(tree(racker), expected, "{what}");
        assert!(racker.open().verify().unwrap().is_empty(), "{what}");
    });
    points.tell("pull");
}

#[test]
#[ignore = "takes minutes; tests/full runs it"]
fn a_bake_from_a_cache_can_be_ended_anywhere() {
    let registry = Registry::start();
    let cache = format!("{}/cache", registry.host);
    let mut trusted = String::new();
    let (mut kitchen, before) = kitchen(|kitchen| {
        for number in 0..10 {
            kitchen.write(&format!("ten/f{number}"), &"line\n".repeat(number));
        }
        kitchen.replace("small.toml", "site/a", "ten");
        let generate = ["key", "generate", "ci", "--output", "ci.key"];
        let key = kitchen.racker.run(&generate).success();
        key.text().trim().clone_into(&mut trusted);
        let elsewhere = Racker::new(&kitchen.path("elsewhere")).at(&kitchen.path(""));
        let elsewhere = elsewhere.env("RACKER_SIGNING_KEY", kitchen.path("ci.key"));
        let push = ["bake", "small.toml", "--cache-push", &cache];
        elsewhere.run(&push).success();
    });
    kitchen.racker = kitchen.racker.env("RACKER_TRUSTED_KEYS", trusted);
    let arguments = ["bake", "small.toml", "--cache", &cache];
    let first = kitchen.racker.run(&arguments).success();
    assert_eq!(first.made(), [""; 0], "{}", first.report());
    let expected = first.into_text();
    let work = Work {
        before: &before,
        arguments: &arguments,
        whole: true,
    };
    let points = at_every_call(&kitchen, &work, |racker, what| {
        let again = racker.run(&arguments).success();
        assert_eq!(again.made(), [""; 0], "{what}: {}", again.report());
        assert_eq!(again.text(), expected, "{what}");
        assert!(racker.open().verify().unwrap().is_empty(), "{what}");
    });
    points.tell("bake from a cache");
}

#[test]
fn the_same_step_asked_for_by_many_is_made_once() {
    let (kitchen, before) = kitchen(|_| {});
    for _ in 0..5 {
        restore(&before, kitchen.racker.store());
        let bakes: Vec<_> = (0..6)
            .map(|number| {
                let racker = kitchen.racker.clone();
                // With one lock they would go one after the other.
                let lock = kitchen.path(&format!("{number}.lock"));
                std::thread::spawn(move || {
                    let lock = lock.to_str().unwrap();
                    racker
                        .run(&["bake", "--lock", lock, "small.toml"])
                        .success()
                })
            })
            .collect();
        let bakes: Vec<Output> = bakes.into_iter().map(|it| it.join().unwrap()).collect();
        let mut made: Vec<&str> = bakes.iter().flat_map(Output::made).collect();
        made.sort_unstable();
        assert_eq!(made, ["small/1", "small/2"]);
        assert!(bakes.iter().all(|it| it.text() == bakes[0].text()));
        kitchen.racker.verify();
    }
}

#[test]
fn what_is_damaged_is_told_and_pulled_again() {
    let registry = Registry::start();
    let (kitchen, _) = kitchen(|kitchen| {
        bake(&kitchen.racker);
        let layout = kitchen.path("layout");
        let target = format!("oci:{}", layout.display());
        kitchen.racker.run(&["save", "small", &target]).success();
        registry.push(&target, "small:1", &[]);
        let name = format!("{}/small:1", registry.host);
        kitchen.racker.run(&["pull", &name]).success();
        kitchen.racker.run(&["rmi", "small"]).success();
    });
    let racker = &kitchen.racker;
    racker.run(&["store", "gc", "--older-than", "0"]).success();
    racker.run(&["store", "verify"]).success();
    let images = racker.run(&["images", "--json"]).success().json();
    let object = blake3::hash(b"two\n").to_hex();
    let object = racker
        .store()
        .join(format!("objects/{}/{}", &object[..2], &object[2..]));
    fs::remove_file(&object).unwrap();

    let found = racker.run(&["store", "verify", "--json"]).code(1).json();
    let damages = found["damages"].as_array().unwrap();
    let name = format!("{}/small:1", registry.host);
    let told = damages.iter().any(|it| it["images"][0] == *name);
    assert!(told, "{found:#}");
    let repaired = racker
        .run(&["store", "verify", "--repair", "--json"])
        .code(1)
        .json();
    assert_eq!(
        repaired["pulled"],
        serde_json::json!([name]),
        "{repaired:#}"
    );
    assert_eq!(repaired["lost"], serde_json::json!([]), "{repaired:#}");
    racker.run(&["store", "verify"]).success();
    assert_eq!(fs::read(&object).unwrap(), b"two\n");
    assert_eq!(racker.run(&["images", "--json"]).success().json(), images);
}

#[test]
fn the_store_is_measured_and_collected() {
    let (kitchen, _) = kitchen(|kitchen| {
        bake(&kitchen.racker);
    });
    let racker = &kitchen.racker;
    let stats = racker.run(&["store", "stats", "--json"]).success().json();
    assert_eq!(stats["images"][0]["logical"], 10);
    assert_eq!(stats["images"][0]["own"], 10);
    assert_eq!(stats["disk"]["objects"]["files"], 2);
    let text = racker.run(&["store", "stats"]).success().into_text();
    assert!(
        text.contains("BIGGEST") && text.contains("OLDEST"),
        "{text}"
    );
    racker.run(&["rmi", "small"]).success();
    let dry = ["store", "gc", "--older-than", "0", "--dry-run", "--json"];
    let said = racker.run(&dry).success().json();
    let done = racker
        .run(&["store", "gc", "--older-than", "0", "--json"])
        .success()
        .json();
    assert_eq!(said["kinds"], done["kinds"]);
    assert_eq!(done["kinds"]["objects"]["files"], 2);
    assert_eq!(contents(racker.store()), Vec::<PathBuf>::new());
    racker
        .run(&["store", "gc", "--older-than", "never"])
        .code(2);
    racker.run(&["store", "reindex"]).success();
    bake(racker);
    racker.run(&["store", "gc"]).success();
    assert_eq!(
        racker.run(&["bake", "small.toml"]).success().cached().len(),
        2
    );
}
