//! From start to end: exit codes, stopping, pausing, starting again, and ends that nobody wanted.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};

use crate::support::{Racker, shared, wait_for};
use crate::{BOTH, Container, LONG, ps, supervisor};

#[test]
fn a_life() {
    for (place, way) in BOTH.iter().enumerate() {
        let name = format!("life{place}");
        let container = Container::start(&name, way, &["sleep", "1000"]);
        let up = format!("{} running\n", container.name);
        assert!(ps(&[]).contains(&up));
        assert_eq!(container.sh("echo $((1+1)); id -u"), "2\n0\n");
        container.sh("echo kept > /kept");
        container.run(&["stop", "--time", "5"], &[]).success();
        assert!(!ps(&[]).contains(&container.name));
        assert!(ps(&["-a"]).contains(&format!("{} exited\n", container.name)));
        // What it changed is there again.
        container.run(&["start"], &[]).success();
        assert_eq!(container.sh("cat /kept"), "kept\n");
        container.run(&["restart", "-t", "0"], &[]).success();
        assert_eq!(container.sh("cat /kept"), "kept\n");
        container.run(&["kill"], &[]).success();
        let output = container.run(&["wait"], &[]).success();
        assert_eq!(output.text(), "137\n");
        container.exec(&["true"]).code(1).says("is not running");
        container.run(&["rm"], &[]).success();
        container
            .run(&["inspect", "--type=container"], &[])
            .code(1)
            .says("no such container");
    }
}

#[test]
fn exec_gives_the_commands_exit_code_and_streams() {
    for (place, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("exec{place}"), way, &["sleep", "1000"]);
        for code in [0, 1, 66, 255] {
            container
                .exec(&["sh", "-c", &format!("exit {code}")])
                .code(code)
                .silent();
        }
        container.exec(&["sh", "-c", "kill -TERM $$"]).code(143);
        container
            .exec(&["no-such-command"])
            .code(127)
            .says("no-such-command");
        container
            .exec(&["/etc/passwd"])
            .code(126)
            .says("ermission denied");
        for (directory, user, code) in [
            ("/nosuch", "0", 127),
            ("/etc/passwd", "0", 127),
            ("/root", "nobody", 126),
        ] {
            let head = ["exec", "-w", directory, "-u", user];
            shared()
                .run(&[&head[..], &[&container.name, "true"]].concat())
                .code(code)
                .one_message()
                .says(&format!("chdir to {directory}: "));
        }
        let output = container
            .exec(&["sh", "-c", "echo out; echo err >&2"])
            .success();
        assert_eq!((output.text(), output.stderr.as_str()), ("out\n", "err\n"));
        let racker = shared().clone().input("through\n");
        let output = racker
            .run(&["exec", "-i", &container.name, "cat"])
            .success();
        assert_eq!(output.text(), "through\n");
        let arguments = [
            "exec",
            "-u",
            "33:34",
            "-e",
            "A=b c",
            "-w",
            "/usr/lib",
            &container.name,
            "sh",
            "-c",
            "echo $A $(id -u):$(id -g) $(pwd)",
        ];
        assert_eq!(
            shared().run(&arguments).success().into_text(),
            "b c 33:34 /usr/lib\n"
        );
        // What is left running does not hold the caller, and goes on.
        container
            .exec(&["sh", "-c", "sleep 777 & echo done"])
            .success();
        container.run(&["exec", "-d"], &["sleep", "778"]).success();
        let top = container.run(&["top"], &[]).success().into_text();
        assert!(
            top.contains("sleep 777") && top.contains("sleep 778"),
            "{top}"
        );
    }
}

#[test]
fn the_exit_code_of_a_container_in_the_background() {
    for (place, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("code{place}"), way, &["sh", "-c", "exit 66"]);
        assert_eq!(container.run(&["wait"], &[]).success().into_text(), "66\n");
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "66");
        let output = shared().run(&["start", "--attach", &container.name]);
        output.code(66);
    }
    let name = format!("wrong-{}", std::process::id());
    for way in BOTH {
        let head = ["run", "-d", "--name", &name];
        let output = shared().run(&[&head, way, &["quickstart", "no-such-command"]].concat());
        output.code(127).says("no-such-command");
        shared().run(&["rm", &name]).success();
    }
}

#[test]
fn stopping_asks_first() {
    // The command's own signal, where it is not an init.
    let script = "trap 'echo asked; exit 5' TERM; echo up; while :; do sleep 0.05; done";
    let container = Container::start("asked", BOTH[1], &["sh", "-c", script]);
    wait_for(LONG, "it is up", || {
        (container.run(&["logs"], &[]).text() == "up\n").then_some(())
    });
    container.run(&["stop"], &[]).success();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "5");
    // One that does not listen is killed.
    let script = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let container = Container::start("deaf", BOTH[1], &["sh", "-c", script]);
    wait_for(LONG, "it is up", || {
        (container.run(&["logs"], &[]).text() == "up\n").then_some(())
    });
    container.run(&["stop", "-t", "1"], &[]).success();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "137");
    // A guest is shut down: its services end in good order.
    let unit = "[Service]\nExecStart=sleep 1000\nExecStop=sh -c 'echo stopped > /stopped'\n";
    let container = Container::start("guest", &["--wait=boot"], &["sleep", "1000"]);
    container.sh(&format!(
        "printf '%s' \"{unit}\" > /etc/systemd/system/x.service; systemctl start x"
    ));
    container.run(&["stop"], &[]).success();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "143");
    let output = shared().run(&["cp", &format!("{}:/stopped", container.name), "-"]);
    assert!(output.success().into_text().contains("stopped\n"));
}

#[test]
fn an_init_of_its_own() {
    let container = Container::start("init", &["--wait=boot"], &["/sbin/init"]);
    let state = container
        .exec(&["systemctl", "is-system-running"])
        .success();
    assert_eq!(state.text(), "running\n");
    // However much it has to tell, nobody is deaf to it.
    container.sh(
        "printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/true\n' \
             >/run/systemd/system/nothing.service
         for i in $(seq 400); do systemctl start nothing; done",
    );
    container.exec(&["true"]).success();
    container.run(&["stop"], &[]).success();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
    // It may end itself.
    container.run(&["start"], &[]).success();
    let asked = container.exec(&["systemctl", "--no-block", "poweroff"]);
    // What it asks for ends it, too, where that is quicker.
    assert!(matches!(asked.code, Some(0 | 143)), "{}", asked.report());
    assert_eq!(container.run(&["wait"], &[]).success().into_text(), "0\n");
}

#[test]
fn pausing() {
    let container = Container::start("pause", BOTH[1], &["sleep", "1000"]);
    container.run(&["pause"], &[]).success();
    assert_eq!(container.inspect("{{.State.Status}}"), "paused");
    container.exec(&["true"]).code(1).says("paused");
    container
        .run(&["pause"], &[])
        .code(1)
        .says("already paused");
    container.run(&["unpause"], &[]).success();
    container.exec(&["true"]).success();
    container.run(&["unpause"], &[]).code(1).says("not paused");
}

#[test]
fn a_killed_supervisor_leaves_nothing_and_the_truth() {
    for (place, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("orphan{place}"), way, &["sleep", "1000"]);
        let state = container.inspect("{{.State.Pid}}");
        kill_process(supervisor(&container.name), Signal::KILL).unwrap();
        wait_for(LONG, "the container is gone", || {
            (!Path::new("/proc").join(&state).exists()).then_some(())
        });
        container.comes_to("exited");
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "137");
        container.run(&["start"], &[]).success();
        container.exec(&["true"]).success();
    }
}

/// A container that was never started: its id, and the file that says what it is.
fn created(racker: &Racker) -> (String, PathBuf) {
    let id = racker
        .run(&["create", "--systemd=false", "quickstart", "true"])
        .success()
        .into_text();
    let place = racker.store().join("containers").join(&id[..12]);
    (id, place.join("config.json"))
}

#[test]
fn none_outlives_the_machine() {
    let racker = shared();
    let (id, file) = created(racker);
    let text = fs::read_to_string(&file).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    // As if the machine had been started since.
    config["machine"] = "another".into();
    fs::write(&file, config.to_string()).unwrap();
    racker
        .run(&["start", id.trim()])
        .code(1)
        .says("from before the machine was started");
    racker.run(&["rm", id.trim()]).success();
    // A damaged one is told by itself, and does not hide the others.
    let (id, file) = created(racker);
    fs::write(&file, "{").unwrap();
    racker.run(&["ps", "-a"]).success();
    racker.run(&["start", id.trim()]).code(1).says("is damaged");
    racker.run(&["rm", "-f", id.trim()]).success();
    assert!(!file.exists());
}

#[test]
fn restarts() {
    let script = "echo run; exit 3";
    let options = [
        "--systemd=false",
        "--network=none",
        "--restart=on-failure:2",
    ];
    let container = Container::start("again", &options, &["sh", "-c", script]);
    container.comes_to("exited");
    assert_eq!(
        container.run(&["logs"], &[]).success().into_text(),
        "run\nrun\nrun\n"
    );
    assert_eq!(
        container.inspect("{{.RestartCount}} {{.State.ExitCode}}"),
        "2 3"
    );
    let options = ["--systemd=false", "--network=none", "--restart=always"];
    let container = Container::start("always", &options, &["sh", "-c", "exit 0"]);
    wait_for(LONG, "two restarts", || {
        let count: u32 = container.inspect("{{.RestartCount}}").parse().unwrap();
        (count >= 2).then_some(())
    });
    container.run(&["stop", "-t", "0"], &[]).success();
    assert_eq!(container.inspect("{{.State.Status}}"), "exited");
}

#[test]
fn health() {
    for (number, way) in BOTH.iter().enumerate() {
        let options = [
            "--health-cmd",
            "test -e /well",
            "--health-interval=100ms",
            "--health-retries=2",
        ];
        let options = [&options[..], way].concat();
        let container = Container::start(&format!("health{number}"), &options, &["sleep", "1000"]);
        let comes_to = |status: &str| {
            wait_for(LONG, status, || {
                (container.inspect("{{.State.Health.Status}}") == status).then_some(())
            });
        };
        comes_to("unhealthy");
        container.sh("touch /well");
        comes_to("healthy");
        assert!(
            container
                .inspect("{{json .State.Health}}")
                .contains("\"FailingStreak\":0")
        );
    }
}

#[test]
fn thirty_two_at_once() {
    let names: Vec<String> = (0..32)
        .map(|it| format!("many{it}-{}", std::process::id()))
        .collect();
    std::thread::scope(|scope| {
        for (number, name) in names.iter().enumerate() {
            scope.spawn(move || {
                let head = ["run", "-d", "--name", name];
                let command = ["quickstart", "sleep", "1000"];
                shared()
                    .run(&[&head, BOTH[number % 2], &command].concat())
                    .success();
                shared().run(&["exec", name, "true"]).success();
            });
        }
    });
    let filter = format!("name=-{}", std::process::id());
    let count = |racker: &Racker| {
        let output = racker
            .run(&["ps", "-q", "--filter", "name=many", "--filter", &filter])
            .success();
        output.text().lines().count()
    };
    assert!(count(shared()) >= 32);
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    shared().run(&[&["rm", "-f"][..], &list].concat()).success();
    for name in &names {
        shared().run(&["inspect", name]).code(1);
    }
}
