//! Results of steps that machines share over a registry: Debian's `docker-registry`, real steps.

mod fresh;
mod killed;
mod lost;
mod planned;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod registry;
#[path = "../support/mod.rs"]
mod support;
mod tampered;
mod travel;
mod trust;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use registry::Registry;
use support::{Kitchen, Output, Racker, names};

/// Small files, a large one, a link, other owners and modes, and a file that comes and goes. What the first step
/// writes is never the same.
pub(crate) const BOX: &str = r#"
    [[step]]
    run = "for n in $(seq 1 400); do seq $n 2000 > /f$n; done; ln /f1 /also; chown 33:34 /f2; cat /proc/sys/kernel/random/uuid"
    [[step]]
    run = "seq 1 400000 > /large; chmod 4750 /f3; ln -s f4 /link; rm /f5; chmod 0700 /var"
    [[step]]
    run = "cat /f6 /f7 > /both; mkdir -p /deep/er; touch /deep/er/empty"
    [image]
    cmd = ["cat", "/both"]
"#;

/// A kitchen, a registry, and a key to sign with.
pub(crate) struct Bench {
    pub(crate) kitchen: Kitchen,
    pub(crate) registry: Registry,
    /// The cache's name.
    pub(crate) cache: String,
    /// The public key.
    pub(crate) key: String,
}

impl Bench {
    /// `box.toml` is there, and nothing is baked.
    pub(crate) fn new() -> Self {
        let kitchen = Kitchen::new();
        kitchen.recipe("box.toml", BOX);
        let registry = Registry::start();
        let key = generate(&kitchen, "ci", "ci.key");
        let cache = format!("{}/team/cache", registry.host);
        Self {
            kitchen,
            registry,
            cache,
            key,
        }
    }

    /// `box.toml` is baked, and in the cache.
    pub(crate) fn filled() -> Self {
        let bench = Self::new();
        bench.push("box.toml").success();
        bench
    }

    /// Bakes in the kitchen's store, and puts the results into the cache.
    pub(crate) fn push(&self, recipe: &str) -> Output {
        let racker = self.signing("ci.key");
        racker.run(&["bake", recipe, "--cache-push", &self.cache])
    }

    /// The kitchen's racker with a key to sign with.
    pub(crate) fn signing(&self, key: &str) -> Racker {
        let racker = self.kitchen.racker.clone();
        racker.env("RACKER_SIGNING_KEY", self.kitchen.path(key))
    }

    /// A machine with an empty store, the same recipes and locks, and trust in the key.
    pub(crate) fn machine(&self, name: &str) -> Racker {
        self.stranger(name).env("RACKER_TRUSTED_KEYS", &self.key)
    }

    /// The same without that trust.
    pub(crate) fn stranger(&self, name: &str) -> Racker {
        Racker::new(&self.kitchen.path(name)).at(&self.kitchen.path(""))
    }

    /// Bakes `box.toml` on a machine from the cache.
    pub(crate) fn fetch(&self, racker: &Racker) -> Output {
        racker.run(&["bake", "box.toml", "--cache", &self.cache, "--json"])
    }

    /// The requests to the registry after the first `count`, of this kind.
    pub(crate) fn asked(&self, count: usize, start: &str, part: &str) -> Vec<String> {
        let mut all = self.registry.requests().split_off(count);
        all.retain(|it| it.starts_with(start) && it.contains(part));
        all
    }
}

/// Makes a key; the public one.
pub(crate) fn generate(kitchen: &Kitchen, name: &str, file: &str) -> String {
    let arguments = ["key", "generate", name, "--output", file];
    let made = kitchen.racker.run(&arguments).success();
    made.text().trim().to_owned()
}

/// How many steps were made in a bake with `--json`.
pub(crate) fn made(output: &Output) -> u64 {
    output.json()[0]["made"].as_u64().unwrap()
}

/// Every step leaves a log where it is carried out; those that are there are the kitchen's.
#[track_caller]
pub(crate) fn nothing_was_executed(bench: &Bench, racker: &Racker) {
    let logs = |racker: &Racker| -> BTreeSet<Vec<u8>> {
        let directory = racker.store().join("logs");
        let mut all = names(&directory);
        all.retain(|name| !name.starts_with("last."));
        all.iter()
            .map(|name| fs::read(directory.join(name)).unwrap())
            .collect()
    };
    assert_eq!(logs(racker), logs(&bench.kitchen.racker));
}

/// The bytes of every metadata image of a store, by path.
pub(crate) fn metadata_images(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let trees = store.join("trees");
    let all = names(&trees).into_iter().map(PathBuf::from);
    let images = all.filter(|path| path.extension() == Some("erofs".as_ref()));
    images
        .map(|path| (path.clone(), fs::read(trees.join(path)).unwrap()))
        .collect()
}
