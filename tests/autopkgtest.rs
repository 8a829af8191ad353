//! racker by its third name, `autopkgtest-virt-racker`: Debian's own autopkgtest on it, and the
//! protocol by hand.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use support::{Output, Racker, names, shared, temporary, tool, wait, wait_for};
use tempfile::TempDir;

/// Longer than a container takes for anything.
const LONG: Duration = Duration::from_secs(60);

/// A directory with the program by its third name.
fn bin() -> (TempDir, PathBuf) {
    let directory = temporary();
    let link = directory.path().join("autopkgtest-virt-racker");
    symlink(env!("CARGO_BIN_EXE_racker"), &link).unwrap();
    (directory, link)
}

/// A server that is spoken to by hand.
struct Server {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    line: String,
    _bin: TempDir,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let (bin, link) = bin();
        let mut command = shared().surround(link);
        command.args(options);
        let line = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self {
            requests: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            line,
            _bin: bin,
        };
        assert_eq!(server.answer(), "ok");
        server
    }

    /// One with an open testbed, and its scratch space.
    fn open(options: &[&str]) -> (Self, String) {
        let mut server = Self::start(&[options, &["quickstart"]].concat());
        let answer = server.ask("open");
        let scratch = answer
            .strip_prefix("ok ")
            .unwrap_or_else(|| panic!("{answer}"));
        let scratch = scratch.to_owned();
        (server, scratch)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, request: &str) -> String {
        writeln!(self.requests, "{request}").unwrap();
        self.answer()
    }

    /// Runs a script in the testbed, as the server says.
    #[track_caller]
    fn sh(&mut self, script: &str) -> Output {
        let answer = self.ask("print-execute-command");
        let words = answer
            .strip_prefix("ok ")
            .unwrap_or_else(|| panic!("{answer}"));
        let words: Vec<String> = words.split(',').map(|it| it.replace("%20", " ")).collect();
        let mut command = shared().surround(&words[0]);
        command.args(&words[1..]).args(["sh", "-c", script]);
        shared().finish(command)
    }

    /// Waits for its end, after what was its last request.
    /// Waits for its end, with its input left open.
    fn ended(self) -> Output {
        let Self {
            child,
            line,
            requests,
            ..
        } = self;
        let output = wait(child, line);
        drop(requests);
        output
    }

    fn end(self) -> Output {
        drop(self.requests);
        wait(self.child, self.line)
    }
}

/// The id of the server's testbed.
fn testbed_of(server: &mut Server) -> String {
    let answer = server.ask("print-execute-command");
    answer.rsplit(',').next().unwrap().to_owned()
}

/// Whether anything is left of a container: its directory, its place on the host.
fn is_gone(id: &str) -> bool {
    let kept = shared().store().join("containers").join(&id[..12]);
    let place = Path::new("/run/racker").join(&id[..12]);
    !kept.exists() && !place.exists()
}

#[test]
fn a_testbed_has_what_was_promised() {
    let (mut server, scratch) = Server::open(&[]);
    let capabilities = server.ask("capabilities");
    assert_eq!(
        capabilities,
        "ok revert revert-full-system root-on-testbed isolation-container reboot"
    );
    let script = format!("id -u; stat -c %a {scratch}; systemctl is-system-running");
    let output = server.sh(&script).success();
    assert_eq!(output.text(), "0\n1777\nrunning\n");
    server.sh("exit 3").code(3);
    server.sh("kill -TERM $$").code(143);
    // These would mean that it was not run.
    server.sh("exit 254").code(253);
    server.sh("exit 255").code(253);
    assert_eq!(server.ask("auxverb_debug_fail"), "ok");
    let id = testbed_of(&mut server);
    assert_eq!(server.ask("close"), "ok");
    assert!(is_gone(&id));
    assert!(server.ask("open").starts_with("ok /"));
    assert_eq!(server.ask("quit"), "ok");
    server.end().success();
}

#[test]
fn input_and_output_are_the_commands() {
    let (mut server, _) = Server::open(&[]);
    let answer = server.ask("print-execute-command");
    let words: Vec<&str> = answer[3..].split(',').collect();
    let racker = shared().clone().input("from outside");
    let mut command = racker.surround(words[0]);
    command
        .args(&words[1..])
        .args(["sh", "-c", "cat; echo error >&2; sleep 1000 &"]);
    // What is left behind does not keep it.
    let output = racker.finish(command).success();
    assert_eq!(
        (output.text(), output.stderr.as_str()),
        ("from outside", "error\n")
    );
    server.sh("grep -x sleep /proc/[0-9]*/comm").success();
    server.ask("quit");
    server.end().success();
}

#[test]
fn revert_undoes_everything() {
    let (mut server, scratch) = Server::open(&[]);
    let first = testbed_of(&mut server);
    let spoil =
        "touch /etc/left /tmp/left /home/left /run/left $0/left; rm /bin/ls; hostname other;
        useradd -m somebody; systemctl mask nginx; (setsid sleep 1000 >/dev/null 2>&1 &)";
    server.sh(&spoil.replace("$0", &scratch)).success();
    assert_eq!(server.ask("revert"), format!("ok {scratch}"));
    assert!(is_gone(&first));
    let look =
        "ls /etc/left /tmp/left /home/left /run/left $0/left 2>/dev/null; ls -A $0; hostname;
        getent passwd somebody; grep -x sleep /proc/[0-9]*/comm; systemctl is-enabled nginx";
    let output = server.sh(&look.replace("$0", &scratch)).success();
    let lines: Vec<&str> = output.text().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_ne!(lines[0], "other");
    assert_eq!(lines[1], "enabled");
    server.ask("quit");
    server.end().success();
}

#[test]
fn a_reboot_keeps_what_is_on_the_disk() {
    let (mut server, scratch) = Server::open(&[]);
    let id = testbed_of(&mut server);
    let spoil = format!("touch /etc/left {scratch}/left /run/left");
    server.sh(&spoil).success();
    // The kernel takes the old network away when it likes: here it cannot.
    let state = shared()
        .store()
        .join("containers")
        .join(&id[..12])
        .join("state.json");
    let state: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(state).unwrap()).unwrap();
    let _network = fs::File::open(format!("/proc/{}/ns/net", state["leader"])).unwrap();
    assert_eq!(server.ask("reboot"), "ok");
    let look = format!("ls -d /etc/left {scratch}/left; ls /run/left 2>/dev/null || echo gone");
    let text = server.sh(&look).success().into_text();
    assert_eq!(text, format!("/etc/left\n{scratch}/left\ngone\n"));
    // As a test does that reboots by itself, with leave.
    let mark = "/run/autopkgtest-reboot-prepare-mark";
    let script = format!(
        "touch {mark}; (while [ -e {mark} ]; do sleep 0.01; done; systemctl reboot) >/dev/null 2>&1 &"
    );
    server.sh(&script).success();
    assert_eq!(server.ask("reboot prepare-only"), "ok");
    server.sh(&format!("test -e {scratch}/left")).success();
    // It is the same one still, and is gone with all of that.
    assert_eq!(testbed_of(&mut server), id);
    assert!(server.ask("revert").starts_with("ok "));
    assert!(is_gone(&id));
    server.sh("test ! -e /etc/left").success();
    server.ask("quit");
    server.end().success();
}

#[test]
fn files_go_both_ways() {
    let (mut server, scratch) = Server::open(&[]);
    let directory = temporary();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir_all(path("tree/in ner")).unwrap();
    fs::write(path("tree/in ner/file"), "text").unwrap();
    symlink("in ner/file", path("tree/link")).unwrap();
    fs::write(path("tool"), "#!/bin/sh\necho works\n").unwrap();
    fs::set_permissions(path("tool"), fs::Permissions::from_mode(0o700)).unwrap();
    let host = directory.path().display().to_string();
    for request in [
        format!("copydown {host}/tree/ {scratch}/tree/"),
        format!("copydown {host}/tool {scratch}/a%20tool"),
        format!("copyup {scratch}/tree/ {host}/back/"),
        format!("copyup {scratch}/a%20tool {host}/again"),
        // Files of the kernel's have no size.
        format!("copyup /proc/1/comm {host}/comm"),
    ] {
        assert_eq!(server.ask(&request), "ok", "{request}");
    }
    let script = format!("cd {scratch}; cat tree/link; './a tool'; stat -c '%U %a' 'a tool'");
    let text = server.sh(&script).success().into_text();
    assert_eq!(text, "textworks\nroot 755\n");
    assert_eq!(fs::read_to_string(path("back/link")).unwrap(), "text");
    assert_eq!(
        fs::read(path("again")).unwrap(),
        fs::read(path("tool")).unwrap()
    );
    assert_eq!(fs::read_to_string(path("comm")).unwrap(), "systemd\n");
    // What cannot be copied is no reason to end.
    for request in [
        format!("copydown {host}/missing {scratch}/x"),
        format!("copyup /missing/ {host}/missing/"),
        format!("copyup /etc {host}/etc"),
    ] {
        assert_eq!(server.ask(&request), "copy-failed", "{request}");
    }
    assert!(!path("missing").exists());
    // No link of the testbed's leads out of it.
    server.sh(&format!("ln -s {host} {scratch}/out")).success();
    server.ask(&format!("copydown {host}/tool {scratch}/out/escaped"));
    assert!(!path("escaped").exists());
    server.ask("quit");
    server.end().success();
}

#[test]
fn a_copy_may_take_its_time_and_no_longer() {
    let (bin, link) = bin();
    let racker = shared()
        .clone()
        .env("AUTOPKGTEST_VIRT_COPY_TIMEOUT", "0")
        .input(format!(
            "open\ncopydown {}/ /tmp/x/\nquit\n",
            bin.path().display()
        ));
    let mut command = racker.surround(&link);
    command.arg("quickstart");
    let output = racker.finish(command).success();
    let answers: Vec<&str> = output.text().lines().skip(2).collect();
    assert_eq!(answers, ["timeout", "ok"]);
    let racker = racker.env("AUTOPKGTEST_VIRT_COPY_TIMEOUT", "soon");
    let mut command = racker.surround(&link);
    command.arg("quickstart");
    racker.finish(command).code(2).says("is not a number");
}

#[test]
fn requests_that_make_no_sense_end_it() {
    for (requests, text) in [
        ("frobnicate\n", "unknown command \"frobnicate\""),
        ("open now\n", "too many arguments"),
        ("copyup /x\n", "too few arguments"),
        ("copyup /x/ /y\n", "either both paths end in / or none"),
        ("revert\n", "the testbed is not open"),
        ("close\n", "the testbed is not open"),
        ("reboot\n", "the testbed is not open"),
        ("print-execute-command\n", "the testbed is not open"),
        (
            "copyup /etc/hostname /dev/null\n",
            "the testbed is not open",
        ),
        ("open\nopen\n", "the testbed is open already"),
        ("\n \ncapabilities\n", "the input ended without quit"),
        ("", "the input ended without quit"),
    ] {
        let racker = shared().clone().input(requests);
        let (_bin, link) = bin();
        let mut command = racker.surround(link);
        command.arg("quickstart");
        let output = racker.finish(command).code(12).one_message().says(text);
        assert!(output.text().starts_with("ok\n"), "{}", output.report());
    }
}

#[test]
fn the_command_line() {
    let run = |arguments: &[&str]| {
        let (_bin, link) = bin();
        let racker = shared().clone().input("open\nquit\n");
        let mut command = racker.surround(link);
        command.args(arguments);
        racker.finish(command)
    };
    let version = run(&["--version"]).success();
    assert!(version.text().starts_with("autopkgtest-virt-racker "));
    run(&[]).code(2);
    run(&["quickstart", "sh"]).code(2);
    for option in ["-i", "-t", "--user=x", "--entrypoint=x", "--restart=always"] {
        run(&[option, "quickstart"])
            .code(2)
            .one_message()
            .says("has no meaning for a testbed");
    }
    run(&["--offline", "no-such-image"]).code(12).one_message();
    // Without an init there is less that a test may ask for.
    let (mut server, _) = Server::open(&["--systemd=false", "--network=none"]);
    assert_eq!(
        server.ask("capabilities"),
        "ok revert revert-full-system root-on-testbed"
    );
    assert_eq!(
        server.sh("cat /proc/1/comm").success().text(),
        "racker-init\n"
    );
    let id = testbed_of(&mut server);
    writeln!(server.requests, "reboot").unwrap();
    server.end().code(12).says("cannot be rebooted");
    assert!(is_gone(&id));
}

#[test]
fn nothing_is_left_of_a_server_that_is_killed() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let (mut server, _) = Server::open(&[]);
        assert_eq!(server.ask("reboot"), "ok");
        let id = testbed_of(&mut server);
        kill_process(Pid::from_child(&server.child), signal).unwrap();
        let output = server.ended();
        assert_eq!(output.code, None, "{}", output.report());
        wait_for(LONG, "everything gone", || is_gone(&id).then_some(()));
    }
    shared().verify();
}

/// A tree with tests as a source package has them.
fn package(tests: &[(&str, &str, &str)]) -> TempDir {
    let directory = temporary();
    let write = |name: &str, text: &str| {
        let path = directory.path().join("debian").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write(
        "control",
        "Source: sample\nSection: misc\nPriority: optional\nMaintainer: Some One <some@example.org>\n\n\
         Package: sample\nArchitecture: all\nDescription: a sample\n",
    );
    write(
        "changelog",
        "sample (1.0) unstable; urgency=low\n\n  * First.\n\n \
         -- Some One <some@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n",
    );
    // It counts as built, so that the testbed needs no compiler.
    write("files", "");
    let mut control = String::new();
    for (name, restrictions, script) in tests {
        write(
            &format!("tests/{name}"),
            &format!("#!/bin/sh\nset -eu\n{script}\n"),
        );
        control.push_str(&format!(
            "Tests: {name}\nDepends:\nRestrictions: allow-stderr, {restrictions}\n\n"
        ));
    }
    write("tests/control", &control);
    directory
}

/// Runs Debian's autopkgtest on a package; the directory has what it wrote.
fn autopkgtest(tests: &[(&str, &str, &str)]) -> (Output, TempDir) {
    let package = package(tests);
    let results = temporary();
    let (bin, _) = bin();
    let racker: &Racker = shared();
    let path = format!(
        "{}:{}",
        bin.path().display(),
        racker::container::process::PATH
    );
    let mut command: Command = racker.surround(tool("autopkgtest", "autopkgtest"));
    command
        .env("PATH", path)
        .arg("--output-dir")
        .arg(results.path().join("out"))
        .arg(package.path())
        .args(["--", "racker", "--offline", "quickstart"]);
    (racker.finish(command), results)
}

const PASSES: [(&str, &str, &str); 6] = [
    (
        "user",
        "isolation-container",
        "test $(id -u) != 0; echo made > $AUTOPKGTEST_ARTIFACTS/artifact",
    ),
    (
        "root",
        "needs-root, isolation-container",
        "test $(id -u) = 0; systemctl is-active nginx; systemctl restart nginx",
    ),
    (
        "reboots",
        "needs-root, needs-reboot, isolation-container",
        "case ${AUTOPKGTEST_REBOOT_MARK:-} in
            '') touch /etc/before $AUTOPKGTEST_TMP/file /run/before; /tmp/autopkgtest-reboot once;;
            once) test -e /etc/before -a -e $AUTOPKGTEST_TMP/file -a ! -e /run/before
                /tmp/autopkgtest-reboot-prepare twice; touch /etc/leave; reboot; sleep 1000;;
            twice) test -e /etc/leave; echo rebooted twice;;
        esac",
    ),
    (
        "spoils",
        "needs-root, isolation-container, breaks-testbed",
        "echo spoilt > /etc/spoilt; rm /bin/cp",
    ),
    (
        "clean",
        "isolation-container",
        "test ! -e /etc/spoilt -a ! -e /etc/before -a -x /bin/cp",
    ),
    ("machine", "isolation-machine, skippable", "exit 1"),
];

#[test]
fn debians_autopkgtest_runs_on_it() {
    let (output, results) = autopkgtest(&PASSES[..5]);
    let output = output.success();
    let summary = fs::read_to_string(results.path().join("out/summary")).unwrap();
    let passed: Vec<String> = summary
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = ["user", "root", "reboots", "spoils", "clean"].map(|it| format!("{it} PASS"));
    assert_eq!(passed, expected, "{}", output.report());
    let artifact = results.path().join("out/artifacts/artifact");
    assert_eq!(fs::read_to_string(artifact).unwrap(), "made\n");
    let out = fs::read_to_string(results.path().join("out/reboots-stdout")).unwrap();
    assert!(out.ends_with("rebooted twice\n"), "{out}");
}

#[test]
fn autopkgtest_tells_what_failed_and_what_cannot_be() {
    let fails = ("fails", "isolation-container", "echo reason >&2; exit 7");
    let (output, results) = autopkgtest(&[PASSES[0], fails, PASSES[5]]);
    let output = output.code(6);
    let summary = fs::read_to_string(results.path().join("out/summary")).unwrap();
    assert!(
        summary.contains("non-zero exit status 7"),
        "{}",
        output.report()
    );
    assert!(summary.contains("machine              SKIP"), "{summary}");
    let errors = fs::read_to_string(results.path().join("out/fails-stderr")).unwrap();
    assert_eq!(errors, "reason\n");
    let (output, results) = autopkgtest(&[PASSES[0], fails]);
    output.code(4);
    assert!(names(&results.path().join("out")).contains(&"log".to_owned()));
}
