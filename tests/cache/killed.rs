//! Bakes that are killed on their way from or to a cache, and collections in the middle of one.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::support::Racker;
use crate::{Bench, made};

const KILLS: u64 = 12;

/// Files that take a while to be packed, and come out otherwise each time.
const LARGE: &str = r#"
    [[step]]
    run = "for n in $(seq 1 600); do head -c 60000 /dev/urandom > /f$n; done"
    [[step]]
    run = "head -c 30000000 /dev/urandom > /large"
"#;

/// Starts racker and kills it after a while, another one every time.
fn kill_again_and_again(racker: &Racker, arguments: &[&str]) -> u64 {
    let mut killed = 0;
    for round in 0..KILLS {
        let mut command = racker.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(20 + round * 53 % 600));
        let _ = child.kill();
        killed += u64::from(!child.wait().unwrap().success());
        assert!(racker.open().verify().unwrap().is_empty());
    }
    killed
}

#[test]
fn killed_on_both_ways_and_then_done() {
    let bench = Bench::new();
    bench.kitchen.recipe("box.toml", LARGE);
    bench.kitchen.bake("box.toml").success();
    let racker = bench.signing("ci.key");
    let push = ["bake", "box.toml", "--cache-push", &bench.cache];
    assert!(kill_again_and_again(&racker, &push) > 0);
    bench.push("box.toml").success();
    let other = bench.machine("other");
    other.run(&["images"]).success();
    let fetch = ["bake", "box.toml", "--locked", "--cache", &bench.cache];
    assert!(kill_again_and_again(&other, &fetch) > 0);
    let third = bench.machine("third");
    for racker in [&other, &third] {
        racker.run(&fetch).success();
        assert_eq!(racker.tree("box"), bench.kitchen.racker.tree("box"));
        assert!(racker.open().verify().unwrap().is_empty());
    }
}

/// Whoever fetches has a lease: a collector takes nothing away from him.
#[test]
fn a_collector_in_the_middle() {
    let bench = Bench::new();
    bench.kitchen.recipe("box.toml", LARGE);
    bench.push("box.toml").success();
    for round in 0..4 {
        let other = bench.machine(&format!("other{round}"));
        other.run(&["images"]).success();
        let collecting = other.clone();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let collector = thread::spawn(move || {
            let mut count = 0;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                collecting
                    .run(&["store", "gc", "--older-than", "0"])
                    .success();
                count += 1;
            }
            count
        });
        let baked = bench.fetch(&other).success();
        drop(stop);
        assert!(collector.join().unwrap() > 0);
        assert_eq!(made(&baked), 0, "{}", baked.report());
        other.verify();
        other
            .run(&[
                "run",
                "--rm",
                "box",
                "sh",
                "-c",
                "cat /f* /large > /dev/null",
            ])
            .success();
    }
}
