//! Every guest that racker has a recipe for, with either way to mount its tree.

mod support;

use support::Racker;

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
        let script = "systemctl is-system-running --wait; systemctl --failed --plain --no-legend; \
                      systemctl --version | head -n 1 | cut -d ' ' -f 1,2";
        let output = run(&["sh", "-c", script]).success().silent();
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
