//! What `plan` and `why` know of a cache.

use crate::Bench;
use crate::support::{Output, Racker, names};

const HERE: &str = "cached here";
const THERE: &str = "in the cache";

fn plan(bench: &Bench, racker: &Racker) -> Output {
    let arguments = ["plan", "box.toml", "--cache", &bench.cache];
    racker.run(&arguments).success()
}

/// How many steps are here, in the cache, to be made, and unknown.
#[track_caller]
fn states(output: &Output, expected: [usize; 4]) {
    let states = [HERE, THERE, "to be made", "depends on"];
    let found = states.map(|state| output.text().matches(state).count());
    assert_eq!(found, expected, "{}", output.report());
}

/// A machine that has what the recipe starts from, and nothing else.
fn begun(bench: &Bench, name: &str) -> Racker {
    let racker = bench.machine(name);
    bench.kitchen.recipe("empty.toml", "");
    racker.run(&["bake", "empty.toml"]).success();
    racker
}

#[test]
fn plan_knows_what_is_in_a_cache() {
    let bench = Bench::filled();
    // Without the tree that the first step starts from no key is known.
    let fresh = bench.machine("fresh");
    states(&plan(&bench, &fresh), [0, 0, 0, 3]);
    let racker = begun(&bench, "other");
    let objects = names(&racker.store().join("trees"));
    let planned = plan(&bench, &racker);
    assert_eq!(planned.stderr, "");
    states(&planned, [0, 3, 0, 0]);
    // The trees are those that were made, from which the keys behind follow.
    let document = |racker: &Racker| {
        let arguments = ["plan", "box.toml", "--json", "--cache", &bench.cache];
        racker.run(&arguments).success().json()
    };
    let (there, here) = (document(&bench.kitchen.racker), document(&racker));
    for (there, here) in there
        .as_array()
        .unwrap()
        .iter()
        .zip(here.as_array().unwrap())
    {
        assert_eq!(there["key"], here["key"]);
        assert_eq!(there["tree"], here["tree"]);
        assert!(there["shared"].is_null());
        assert_eq!(here["shared"], bench.cache.as_str());
        assert_eq!(here["cached"], false);
    }
    let why = racker.run(&["why", "box.toml", "--cache", &bench.cache]);
    let why = why.success();
    let place = format!("in the cache {}", bench.cache);
    assert_eq!(why.text().matches(&place).count(), 3, "{}", why.report());
    // Nothing came of it.
    assert_eq!(names(&racker.store().join("trees")), objects);
    let configured = racker.clone().env("RACKER_CACHE", &bench.cache);
    states(
        &configured.run(&["plan", "box.toml"]).success(),
        [0, 3, 0, 0],
    );
    let before = bench.registry.requests().len();
    let offline = configured.run(&["plan", "box.toml", "--offline"]).success();
    states(&offline, [0, 0, 1, 2]);
    assert_eq!(bench.registry.requests().len(), before);
    // What changed is to be made, and what is behind it unknown.
    bench
        .kitchen
        .replace("box.toml", "seq 1 400000", "seq 2 400000");
    states(&plan(&bench, &racker), [0, 1, 1, 1]);
    bench
        .kitchen
        .replace("box.toml", "seq 2 400000", "seq 1 400000");
    bench.fetch(&racker).success();
    states(&plan(&bench, &racker), [3, 0, 0, 0]);
}

#[test]
fn plan_does_without_a_cache_that_is_of_no_use() {
    let mut bench = Bench::filled();
    let racker = begun(&bench, "other");
    let nobody = racker.clone().env("RACKER_TRUSTED_KEYS", "");
    let planned = plan(&bench, &nobody);
    states(&planned, [0, 0, 1, 2]);
    planned.says("warning: step box/1 is not taken from the cache");
    bench.registry.stop();
    let planned = plan(&bench, &racker);
    states(&planned, [0, 0, 1, 2]);
    planned.says("warning: going on without the cache");
}
