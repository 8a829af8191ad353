//! Containers that are kept: docker's verbs on real ones, booted and not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

mod support;

use support::{Output, Racker, execute, shared, temporary, tool, wait_for};

/// The options that make quickstart boot, and those that make it run the command directly.
const BOTH: [&[&str]; 2] = [&[], &["--systemd=false"]];
/// Longer than a container takes for anything.
const LONG: Duration = Duration::from_secs(60);

/// A container of a test's own, removed at the end.
struct Container {
    name: String,
}

impl Container {
    /// Starts one in the background.
    #[track_caller]
    fn start(name: &str, options: &[&str], command: &[&str]) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let head = ["run", "-d", "--name", &name];
        let output = shared().run(&[&head, options, &["quickstart"], command].concat());
        let id = output.success().silent().into_text();
        assert_eq!(id.trim().len(), 64, "{id}");
        Self { name }
    }

    fn run(&self, verb: &[&str], rest: &[&str]) -> Output {
        shared().run(&[verb, &[&self.name], rest].concat())
    }

    fn exec(&self, command: &[&str]) -> Output {
        self.run(&["exec"], command)
    }

    #[track_caller]
    fn sh(&self, script: &str) -> String {
        self.exec(&["sh", "-c", script]).success().into_text()
    }

    #[track_caller]
    fn inspect(&self, template: &str) -> String {
        let output = shared().run(&["inspect", "--format", template, &self.name]);
        output.success().into_text().trim_end().to_owned()
    }

    /// Waits until the container has this status.
    #[track_caller]
    fn comes_to(&self, status: &str) {
        wait_for(LONG, status, || {
            (self.inspect("{{.State.Status}}") == status).then_some(())
        });
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        shared().run(&["rm", "-f", &self.name]);
    }
}

/// The process that supervises a container.
fn supervisor(name: &str) -> Pid {
    let kept = shared().store().join(format!("containers/{name}.name"));
    let text = fs::read_to_string(kept.join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pid = i32::try_from(state["supervisor"].as_i64().unwrap()).unwrap();
    Pid::from_raw(pid).unwrap()
}

fn ps(options: &[&str]) -> String {
    let template = "{{.Names}} {{.State}}";
    let head = ["ps", "--format", template];
    shared()
        .run(&[&head, options].concat())
        .success()
        .into_text()
}

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
    container
        .exec(&["systemctl", "--no-block", "poweroff"])
        .success();
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

#[test]
fn none_outlives_the_machine() {
    let racker = shared();
    let id = racker
        .run(&["create", "--systemd=false", "quickstart", "true"])
        .success()
        .into_text();
    let file = racker
        .store()
        .join("containers")
        .join(&id[..12])
        .join("config.json");
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
    let id = racker
        .run(&["create", "--systemd=false", "quickstart", "true"])
        .success()
        .into_text();
    let file = racker
        .store()
        .join("containers")
        .join(&id[..12])
        .join("config.json");
    fs::write(&file, "{").unwrap();
    racker.run(&["ps", "-a"]).success();
    racker.run(&["start", id.trim()]).code(1).says("is damaged");
    racker.run(&["rm", "-f", id.trim()]).success();
    assert!(!file.exists());
}

#[test]
fn names() {
    let container = Container::start("named", BOTH[1], &["sleep", "1000"]);
    let taken = ["create", "--name", &container.name, "quickstart", "true"];
    shared()
        .run(&taken)
        .code(125)
        .says("is already in use by container");
    let bad = ["create", "--name", "no/name", "quickstart", "true"];
    shared().run(&bad).code(125).says("invalid container name");
    let id = container.inspect("{{.Id}}");
    shared().run(&["exec", &id[..8], "true"]).success();
    let other = format!("other-{}", container.name);
    container.run(&["rename"], &[&other]).success();
    shared().run(&["exec", &other, "true"]).success();
    container.exec(&["true"]).code(1).says("no such container");
    shared().run(&["rename", &other, &container.name]).success();
    // One without a name gets one.
    let racker = shared();
    let id = racker
        .run(&["create", "--label", "mine=1", "quickstart", "true"])
        .success()
        .into_text();
    let filter = [
        "ps",
        "-a",
        "--filter",
        "label=mine",
        "--format",
        "{{.Names}}",
    ];
    let name = racker.run(&filter).success().into_text();
    assert!(name.contains('_'), "{name}");
    racker.run(&["rm", id.trim()]).success();
    // A name is free again with its container's end, and what somebody killed left of one is none.
    let link = shared()
        .store()
        .join("containers")
        .join(format!("{other}.name"));
    std::os::unix::fs::symlink("0123456789ab", &link).unwrap();
    let start = ["run", "-d", "--rm", "--systemd=false", "--name", &other];
    let start = [&start[..], &["quickstart", "sleep", "1000"]].concat();
    let id = racker.run(&start).success().into_text();
    racker.run(&start).code(125).says(id.trim());
    let third = format!("third-{other}");
    racker.run(&["rename", &other, &third]).success();
    assert!(link.symlink_metadata().is_err());
    racker.run(&["rename", &third, &other]).success();
    racker.run(&["kill", &other]).success();
    wait_for(LONG, "the name is free", || {
        link.symlink_metadata().is_err().then_some(())
    });
    racker.run(&start).success();
    racker.run(&["rm", "-f", &other]).success();
    assert!(link.symlink_metadata().is_err());
}

#[test]
fn listing() {
    let container = Container::start(
        "list",
        &["--systemd=false", "--label", "a=b"],
        &["sleep", "99"],
    );
    let filter = format!("name={}", container.name);
    let ps = |options: &[&str]| {
        let head = ["ps", "--filter", &filter];
        shared()
            .run(&[&head, options].concat())
            .success()
            .into_text()
    };
    let table = ps(&[]);
    let heading = "CONTAINER ID   IMAGE        COMMAND      CREATED";
    assert!(table.starts_with(heading), "{table}");
    assert!(table.contains("\"sleep 99\""), "{table}");
    assert_eq!(ps(&["--ids"]).trim().len(), 12);
    assert_eq!(ps(&["-q", "--no-trunc"]).trim().len(), 64);
    let table = ps(&["--format", "table {{.Names}}\t{{.Image}}"]);
    assert_eq!(
        table
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["NAMES", "IMAGE"]
    );
    let document: serde_json::Value = serde_json::from_str(&ps(&["--format", "json"])).unwrap();
    assert!(
        document["Labels"].as_str().unwrap().contains("a=b"),
        "{document}"
    );
    assert_eq!(ps(&["--filter", "status=exited"]), table_heading());
    assert_eq!(ps(&["-q", "--filter", "label=a=c"]), "");
    container.sh("head -c 3000000 /dev/zero >/big; ln /big /again; rm /again");
    let filter = format!("name={}", container.name);
    let table = shared()
        .run(&["ps", "--size", "--filter", &filter])
        .success();
    let lines: Vec<&str> = table.text().lines().collect();
    assert!(lines[0].ends_with("   SIZE"), "{}", table.report());
    assert!(
        lines[1].contains("   3.00MB (virtual "),
        "{}",
        table.report()
    );
    shared()
        .run(&["ps", "--filter", "x=y"])
        .code(1)
        .says("invalid filter");
    shared()
        .run(&["ps", "--format", "{{.Names"])
        .code(1)
        .says("template");
    assert!(
        shared()
            .run(&["container", "ls"])
            .success()
            .into_text()
            .contains(&container.name)
    );
}

fn table_heading() -> String {
    "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES\n".into()
}

#[test]
fn copying() {
    let place = temporary();
    let at = |name: &str| place.path().join(name).display().to_string();
    fs::create_dir_all(at("dir/sub")).unwrap();
    fs::write(at("dir/sub/file"), "text").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("dir/link")).unwrap();
    for (number, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("copy{number}"), way, &["sleep", "1000"]);
        let inside = |path: &str| format!("{}:{path}", container.name);
        let racker = shared();
        racker.run(&["cp", &at("dir"), &inside("/srv")]).success();
        assert_eq!(
            container.sh("cat /srv/dir/sub/file; stat -c %u /srv/dir/sub/file"),
            "text0\n"
        );
        assert_eq!(container.sh("readlink /srv/dir/link"), "/etc/passwd\n");
        racker
            .run(&["cp", &at("dir/sub/file"), &inside("/srv/new")])
            .success();
        racker
            .run(&["cp", &at("dir/."), &inside("/srv/all")])
            .success();
        assert_eq!(container.sh("cat /srv/new; ls /srv/all"), "textlink\nsub\n");
        racker
            .run(&["cp", &inside("/srv/dir"), &at(&format!("back{number}"))])
            .success();
        assert_eq!(
            fs::read_to_string(at(&format!("back{number}/sub/file"))).unwrap(),
            "text"
        );
        // Links in the container lead nowhere else.
        container.sh("ln -s / /srv/root; ln -s ../../../../../../etc /srv/up");
        let secret = at("secret");
        fs::write(&secret, "the host's").unwrap();
        let path = format!("/srv/root{secret}");
        racker.run(&["cp", &inside(&path), "-"]).code(1);
        racker
            .run(&["cp", &at("dir/sub/file"), &inside("/srv/up/racker-escape")])
            .success();
        assert!(!Path::new("/etc/racker-escape").exists());
        assert_eq!(container.sh("cat /etc/racker-escape"), "text");
        // A stopped one has the same files.
        container.run(&["stop", "-t", "0"], &[]).success();
        racker
            .run(&["cp", &at("dir/sub/file"), &inside("/srv/later")])
            .success();
        let tar = racker.run(&["cp", &inside("/srv/later"), "-"]).success();
        assert!(tar.text().contains("text"));
        container.run(&["start"], &[]).success();
        assert_eq!(container.sh("cat /srv/later"), "text");
        racker
            .run(&["cp", &inside("/no/such"), &at("x")])
            .code(1)
            .says("/no/such");
        racker
            .run(&["cp", &at("dir"), &inside("/etc/passwd")])
            .code(1)
            .says("cannot copy directory");
        racker
            .run(&["cp", &at("no"), &inside("/srv")])
            .code(1)
            .says(&at("no"));
    }
}

#[test]
fn differences_become_an_image() {
    for (number, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("commit{number}"), way, &["sleep", "1000"]);
        container
            .sh("echo new > /srv/new; chmod 600 /etc/passwd; rm /etc/issue; chown 33:33 /srv/new");
        let output = container.run(&["diff"], &[]).success().into_text();
        for line in ["A /srv/new", "C /etc/passwd", "D /etc/issue", "C /srv"] {
            assert!(output.lines().any(|it| it == line), "{line}:\n{output}");
        }
        assert!(
            !output.contains("/etc/hosts") && !output.contains("/etc/resolv.conf"),
            "{output}"
        );
        let name = format!("committed{number}-{}", std::process::id());
        let change = "CMD [\"stat\", \"-c\", \"%u %a\", \"/srv/new\"]";
        let arguments = [
            "commit",
            "-m",
            "why",
            "--change",
            change,
            &container.name,
            &name,
        ];
        shared().run(&arguments).success();
        let output = shared()
            .run(&["run", "--rm", "--systemd=false", &name])
            .success();
        assert_eq!(output.text(), "33 644\n");
        let output = shared().run(&["run", "--rm", &name, "sh", "-c", "test ! -e /etc/issue"]);
        output.success();
        shared().run(&["rmi", &name]).success();
    }
}

#[test]
fn published_ports_lead_in() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let publish = format!("{free}:7000");
    let server = "use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 5, LocalAddr => \
                  '127.0.0.1', LocalPort => 7000) or die; while ($c = $s->accept) { print $c 'hello'; close $c; }";
    for (number, way) in BOTH.iter().enumerate() {
        let options = [way, &["-p", &publish][..]].concat();
        let container =
            Container::start(&format!("port{number}"), &options, &["perl", "-e", server]);
        let answer = wait_for(LONG, "an answer", || {
            let mut stream = TcpStream::connect(("127.0.0.1", free)).ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            (!text.is_empty()).then_some(text)
        });
        assert_eq!(answer, "hello");
        let output = container.run(&["port"], &[]).success();
        assert_eq!(output.text(), format!("7000/tcp -> 0.0.0.0:{free}\n"));
        let taken = [
            "run",
            "--rm",
            "--systemd=false",
            "-p",
            &publish,
            "quickstart",
            "true",
        ];
        shared()
            .run(&taken)
            .code(125)
            .says("port is already allocated");
    }
    TcpListener::bind(("127.0.0.1", free)).unwrap();
    let echo = "use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => 7000) \
                or die; while (1) { $s->recv($x, 99); $s->send(uc $x); }";
    let publish = format!("127.0.0.1:{free}:7000/udp");
    let _container = Container::start(
        "udp",
        &["--systemd=false", "-p", &publish],
        &["perl", "-e", echo],
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let answer = wait_for(LONG, "an answer", || {
        socket.send_to(b"datagram", ("127.0.0.1", free)).ok()?;
        let mut buffer = [0; 99];
        let length = socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    });
    assert_eq!(answer, b"DATAGRAM");
}

#[test]
fn containers_of_a_network_find_each_other() {
    let racker = shared();
    let network = format!("net{}", std::process::id());
    racker.run(&["network", "create", &network]).success();
    racker
        .run(&["network", "create", &network])
        .code(1)
        .says("already exists");
    let option = format!("--network={network}");
    {
        let first = Container::start("first", &[&option, "--systemd=false"], &["sleep", "1000"]);
        let second = Container::start("second", &[&option], &["sleep", "1000"]);
        let address = first.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
        let found = second.sh(&format!("getent hosts {}", first.name));
        assert!(found.starts_with(&address), "{found}");
        // The one that was there before learns of the later one.
        first.sh(&format!("getent hosts {}", second.name));
        let talk = format!(
            "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"{}:7\"); print $!'",
            second.name
        );
        assert_eq!(first.sh(&talk), "Connection refused");
        // Its network can be shared.
        let option = format!("--network=container:{}", first.name);
        let guest = Container::start(
            "guest-of",
            &[&option, "--systemd=false"],
            &["sleep", "1000"],
        );
        assert!(guest.sh("cat /proc/net/fib_trie").contains(&address));
        racker
            .run(&["network", "rm", &network])
            .code(1)
            .says("in use");
    }
    racker.run(&["network", "rm", &network]).success();
    let gone = ["run", "--rm", &option, "quickstart", "true"];
    racker.run(&gone).code(125).says("not found");
}

#[test]
fn a_way_out() {
    // What listens on the host's side of the network stands for the world.
    let container = Container::start("out", BOTH[1], &["sleep", "1000"]);
    let gateway = container.sh("awk '$2 == \"00000000\" { print $3 }' /proc/net/route");
    let number = u32::from_str_radix(gateway.trim(), 16).unwrap();
    let gateway = std::net::Ipv4Addr::from(number.swap_bytes());
    let listener = TcpListener::bind((gateway, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"{gateway}:{port}\") or die $!; print $s \"hi\"'"
    );
    let sent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    container.sh(&script);
    assert_eq!(sent.join().unwrap(), "hi");
    // And it is masked on its way further.
    let rules = if Path::new("/usr/sbin/nft").exists() {
        execute(std::process::Command::new("/usr/sbin/nft").args(["list", "ruleset"]))
    } else {
        execute(
            std::process::Command::new(tool("iptables-save", "iptables"))
                .arg("-t")
                .arg("nat"),
        )
    };
    assert!(
        String::from_utf8_lossy(&rules)
            .to_lowercase()
            .contains("masquerade")
    );
}

#[test]
fn volumes_outlive_containers() {
    let racker = shared();
    let volume = format!("volume{}", std::process::id());
    let option = format!("{volume}:/etc/apt");
    for way in BOTH {
        let script = "test -e /etc/apt/sources.list -o -e /etc/apt/sources.list.d; chown 33:44 /etc/apt/apt.conf.d; \
                      echo $(stat -c %u:%g /etc/apt /etc/apt/apt.conf.d)";
        let arguments = [
            &["run", "--rm"],
            way,
            &["-v", &option, "quickstart", "sh", "-ec", script],
        ]
        .concat();
        let output = racker.run(&arguments).success();
        assert_eq!(output.text(), "0:0 33:44\n");
    }
    let container = Container::start(
        "volume",
        &["-v", &option, "--systemd=false"],
        &["sleep", "1000"],
    );
    racker
        .run(&["volume", "rm", &volume])
        .code(1)
        .says("in use by container");
    drop(container);
    assert!(
        racker
            .run(&["volume", "ls", "-q"])
            .success()
            .into_text()
            .contains(&volume)
    );
    racker.run(&["volume", "rm", &volume]).success();
}

/// The volumes of a container: name and place.
fn volumes_of(name: &str) -> Vec<(String, String)> {
    let template = "{{range .Mounts}}{{.Name}} {{.Destination}}\n{{end}}";
    let shown = shared().run(&["inspect", "--format", template, name]);
    let text = shown.success().into_text();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let mut all: Vec<_> = pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

/// Which of these volumes there are.
fn are_there(volumes: &[(String, String)]) -> Vec<bool> {
    let text = shared().run(&["volume", "ls", "-q"]).success().into_text();
    let there = |name: &str| text.lines().any(|line| line == name);
    volumes.iter().map(|(name, _)| there(name)).collect()
}

#[test]
fn volumes_that_an_image_wants() {
    let image = "test-volumes";
    let wanted = "[image]\nvolumes = [\"/data\", \"/var/www/html\"]\n";
    support::bake_on_quickstart(image, wanted);
    let racker = shared();
    let name = format!("wants-{}", std::process::id());
    let named = format!("named-{name}");
    for way in BOTH {
        let script = "echo $(grep -c hello /var/www/html/index.html; stat -c %u:%a /var/www/html); \
                      echo x >>/data/x; echo x >>/extra/x; cat /data/x /extra/x";
        let create = ["create", "--name", &name, "-v", "/extra"];
        racker
            .run(&[&create, way, &[image, "sh", "-c", script]].concat())
            .success();
        // They are there before anything runs.
        let volumes = volumes_of(&name);
        let places: Vec<&str> = volumes.iter().map(|(_, place)| place.as_str()).collect();
        assert_eq!(places, ["/data", "/extra", "/var/www/html"]);
        assert!(
            volumes.iter().all(|(name, _)| name.len() == 64),
            "{volumes:?}"
        );
        assert_eq!(are_there(&volumes), [true; 3]);
        for written in ["x\nx\n", "x\nx\nx\nx\n"] {
            let output = racker.run(&["start", "-a", &name]).success();
            assert_eq!(output.text(), format!("1 0:755\n{written}"));
        }
        racker
            .run(&["volume", "rm", &volumes[0].0])
            .code(1)
            .says("in use by container");
        // What is in them is no change of the container.
        let diff = racker.run(&["diff", &name]).success();
        assert!(!diff.text().contains("/x"), "{}", diff.report());
        racker.run(&["rm", &name]).success();
        assert_eq!(are_there(&volumes), [true; 3]);
        for (volume, _) in &volumes {
            racker.run(&["volume", "rm", volume]).success();
        }
        racker
            .run(&[&create, way, &[image, "true"]].concat())
            .success();
        let volumes = volumes_of(&name);
        racker.run(&["rm", "--volumes", &name]).success();
        assert_eq!(are_there(&volumes), [false; 3]);
        // A volume with a name takes the place of one, and stays.
        let option = format!("{named}:/data");
        let run = ["run", "-d", "--rm", "--name", &name, "-v", &option];
        racker
            .run(&[&run, way, &[image, "sleep", "1000"]].concat())
            .success();
        let volumes = volumes_of(&name);
        assert_eq!((volumes.len(), volumes[0].0.as_str()), (2, named.as_str()));
        if way.is_empty() {
            racker.run(&["stop", &name]).success();
        } else {
            kill_process(supervisor(&name), Signal::KILL).unwrap();
        }
        wait_for(LONG, "its own volume is gone", || {
            (are_there(&volumes) == [true, false]).then_some(())
        });
    }
    racker.run(&["volume", "rm", &named]).success();
}

#[test]
fn files_of_the_host_have_their_owners() {
    let place = temporary();
    let source = place.path().join("shared");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("of-root"), "x").unwrap();
    let bind = format!("{}:/data/deep", source.display());
    for way in BOTH {
        let script =
            "stat -c %u /data/deep/of-root; touch /data/deep/made; chown 1000 /data/deep/made";
        let arguments = [
            &["run", "--rm"],
            way,
            &["-v", &bind, "quickstart", "sh", "-ec", script],
        ]
        .concat();
        assert_eq!(shared().run(&arguments).success().into_text(), "0\n");
        let made = fs::metadata(source.join("made")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 1000);
        fs::remove_file(source.join("made")).unwrap();
        let read_only = format!("{bind}:ro");
        let arguments = [
            &["run", "--rm"],
            way,
            &["-v", &read_only, "quickstart", "touch", "/data/deep/x"],
        ]
        .concat();
        shared()
            .run(&arguments)
            .code(1)
            .says("Read-only file system");
        let file = format!(
            "type=bind,source={},target=/one,readonly",
            source.join("of-root").display()
        );
        let arguments = [
            &["run", "--rm"],
            way,
            &["--mount", &file, "quickstart", "cat", "/one"],
        ]
        .concat();
        assert_eq!(shared().run(&arguments).success().into_text(), "x");
    }
    let missing = format!(
        "type=bind,source={},target=/x",
        place.path().join("no").display()
    );
    let arguments = ["run", "--rm", "--mount", &missing, "quickstart", "true"];
    shared().run(&arguments).code(125).says("does not exist");
}

#[test]
fn limits_hold() {
    for way in BOTH {
        let eat = ["run", "--rm", "--memory", "64m"];
        // Grows until it is killed.
        let grow = "my $x = ''; $x .= 'x' x 1000000 while 1";
        let output = shared().run(&[&eat[..], way, &["quickstart", "perl", "-e", grow]].concat());
        output.code(137);
        let few = ["run", "--rm", "--pids-limit", "40"];
        let script = "for i in $(seq 100); do sleep 5 & done 2>&1; true";
        let output = shared().run(&[&few[..], way, &["quickstart", "sh", "-c", script]].concat());
        assert!(
            format!("{}{}", output.text(), output.stderr).contains("ork"),
            "{}",
            output.report()
        );
        let files = ["run", "--rm", "--ulimit", "nofile=100:200"];
        let script = "ulimit -n; ulimit -Hn";
        let output = shared().run(&[&files[..], way, &["quickstart", "sh", "-c", script]].concat());
        assert_eq!(output.success().into_text(), "100\n200\n");
    }
}

#[test]
fn what_a_command_may() {
    let bounding = |options: &[&str]| -> u64 {
        let head = ["run", "--rm", "--network=none"];
        let tail = [
            "quickstart",
            "sed",
            "-n",
            "s/CapBnd:\t//p",
            "/proc/self/status",
        ];
        let output = shared().run(&[&head, options, &tail].concat()).success();
        u64::from_str_radix(output.text().trim(), 16).unwrap()
    };
    for way in BOTH {
        assert_eq!(bounding(&[way, &["--cap-drop=ALL"][..]].concat()), 0);
        assert_eq!(
            bounding(&[way, &["--cap-drop=ALL", "--cap-add=CHOWN"][..]].concat()),
            1
        );
        let usual = bounding(way);
        assert_eq!(
            bounding(&[way, &["--cap-drop=KILL"][..]].concat()),
            usual & !(1 << 5)
        );
        assert_eq!(
            bounding(&[way, &["--cap-add=SYS_TIME"][..]].concat()),
            usual | 1 << 25
        );
        let script = "test $(cat /proc/self/uid_map | awk '{print $2}') = 0; mount -t tmpfs x /mnt; hostname x";
        let arguments = [
            &["run", "--rm", "--privileged"],
            way,
            &["quickstart", "sh", "-ec", script],
        ]
        .concat();
        shared().run(&arguments).success();
        let sealed = ["run", "--rm", "--security-opt=no-new-privileges"];
        let arguments = [
            &sealed[..],
            way,
            &["quickstart", "grep", "NoNewPrivs", "/proc/self/status"],
        ]
        .concat();
        assert_eq!(
            shared().run(&arguments).success().into_text(),
            "NoNewPrivs:\t1\n"
        );
    }
}

#[test]
fn a_read_only_root_and_memory() {
    for way in BOTH {
        let script = "touch /x 2>/dev/null && exit 9; touch /scratch/x; df --output=size /scratch /dev/shm | tail -2";
        let options = [
            "run",
            "--rm",
            "--read-only",
            "--tmpfs",
            "/scratch:size=1m",
            "--shm-size=2m",
        ];
        let output =
            shared().run(&[&options[..], way, &["quickstart", "sh", "-ec", script]].concat());
        let sizes: Vec<String> = output
            .success()
            .into_text()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        assert_eq!(sizes, ["1024", "2048"]);
    }
}

#[test]
fn namespaces_have_their_parameters() {
    let options = [
        "run",
        "--rm",
        "--sysctl",
        "net.ipv4.ip_default_ttl=77",
        "--sysctl",
        "kernel.msgmax=5000",
    ];
    for way in BOTH {
        let command = [
            "quickstart",
            "cat",
            "/proc/sys/net/ipv4/ip_default_ttl",
            "/proc/sys/kernel/msgmax",
        ];
        let output = shared()
            .run(&[&options[..], way, &command].concat())
            .success();
        assert_eq!(output.text(), "77\n5000\n");
    }
    shared()
        .run(&["run", "--sysctl", "vm.swappiness=1", "quickstart", "true"])
        .code(125)
        .says("it would be the host's");
    let ttl = fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap();
    assert_ne!(ttl, "77\n");
}

#[test]
fn devices() {
    for way in BOTH {
        let options = ["run", "--rm", "--device", "/dev/fuse:/dev/given"];
        let command = ["quickstart", "stat", "-c", "%F %t:%T", "/dev/given"];
        let output = shared()
            .run(&[&options[..], way, &command].concat())
            .success();
        assert_eq!(output.text(), "character special file a:e5\n");
    }
}

#[test]
fn hosts_and_name_servers() {
    for way in BOTH {
        let options = [
            "run",
            "--rm",
            "-h",
            "given",
            "--add-host",
            "other:192.0.2.7",
            "--dns",
            "192.0.2.53",
            "--dns-search",
            "example.test",
        ];
        let script = "hostname; getent hosts other given; cat /etc/resolv.conf";
        let output =
            shared().run(&[&options[..], way, &["quickstart", "sh", "-ec", script]].concat());
        let text = output.success().into_text();
        for line in ["given", "nameserver 192.0.2.53", "search example.test"] {
            assert!(text.lines().any(|it| it == line), "{text}");
        }
        assert!(text.contains("192.0.2.7"), "{text}");
    }
}

#[test]
fn the_host_is_found_from_every_network() {
    let racker = shared();
    let network = format!("up{}", std::process::id());
    racker.run(&["network", "create", &network]).success();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let call = format!(
        "use IO::Socket::INET; $s = IO::Socket::INET->new('up:{port}') or die $@; \
         print $s->peerhost"
    );
    for name in ["private", &network, "host"] {
        let gateway = if name == "host" {
            "127.0.0.1".to_owned()
        } else {
            // Made by whoever uses it first.
            let once = ["run", "--rm", "--systemd=false", "--network", name];
            racker
                .run(&[&once[..], &["quickstart", "true"]].concat())
                .success();
            let shown = racker.run(&["network", "inspect", name]).success().json();
            shown[0]["Gateway"].as_str().unwrap().to_owned()
        };
        let option = format!("--network={name}");
        let options = ["run", "--rm", "--add-host", "up:host-gateway", &option];
        let command = ["--systemd=false", "quickstart", "perl", "-e", &call];
        let output = racker.run(&[&options[..], &command].concat()).success();
        assert_eq!(output.text(), gateway, "{name}");
    }
    racker.run(&["network", "rm", &network]).success();
    let none = [
        "run",
        "--network=none",
        "--add-host=up:host-gateway",
        "quickstart",
    ];
    racker
        .run(&none)
        .code(125)
        .one_message()
        .says("no host-gateway");
}

#[test]
fn files_of_variables_labels_and_ids() {
    let place = temporary();
    fs::write(
        place.path().join("env"),
        "# comment\nA=one\n\nB=two words\n",
    )
    .unwrap();
    let racker = shared().clone().at(place.path()).env("C", "three");
    let options = [
        "run",
        "--rm",
        "--systemd=false",
        "--env-file",
        "env",
        "-e",
        "C",
        "--cidfile",
        "id",
    ];
    let output = racker.run(&[&options[..], &["quickstart", "sh", "-c", "echo $A $B $C"]].concat());
    assert_eq!(output.success().into_text(), "one two words three\n");
    assert_eq!(
        fs::read_to_string(place.path().join("id")).unwrap().len(),
        64
    );
    let output = racker.run(&[&options[..], &["quickstart", "true"]].concat());
    output.code(125).says("exists");
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
fn events_tell_what_happened() {
    let container = Container::start("event", BOTH[1], &["true"]);
    container.run(&["wait"], &[]).success();
    let filter = format!("container={}", container.name);
    let output = wait_for(LONG, "the end", || {
        let arguments = [
            "events",
            "--since",
            "10m",
            "--until",
            "0s",
            "--filter",
            &filter,
            "--format",
            "{{.Action}}",
        ];
        let text = shared().run(&arguments).success().into_text();
        text.contains("die").then_some(text)
    });
    assert_eq!(output, "create\nstart\ndie\n");
}

#[test]
fn what_is_not_supported_is_refused() {
    let racker = shared();
    for option in [
        &["--gpus", "all"][..],
        &["--ipc=host"],
        &["--pid=host"],
        &["--log-opt", "a=b"],
    ] {
        let arguments = [&["run", "--rm"], option, &["quickstart", "true"]].concat();
        racker.run(&arguments).code(125).says("is not supported: ");
    }
    racker
        .run(&["run", "-p", "x", "quickstart", "true"])
        .code(125)
        .says("invalid port");
    racker
        .run(&["run", "-v", "a:b", "quickstart", "true"])
        .code(125)
        .says("must be absolute");
    racker
        .run(&["run", "--rm", "--restart=always", "quickstart", "true"])
        .code(125)
        .says("conflicting options");
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
        support::names(Path::new("/proc"))
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
