//! The system call filters of containers: those that nspawn sets, byte for byte.
//!
//! A test binary of its own, since nobody else may start a container meanwhile.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

mod support;

use support::{Racker, shared};

/// These tests take turns.
static TURN: Mutex<()> = Mutex::new(());

const KEPT: &str = "/run/racker/filters";

/// The filters of the first process of a container that is started for it.
fn filters(racker: &Racker, options: &[&str]) -> Vec<Vec<u8>> {
    let name = format!("filters-{}", std::process::id());
    let head = ["run", "-d", "--name", &name];
    let tail = ["quickstart", "sleep", "1000"];
    racker.run(&[&head, options, &tail].concat()).success();
    let arguments = ["inspect", "--format", "{{.State.Pid}}", &name];
    let pid: u32 = racker
        .run(&arguments)
        .success()
        .text()
        .trim()
        .parse()
        .unwrap();
    let filters = racker::sys::seccomp_filters(pid).unwrap();
    // What runs in the container has them too, and cannot take them off.
    let status = racker
        .run(&["exec", &name, "grep", "Seccomp", "/proc/self/status"])
        .success();
    assert!(status.text().contains("Seccomp:\t2\n"), "{}", status.text());
    let count = status
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp_filters:\t"));
    assert!(count.unwrap().trim().parse::<usize>().unwrap() >= filters.len());
    racker.run(&["rm", "-f", &name]).success();
    filters
}

#[test]
fn kept_filters_are_those_that_nspawn_sets() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let racker = shared();
    for options in [
        &[][..],
        &["--systemd=false"],
        &["--cap-add=SYS_MODULE"],
        &["--privileged"],
    ] {
        let _ = fs::remove_dir_all(KEPT);
        // nspawn sets them, since none are kept.
        let own = filters(racker, options);
        assert!(!own.is_empty());
        assert_eq!(support::names(Path::new(KEPT)).len(), 1, "{options:?}");
        // racker's program sets them.
        let before = fs::metadata(Path::new(KEPT)).unwrap().modified().unwrap();
        let kept = filters(racker, options);
        assert_eq!(own, kept, "{options:?}");
        assert_eq!(
            fs::metadata(Path::new(KEPT)).unwrap().modified().unwrap(),
            before
        );
    }
}

#[test]
fn what_they_deny_is_denied() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let racker = shared();
    // The second time it is racker that sets them.
    for round in 0..2 {
        for way in [&[][..], &["--systemd=false"]] {
            // keyctl(2), by its number on this machine's architecture.
            let number = libc::SYS_keyctl;
            let script = format!("syscall({number}, 0, 0, 0) == -1 or die; print $! + 0");
            let arguments = [
                &["run", "--rm"],
                way,
                &["quickstart", "perl", "-e", &script],
            ]
            .concat();
            let output = racker.run(&arguments).success();
            assert_eq!(output.text(), libc::EPERM.to_string(), "round {round}");
        }
    }
}

#[test]
fn damaged_filters_stop_the_container_and_do_no_harm() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let racker = shared();
    racker
        .run(&["run", "--rm", "--systemd=false", "quickstart", "true"])
        .success();
    for name in support::names(Path::new(KEPT)) {
        // Lengths that fit, and instructions that are none.
        let mut bytes = 16u32.to_le_bytes().to_vec();
        bytes.extend([0xff; 16]);
        fs::write(Path::new(KEPT).join(name), bytes).unwrap();
    }
    for way in [&[][..], &["--systemd=false"]] {
        let arguments = [&["run", "--rm"], way, &["quickstart", "echo", "ran"]].concat();
        let output = racker.run(&arguments).code(125).one_message();
        assert_eq!(output.text(), "");
    }
    fs::remove_dir_all(KEPT).unwrap();
    racker.run(&["run", "--rm", "quickstart", "true"]).success();
}
