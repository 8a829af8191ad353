//! Keys that pacman trusts.

use std::fs;

use super::Bench;
use super::mirror::Mirror;

const APP: &str = "[[step]]\npacman = [\"app\"]\n";
const MAKE: &str = "pacman-key --init; pacman-key --populate test";

#[test]
fn an_image_with_a_keyring_of_its_own() {
    let bench = Bench::new();
    // One that is kept, since the recipe says so; the keys that it was made of are gone.
    let make = format!("[[step]]\nrun = \"{MAKE}; rm /usr/share/keyrings/test*\"\n");
    bench.recipe(&format!("{make}{APP}"));
    let recipe = fs::read_to_string(bench.kitchen.path("box.toml")).unwrap();
    let keep = "normalise = { pacman-keyring = false }
";
    bench.kitchen.write("box.toml", &format!("{keep}{recipe}"));
    bench.bake().success();
    assert_eq!(bench.sh("pacman -Qqe"), "app\n");
    let secret =
        "ls /etc/pacman.d/gnupg/private-keys-v1.d | wc -l; pacman -Qi app | grep Validated";
    assert_eq!(bench.sh(secret), "1\nValidated By    : Signature\n");
    // Otherwise it goes, and with it what only it knew.
    bench.kitchen.write("box.toml", &recipe);
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
}

#[test]
fn a_keyring_is_no_part_of_an_image_and_made_at_boot() {
    let bench = Bench::new();
    bench.recipe(&format!("[[step]]\nrun = \"{MAKE}\"\n{APP}"));
    bench.bake().success();
    assert_eq!(
        bench.sh("ls /etc/pacman.d/gnupg 2>/dev/null | wc -l"),
        "0\n"
    );
    let script = "systemctl is-system-running --wait; systemctl show -P Result racker-pacman-key; \
                  pacman-key --list-keys packager@racker.test 2>/dev/null | grep -c full";
    let output = bench.racker(&["run", "box", "sh", "-c", script]).success();
    assert_eq!(
        output.text(),
        "running\nsuccess\n1\n",
        "{}",
        output.report()
    );
}

#[test]
fn a_key_that_has_expired_since() {
    let bench = Bench::with(Mirror::with_key(Some(("20240101T000000", "1y"))));
    bench.recipe(APP);
    bench.racker(&["lock", "box.toml"]).success();
    bench
        .bake()
        .code(100)
        .one_message()
        .says("signature does not hold");
    // The lock is of a day on which it was good.
    let lock: String = bench
        .lock()
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("date", _)) => "date = 2024-06-01T00:00:00Z\n".to_owned(),
            Some((name @ "source-date-epoch", _)) => format!("{name} = 1717200000\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    bench.kitchen.write("box.lock", &lock);
    bench.bake().success();
    let validated = "pacman -Qi app | grep Validated";
    assert_eq!(bench.sh(validated), "Validated By    : Signature\n");
}
