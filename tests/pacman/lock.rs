//! What a lock pins, obeys and renews.

use super::Bench;

const APP: &str = "[[step]]\npacman = [\"app\"]\n";

#[test]
fn a_lock_is_made_obeyed_and_enough() {
    let bench = Bench::new();
    bench.recipe(APP);
    bench.bake().success();
    let lock = bench.lock();
    assert!(lock.contains("step = \"box/4\""), "{lock}");
    assert!(
        lock.contains("name = \"library\", version = \"1-1\""),
        "{lock}"
    );
    assert!(!lock.contains("name = \"extra\""), "{lock}");
    let first = bench.tree();
    assert_eq!(
        bench.sh("cat /usr/share/*/version /usr/share/app/state; pacman -Qqe; pacman -Qqd"),
        "1\n1\nconfigured\napp\nlibrary\n"
    );
    // The repository moves on; the lock does not.
    bench.app("2");
    bench.library("2");
    bench.mirror.publish();
    let again = ["bake", "--locked", "--offline", "--no-cache", "box.toml"];
    bench.without_network(&again).success();
    assert_eq!(bench.tree(), first);
    assert_eq!(bench.lock(), lock);
    let check = ["bake", "--locked", "--offline", "--check", "box.toml"];
    bench
        .without_network(&check)
        .success()
        .says("box/4: made again, the same came out");
    let output = bench.racker(&["lock", "box.toml", "--verify"]).success();
    assert!(
        output.stderr.contains("packages verified"),
        "{}",
        output.report()
    );
}
