//! What containers write, and who looks at it: logs, attaching, terminals.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{shared, temporary, tool, wait_for};
use crate::{BOTH, Container, LONG};

#[test]
fn logs_are_kept() {
    for (place, way) in BOTH.iter().enumerate() {
        let script = "echo one; echo two >&2; echo three; echo -n tail";
        let container = Container::start(&format!("logs{place}"), way, &["sh", "-c", script]);
        container.run(&["wait"], &[]).success();
        let output = container.run(&["logs"], &[]).success();
        assert_eq!(output.text(), "one\nthree\ntail");
        assert_eq!(output.stderr, "two\n");
        let output = container.run(&["logs", "--tail", "1"], &[]).success();
        assert_eq!(
            output.text().lines().count() + output.stderr.lines().count(),
            1
        );
        let output = container.run(&["logs", "--timestamps"], &[]).success();
        let lines = output.text();
        assert!(
            lines.starts_with("20") && lines.contains("Z three\n"),
            "{lines}"
        );
        let output = container.run(&["logs", "--tail", "-1"], &[]).success();
        assert_eq!(output.text(), "one\nthree\ntail");
        let logs = |option: &str, time: &str| {
            let zone = shared().clone().env("TZ", "EST5");
            let output = zone.run(&["logs", option, time, &container.name]).success();
            output.text().contains("three")
        };
        assert!(logs("--since", "2020-01-01") && logs("--since", "2020-01-01T00:00:00"));
        assert!(!logs("--until", "2020-01-01") && !logs("--until", "2020-01-01T00:00:00"));
        // A time without its zone is local: five hours behind.
        let first = container.run(&["logs", "-t"], &[]).success().into_text();
        let first: jiff::Timestamp = first.split(' ').next().unwrap().parse().unwrap();
        let local = |hours: i64| {
            let time = first - jiff::SignedDuration::from_hours(hours);
            time.to_string().trim_end_matches('Z').to_owned()
        };
        assert!(logs("--since", &local(5)) && !logs("--since", &local(4)));
        let output = container.run(&["logs", "--until", "1h"], &[]).success();
        assert_eq!(output.text(), "");
    }
    let script = "for i in 1 2 3; do echo $i; sleep 0.3; done";
    let container = Container::start("follow", BOTH[1], &["sh", "-c", script]);
    let output = container.run(&["logs", "--follow"], &[]).success();
    assert_eq!(output.text(), "1\n2\n3\n");
    // In the foreground too, where it is not to go.
    let racker = shared();
    let name = format!("front-{}", std::process::id());
    racker
        .run(&[
            "run",
            "--name",
            &name,
            "--systemd=false",
            "quickstart",
            "echo",
            "shown",
        ])
        .success();
    assert_eq!(
        racker.run(&["logs", &name]).success().into_text(),
        "shown\n"
    );
    racker.run(&["rm", &name]).success();
}

#[test]
fn attaching() {
    let container = Container::start(
        "attach",
        &["-i", "--systemd=false"],
        &["sh", "-c", "read x; echo got $x; exit 4"],
    );
    let racker = shared().clone().input("typed\n");
    let output = racker.run(&["attach", &container.name]).code(4);
    assert_eq!(output.text(), "got typed\n");
}

#[test]
fn a_terminal_is_set_back_when_racker_is_killed() {
    // script(1) makes the terminal; what it shows at the end is its state.
    let racker = shared();
    let program = env!("CARGO_BIN_EXE_racker");
    // What runs in the background has no terminal, unless it is given it.
    let inner = format!(
        "stty -a | grep -o '[-]*icanon' ; ({program} run -it --rm --systemd=false --network=none quickstart \
         sleep 1000 </dev/tty & echo $! > \"$PIDFILE\"; wait $!) ; sleep 1; stty -a | grep -o '[-]*icanon'"
    );
    let place = temporary();
    let file = place.path().join("pid");
    let mut command = racker.surround(tool("script", "bsdutils"));
    command
        .env("PIDFILE", &file)
        .args(["-qec", &inner, "/dev/null"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid: i32 = wait_for(LONG, "racker", || {
        fs::read_to_string(&file).ok()?.trim().parse().ok()
    });
    let parent = format!("PPid:\t{pid}\n");
    wait_for(LONG, "a terminal in raw mode", || {
        let mine = |name: &String| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{name}/{file}")).ok();
            let named = read("cmdline").is_some_and(|it| it.contains("racker-terminal-guard"));
            named && read("status").is_some_and(|it| it.contains(&parent))
        };
        crate::support::names(Path::new("/proc"))
            .iter()
            .any(mine)
            .then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let mut shown = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut shown)
        .unwrap();
    child.wait().unwrap();
    let states: Vec<&str> = shown
        .lines()
        .map(str::trim)
        .filter(|it| it.ends_with("icanon"))
        .collect();
    assert_eq!(states, ["icanon", "icanon"], "{shown}");
}

#[test]
fn an_interactive_shell_in_a_terminal() {
    let racker = shared();
    let program = env!("CARGO_BIN_EXE_racker");
    for way in BOTH {
        let inner = format!(
            "{program} run -it --rm {} quickstart bash --norc",
            way.join(" ")
        );
        let mut command = racker.surround(tool("script", "bsdutils"));
        command
            .args(["-qec", &inner, "/dev/null"])
            .env("TERM", "dumb");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length) = screen.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut seen = String::new();
        let mut until = |text: &str| {
            while !seen.contains(text) {
                let bytes = lines
                    .recv_timeout(LONG)
                    .unwrap_or_else(|_| panic!("no {text:?} in {seen:?}"));
                seen.push_str(&String::from_utf8_lossy(&bytes));
            }
            seen.clear();
        };
        until("# ");
        keyboard.write_all(b"tty; echo $((40+2))\n").unwrap();
        until("42");
        // Ctrl-C ends the command in the foreground and not the shell.
        keyboard.write_all(b"sleep 1000; echo never\n").unwrap();
        std::thread::sleep(Duration::from_millis(500));
        keyboard.write_all(b"\x03").unwrap();
        keyboard.write_all(b"echo $((50+5))\n").unwrap();
        until("55");
        keyboard.write_all(b"exit 7\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
}

#[test]
fn output_that_goes_nowhere_is_told() {
    let racker = shared();
    let container = Container::start("full", BOTH[0], &["sleep", "1000"]);
    let executed = vec!["exec", &container.name, "echo", "lost"];
    let mut lines = vec![executed];
    for way in BOTH {
        lines.push([&["run", "--rm"], way, &["quickstart", "echo", "lost"]].concat());
    }
    for line in lines {
        let mut command = racker.command(&line);
        command.stdout(fs::File::create("/dev/full").unwrap());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{line:?}");
        assert!(said.contains("No space left on device"), "{line:?}: {said}");
    }
}
