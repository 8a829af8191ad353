//! racker by its second name, `postroj`.

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use support::{Kitchen, Output};

const LISTED: &str = r#"[
  "debian-stretch",
  "debian-buster",
  "debian-bullseye",
  "debian-bookworm",
  "debian-trixie",
  "debian-sid",
  "ubuntu-focal",
  "ubuntu-jammy",
  "ubuntu-noble",
  "fedora-35",
  "fedora-36",
  "fedora-37",
  "fedora-44",
  "fedora-45",
  "rhel-8",
  "rhel-9",
  "rhel-10",
  "opensuse-leap15",
  "opensuse-leap16",
  "opensuse-tumbleweed",
  "sles-15",
  "sles-bci",
  "centos-7",
  "centos-8",
  "centos-9",
  "centos-10",
  "rockylinux-8",
  "rockylinux-9",
  "amazonlinux-2023",
  "oraclelinux-10",
  "archlinux-20220501"
]
"#;

/// A store in which debian-bookworm needs no network any more, and quickstart is baked.
fn bench() -> Kitchen {
    let kitchen = Kitchen::with_quickstart();
    // The lock of a recipe has what those below it need.
    let lock = kitchen.racker.store().join("locks/debian-bookworm.lock");
    fs::copy(kitchen.path("quickstart.lock"), lock).unwrap();
    kitchen
}

fn postroj(kitchen: &Kitchen, arguments: &[&str]) -> Output {
    let link = kitchen.path("postroj");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_racker"), &link).unwrap();
    }
    let mut command = kitchen.racker.surround(link);
    command.args(arguments);
    kitchen.racker.finish(command)
}

#[test]
fn images_are_listed() {
    let output = postroj(&Kitchen::new(), &["list-images"])
        .success()
        .silent();
    assert_eq!(output.text(), LISTED);
}

#[test]
fn the_command_line() {
    let kitchen = Kitchen::new();
    let version = postroj(&kitchen, &["--version"]).success();
    assert!(version.text().starts_with("postroj "));
    postroj(&kitchen, &["bake"]).code(2);
    postroj(&kitchen, &["pull"]).code(2);
    postroj(&kitchen, &["pull", "debian-12", "--all"]).code(2);
    postroj(&kitchen, &["pull", "debian-bokworm"])
        .code(2)
        .says("did you mean `debian-bookworm`?");
    postroj(&kitchen, &["selftest"]).code(2);
    postroj(
        &kitchen,
        &["invoke", "--system=windows-1809", "cmd", "/C", "ver"],
    )
    .code(1)
    .one_message()
    .says("not there yet");
}

#[test]
fn what_cannot_be_pulled_does_not_keep_the_others() {
    let kitchen = bench();
    let output = postroj(&kitchen, &["--offline", "pull", "debian-12"]).success();
    assert!(output.text().starts_with("debian-bookworm "));
    assert_eq!(output.made(), Vec::<&str>::new());
    postroj(&kitchen, &["--offline", "pull", "ubuntu-22"])
        .code(1)
        .one_message()
        .says("ubuntu-jammy: ");
    let output = postroj(&kitchen, &["--offline", "pull", "--all"]).code(1);
    assert!(output.text().starts_with("debian-bookworm "));
    let failed = output.stderr.matches("racker: ").count();
    assert_eq!(failed, 30, "{}", output.report());
    kitchen.racker.verify();
}

#[test]
fn images_tell_who_they_are() {
    let kitchen = bench();
    let words = ["--offline", "selftest", "hostnamectl", "debian-bookworm"];
    let report = postroj(&kitchen, &words).success().json();
    assert_eq!(report[0]["image"], "debian-bookworm");
    assert_eq!(report[0]["checks"].as_array().unwrap().len(), 2);
    // One that fails first is not forgotten.
    let words = [&words[..3], &["ubuntu-jammy", "debian-12"]].concat();
    let report = postroj(&kitchen, &words).code(5).json();
    assert!(report[0]["error"].as_str().unwrap().contains("network"));
    assert_eq!(report[1]["checks"][1]["ok"], true);
    kitchen.racker.verify();
}

#[test]
fn the_web_server_of_an_image_answers() {
    let kitchen = bench();
    let selftest = ["selftest", "pkgprobe", "--format=human"];
    let words = [&selftest[..], &["debian-bookworm"]].concat();
    let output = postroj(&kitchen, &words).success();
    for line in [
        "unit apache2.service: active",
        "http://localhost:80: answers 200 OK",
    ] {
        assert!(output.text().contains(line), "{}", output.report());
    }
    // There another one has the port.
    let words = [&selftest[..], &["quickstart", "debian-bookworm"]].concat();
    let output = postroj(&kitchen, &words).code(5);
    for line in ["FAIL  unit apache2.service", "1 of 2 probes hold"] {
        assert!(output.text().contains(line), "{}", output.report());
    }
    kitchen.racker.verify();
}

#[test]
fn packages_are_probed() {
    let kitchen = bench();
    let probe = ["--offline", "pkgprobe", "--image=debian-12"];
    let check = |unit: &str| postroj(&kitchen, &[&probe[..], &[unit]].concat());
    check("--check-unit=systemd-journald").success();
    check("--check-unit=webfs").code(3);
}
