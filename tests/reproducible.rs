//! Debian images with a lot in them: the same bits from two stores, and nothing lost by it.

mod support;

use support::{Kitchen, Racker, tool};

/// What leaves the most behind that two equal runs would have otherwise: keys, databases, caches,
/// logs, compiled files, units.
const PACKAGES: &str = "[\"systemd\", \"systemd-sysv\", \"dbus\", \"nginx\", \"openssh-server\", \
    \"python3\", \"postgresql\", \"rsyslog\", \"man-db\", \"fontconfig\", \"git\"]";

/// Units that must be active after the boot.
const SERVICES: [&str; 4] = ["ssh", "postgresql", "nginx", "rsyslog"];

fn equal_and_whole(suite: &str) {
    let kitchen = Kitchen::new();
    let recipe =
        format!("name = \"loaded\"\nfrom = \"debian-{suite}\"\n[[step]]\npackages = {PACKAGES}\n");
    kitchen.write("loaded.toml", &recipe);
    kitchen.racker.run(&["bake", "loaded.toml"]).success();
    let expected = kitchen.racker.tree("loaded");

    let mut elsewhere = kitchen.racker.surround(tool("unshare", "util-linux"));
    elsewhere.args(["--uts", "sh", "-ec"]).arg(
        "hostname elsewhere; umask 077; export TZ=Pacific/Auckland
        mkdir deeper; cp loaded.toml loaded.lock deeper; cd deeper
        exec taskset --cpu-list 0 \"$0\" --store other/place bake --locked loaded.toml",
    );
    elsewhere.arg(env!("CARGO_BIN_EXE_racker"));
    kitchen.racker.finish(elsewhere).success();
    let other = Racker::new(&kitchen.path("deeper/other/place")).at(&kitchen.path("deeper"));
    assert_eq!(other.tree("loaded"), expected);
    let digest = |racker: &Racker, name: &str| {
        let target = format!("oci:{}", kitchen.path(name).display());
        let output = racker.run(&["save", "loaded", &target]).success();
        output.text().to_owned()
    };
    assert_eq!(digest(&other, "one"), digest(&kitchen.racker, "two"));

    // Once more in each, where there is no network at all.
    for racker in [&kitchen.racker, &other] {
        let mut cut_off = racker.surround(tool("unshare", "util-linux"));
        cut_off.arg("--net").arg(env!("CARGO_BIN_EXE_racker"));
        cut_off.args(["bake", "--locked", "--offline", "--check", "loaded.toml"]);
        racker.finish(cut_off).success();
    }

    let services = SERVICES.join(" ");
    let script = format!(
        "systemctl is-system-running --wait; systemctl --failed --plain --no-legend
        systemctl is-active {services}"
    );
    for method in ["erofs", "checkout"] {
        let arguments = ["--tree-mount", method, "run", "--rm", "loaded", "sh", "-c"];
        let output = other.run(&[&arguments[..], &[&script]].concat());
        let expected = format!("running\n{}", "active\n".repeat(SERVICES.len()));
        assert_eq!(output.text(), expected, "{method}: {}", output.report());
    }
    other.verify();
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn bullseye() {
    equal_and_whole("bullseye");
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn bookworm() {
    equal_and_whole("bookworm");
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn trixie() {
    equal_and_whole("trixie");
}
