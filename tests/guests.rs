//! Every guest that racker has a recipe for, with either way to mount its tree, on this machine and
//! on a host with control groups of version 2 alone.

mod support;

use support::Racker;
use support::host::Host;

/// What a guest says that booted well, before its version.
const SCRIPT: &str = "systemctl is-system-running --wait; systemctl --failed --plain --no-legend; \
                      systemctl --version | head -n 1 | cut -d ' ' -f 1,2";

/// Bakes an image and boots it; one that rolls has no certain version of systemd.
fn boots(label: &str, version: Option<&str>) {
    let racker = Racker::new(&support::scratch().join("guests").join(label));
    let lock = support::scratch().join(format!("{label}.lock"));
    let bake = ["bake", label, "--lock", lock.to_str().unwrap()];
    racker.run(&bake).success();
    racker.run(&[&bake[..], &["--check"]].concat()).success();
    for method in ["erofs", "checkout"] {
        let run = |command: &[&str]| {
            racker.run(&[&["--tree-mount", method, "run", "--rm", label], command].concat())
        };
        let output = run(&["sh", "-c", SCRIPT]).success().silent();
        let systemd = output.text().strip_prefix("running\nsystemd ");
        let systemd = systemd.unwrap_or_else(|| panic!("{method}: {}", output.report()));
        assert!(
            version.is_none_or(|it| it == systemd.trim_end()),
            "{method}"
        );
        let output = run(&["hostnamectl"]).success().silent();
        assert!(
            output.text().contains("Virtualization: systemd-nspawn"),
            "{}",
            output.report()
        );
        run(&["sh", "-c", "exit 66"]).code(66);
        run(&["sh", "-c", "kill -TERM $$"]).code(143);
        run(&["no-such-command"]).code(127);
        let racker = racker.clone().input("foo\n");
        let output = racker
            .run(&["--tree-mount", method, "run", "-i", label, "cat"])
            .success();
        assert_eq!(output.text(), "foo\n");
        let output = run(&["printf", "<%s>\\n", "a b", "", "$HOME", "%n", "a\nb"]).success();
        assert_eq!(output.text(), "<a b>\n<>\n<$HOME>\n<%n>\n<a\nb>\n");
    }
    let host = Host::boot(label, &racker);
    let run = ["run", "--rm", "--register", label, "sh", "-c", SCRIPT];
    let output = host.racker(&run).success().silent();
    let systemd = output.text().strip_prefix("running\nsystemd ");
    let systemd = systemd.unwrap_or_else(|| panic!("{}", output.report()));
    assert!(version.is_none_or(|it| it == systemd.trim_end()));
    drop(host);
    racker.verify();
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn debian_bullseye() {
    boots("debian-bullseye", Some("247"));
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn debian_bookworm() {
    boots("debian-bookworm", Some("252"));
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn debian_trixie() {
    boots("debian-trixie", Some("257"));
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn debian_forky() {
    boots("debian-forky", None);
}

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn debian_sid() {
    boots("debian-sid", None);
}
