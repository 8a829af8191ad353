//! `racker run`, booted and not, on real images.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

mod support;

use support::{Kitchen, Output, Racker, bake_on_quickstart, execute, shared, tool, wait_for};

/// The options that make quickstart boot, and those that make it run the command directly.
const BOTH: [&[&str]; 2] = [&[], &["--systemd=false"]];

fn run(racker: &Racker, options: &[&str], image: &str, command: &[&str]) -> Output {
    racker.run(&[&["run", "--rm"], options, &[image], command].concat())
}

/// A command in quickstart, with either way to run it.
fn both(options: &[&str], command: &[&str], check: impl Fn(Output)) {
    for way in BOTH {
        check(run(
            shared(),
            &[way, options].concat(),
            "quickstart",
            command,
        ));
    }
}

/// A shell script in quickstart, with either way to run it.
fn both_sh(options: &[&str], script: &str, check: impl Fn(Output)) {
    both(options, &["sh", "-c", script], check);
}

/// A kitchen with an image `mini` that has no init.
fn mini(image: &str) -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.recipe("mini.toml", image);
    kitchen.bake("mini.toml").success();
    kitchen
}

#[test]
fn hostnamectl_names_the_virtualization() {
    let output = run(shared(), &[], "quickstart", &["hostnamectl"])
        .success()
        .silent();
    assert!(
        output.text().contains("Virtualization: systemd-nspawn"),
        "{}",
        output.report()
    );
}

#[test]
fn the_guest_comes_up_without_a_failed_unit() {
    let script = "systemctl is-system-running --wait; systemctl --failed --plain --no-legend";
    let output = run(shared(), &[], "quickstart", &["sh", "-c", script])
        .success()
        .silent();
    assert_eq!(output.text(), "running\n");
    // The package's service came up with the system.
    let script = "systemctl is-system-running --wait; systemctl is-active nginx";
    let output = run(shared(), &[], "quickstart", &["sh", "-c", script]).success();
    assert_eq!(output.text(), "running\nactive\n");
}

#[test]
fn exit_codes_are_the_commands() {
    for code in [0, 1, 66, 125, 126, 127, 130, 143, 255] {
        both_sh(&[], &format!("exit {code}"), |output| {
            output.code(code).silent();
        });
    }
}

#[test]
fn signals_are_128_and_more() {
    for (name, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("INT", 130)] {
        both_sh(&[], &format!("kill -{name} $$"), |output| {
            output.code(code).silent();
        });
    }
}

#[test]
fn a_missing_command_is_127() {
    for command in ["no-such-command", "/usr/bin/no-such-command", "./no"] {
        both(&[], &[command], |output| {
            let output = output.code(127).says(command);
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.report());
        });
    }
}

#[test]
fn what_cannot_be_executed_is_126() {
    for command in ["/etc/passwd", "/etc"] {
        both(&[], &[command], |output| {
            let output = output.code(126).says(command).says("ermission denied");
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.report());
        });
    }
}

#[test]
fn a_file_that_is_no_program_is_126() {
    // It has the execute bit, but the kernel does not know the format.
    let kitchen =
        mini("[[step]]\nrun = \"printf '\\\\000\\\\001nothing' > /broken; chmod 755 /broken\"\n");
    run(&kitchen.racker, &[], "mini", &["/broken"])
        .code(126)
        .says("/broken");
    bake_on_quickstart(
        "test-broken-program",
        "[[step]]\nrun = \"printf '\\\\000\\\\001nothing' > /broken; chmod 755 /broken\"\n",
    );
    run(shared(), &[], "test-broken-program", &["/broken"])
        .code(126)
        .says("/broken");
}

#[test]
fn racker_itself_fails_with_125() {
    let racker = shared();
    racker
        .run(&["run", "--no-such-option", "quickstart", "true"])
        .code(125);
    racker.run(&["run"]).code(125);
    racker
        .run(&["run", "127.0.0.1:1/no/such:image", "true"])
        .code(125)
        .one_message();
    racker
        .run(&["--offline", "run", "no-such-image", "true"])
        .code(125)
        .says("no-such-image");
    racker
        .run(&["run", "-u", "nobody-here", "quickstart", "true"])
        .code(125)
        .says("nobody-here");
    racker
        .run(&["run", "-w", "not/absolute", "quickstart", "true"])
        .code(125)
        .one_message();
    racker
        .run(&["run", "--dns", "foo", "quickstart", "true"])
        .code(125)
        .says("invalid value 'foo' for '--dns <ADDRESS>'");
    racker
        .run(&["--tree-mount", "no-such", "run", "quickstart", "true"])
        .code(125);
    let kitchen = mini("");
    kitchen
        .racker
        .run(&["run", "--systemd=always", "mini", "true"])
        .code(125)
        .one_message()
        .says("systemd");
    kitchen
        .racker
        .run(&["run", "mini"])
        .code(125)
        .one_message()
        .says("no command");
}

#[test]
fn without_nspawn_the_package_is_named() {
    shared()
        .without("systemd-nspawn", &["run", "quickstart", "true"])
        .code(125)
        .one_message()
        .says("systemd-nspawn is not installed")
        .says("apt-get install systemd-container");
}

#[test]
fn standard_streams_are_separate() {
    both_sh(&[], "echo out; echo err >&2; printf end", |output| {
        let output = output.success();
        assert_eq!(output.text(), "out\nend");
        assert_eq!(output.stderr, "err\n");
    });
}

#[test]
fn input_is_passed_on_with_i_alone() {
    for way in BOTH {
        let racker = shared().clone().input("foo\n");
        let output = run(&racker, &[way, &["-i"]].concat(), "quickstart", &["cat"]).success();
        assert_eq!(output.text(), "foo\n");
        // Where neither stream is a terminal, -t makes none.
        let output = run(&racker, &[way, &["-it"]].concat(), "quickstart", &["cat"]).success();
        assert_eq!(output.text(), "foo\n");
        let output = run(&racker, way, "quickstart", &["cat"]).success().silent();
        assert_eq!(output.text(), "");
    }
}

#[test]
fn input_that_is_not_read_to_its_end_stops_nothing() {
    for way in BOTH {
        let racker = shared().clone().input(vec![b'x'; 4 << 20]);
        let way = [way, &["-i"]].concat();
        let output = run(&racker, &way, "quickstart", &["head", "-c", "3"]).success();
        assert_eq!(output.text(), "xxx");
    }
}

#[test]
fn input_that_never_ends_stops_nothing() {
    for way in BOTH {
        let arguments = [&["run", "--rm", "-i"], way, &["quickstart", "echo", "done"]].concat();
        let mut command = shared().command(&arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let held = child.stdin.take();
        let output = support::wait(child, format!("{command:?}")).success();
        assert_eq!(output.text(), "done\n");
        drop(held);
    }
}

#[test]
fn big_streams_arrive_whole() {
    const SIZE: usize = 50 << 20;
    let mut bytes = vec![0; SIZE];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    for way in BOTH {
        let racker = shared().clone().input(bytes.clone());
        let output = run(&racker, &[way, &["-i"]].concat(), "quickstart", &["cat"]).success();
        assert_eq!(output.stdout.len(), SIZE);
        assert!(output.stdout == bytes, "other bytes came back");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    for way in BOTH {
        let arguments = [&["run", "--rm"], way, &["quickstart", "cat", "/dev/zero"]].concat();
        let mut child = shared()
            .command(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 1000]).unwrap();
        drop(out);
        let output = support::wait(child, "racker run cat /dev/zero".into());
        // 128 + SIGPIPE
        assert_eq!(output.code, Some(141), "{}", output.report());
    }
}

#[test]
fn the_command_can_open_its_streams_again() {
    let script = "cat /dev/stdin > /dev/stdout; echo err > /dev/stderr; cat /proc/self/fd/0";
    for options in [&["-i"][..], &["-i", "-u", "www-data"]] {
        for way in BOTH {
            let racker = shared().clone().input("foo\n");
            let options = [way, options].concat();
            let output = run(&racker, &options, "quickstart", &["sh", "-c", script]).success();
            assert_eq!(output.text(), "foo\n", "{}", output.report());
            assert_eq!(output.stderr, "err\n");
        }
    }
    // The same without -i.
    both_sh(
        &["-u", "33"],
        "cat /dev/stdin; echo x > /dev/stderr; echo y > /dev/stdout",
        |output| {
            let output = output.success();
            assert_eq!((output.text(), output.stderr.as_str()), ("y\n", "x\n"));
        },
    );
}

/// What shells and systemd would change if anybody gave it to them.
const AWKWARD: [&str; 20] = [
    "a b",
    "",
    "$HOME",
    "${HOME}",
    "$$",
    "%n",
    "%%",
    "%",
    "'",
    "\"",
    "\\",
    "\\n",
    "a\nb",
    "\t",
    ";",
    "@",
    "-",
    "--rm",
    "ä€😀",
    "*",
];

fn dump(strings: &[&str]) -> String {
    let shown: Vec<String> = strings.iter().map(|text| format!("<{text}>\n")).collect();
    shown.concat()
}

#[test]
fn arguments_arrive_as_given() {
    let command = [&["printf", "<%s>\\n"][..], &AWKWARD].concat();
    both(&[], &command, |output| {
        assert_eq!(output.success().silent().text(), dump(&AWKWARD));
    });
    // An argument that systemd's command lines give a meaning to, in first place.
    both(&[], &["printf", "$HOME %%n ${HOME}\\n"], |output| {
        assert_eq!(output.success().text(), "$HOME %n ${HOME}\n");
    });
    both(&[], &["ls", "-d", "/etc", "--", "/usr"], |output| {
        assert_eq!(output.success().text(), "/etc\n/usr\n");
    });
    let long = "x".repeat(120_000);
    both(&[], &["printf", "%s", &long], |output| {
        assert_eq!(output.success().text(), long);
    });
}

#[test]
fn the_environment_arrives_as_given() {
    for text in AWKWARD {
        let variable = format!("ODD={text}");
        let options = ["--systemd=false", "-e", &variable];
        let output = run(shared(), &options, "quickstart", &["printenv", "ODD"]).success();
        assert_eq!(output.text(), format!("{text}\n"));
    }
    // One boot for all of them.
    let variables: Vec<String> = AWKWARD
        .iter()
        .enumerate()
        .map(|(i, text)| format!("ODD{i}={text}"))
        .collect();
    let mut options = Vec::new();
    for variable in &variables {
        options.extend(["-e", variable]);
    }
    let script =
        "i=0; while [ $i -lt 20 ]; do eval \"printf '<%s>\\n' \\\"\\$ODD$i\\\"\"; i=$((i+1)); done";
    let output = run(shared(), &options, "quickstart", &["sh", "-c", script]).success();
    assert_eq!(output.text(), dump(&AWKWARD));
}

#[test]
fn a_name_alone_takes_the_callers_value() {
    for way in BOTH {
        let racker = shared().clone().env("FROM_CALLER", "caller's");
        let options = [way, &["-e", "FROM_CALLER", "-e", "NOT_SET", "-e", "EMPTY="]].concat();
        let script = "echo \"$FROM_CALLER ${NOT_SET-unset} ${EMPTY-unset}.\"";
        let output = run(&racker, &options, "quickstart", &["sh", "-c", script]).success();
        assert_eq!(output.text(), "caller's unset .\n");
    }
}

#[test]
fn nothing_else_of_the_caller_is_in_the_environment() {
    for way in BOTH {
        let racker = shared().clone().env("SECRET", "1").env("LD_PRELOAD", "");
        let output = run(&racker, way, "quickstart", &["env"]).success();
        assert!(!output.text().contains("SECRET"), "{}", output.report());
        assert!(
            output.text().contains("HOME=/root\n"),
            "{}",
            output.report()
        );
        assert!(
            output.text().contains("PATH=/usr/local/sbin:"),
            "{}",
            output.report()
        );
    }
}

#[test]
fn the_working_directory() {
    both(&["-w", "/usr/share"], &["pwd"], |output| {
        assert_eq!(output.success().text(), "/usr/share\n");
    });
    both(&["-w", "/new/one here"], &["pwd"], |output| {
        assert_eq!(output.success().silent().text(), "/new/one here\n");
    });
    both(&[], &["pwd"], |output| {
        assert_eq!(output.success().text(), "/\n");
    });
    // A command is searched for from there.
    both(&["-w", "/usr/bin"], &["./echo", "x"], |output| {
        assert_eq!(output.success().text(), "x\n");
    });
    both(&["-w", "/etc/passwd"], &["pwd"], |output| {
        output
            .code(125)
            .one_message()
            .says("/etc/passwd: Not a directory");
    });
}

#[test]
fn the_user() {
    let id = "echo $(id -u):$(id -g):$(id -G) $HOME; touch /tmp/x && stat -c %u:%g /tmp/x";
    for (user, expected) in [
        ("www-data", "33:33:33 /var/www\n33:33\n"),
        ("33", "33:33:33 /var/www\n33:33\n"),
        ("33:7", "33:7:7 /var/www\n33:7\n"),
        ("www-data:adm", "33:4:4 /var/www\n33:4\n"),
        ("4321:1234", "4321:1234:1234 /\n4321:1234\n"),
        ("root", "0:0:0 /root\n0:0\n"),
    ] {
        both_sh(&["-u", user], id, |output| {
            assert_eq!(output.success().text(), expected);
        });
    }
}

#[test]
fn the_users_further_groups() {
    let kitchen = mini("");
    let options = ["-u", "www"];
    let output = run(
        &kitchen.racker,
        &options,
        "mini",
        &["sh", "-c", "echo $(id -G)"],
    )
    .success();
    assert_eq!(output.text(), "34 44\n");
}

#[test]
fn the_host_name() {
    both(&["--hostname", "named"], &["hostname"], |output| {
        assert_eq!(output.success().text(), "named\n");
    });
    both(&["--name", "called"], &["hostname"], |output| {
        assert_eq!(output.success().text(), "called\n");
    });
}

#[test]
fn the_network() {
    let names = |output: Output| -> Vec<String> {
        let mut names: Vec<String> = output.success().text().lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    let script = "sed -n 's/^ *\\([^ ]*\\):.*/\\1/p' /proc/net/dev";
    for network in [&["--network", "none"][..], &["--network=none"]] {
        both_sh(network, script, |output| assert_eq!(names(output), ["lo"]));
    }
    for network in [&[][..], &["--network=private"]] {
        both_sh(network, script, |output| {
            assert_eq!(names(output), ["eth0", "lo"]);
        });
    }
    // The namespace itself: interfaces come and go with the other tests' containers.
    let host = std::fs::read_link("/proc/self/ns/net").unwrap();
    both_sh(
        &["--network", "host"],
        "readlink /proc/self/ns/net",
        |output| assert_eq!(Path::new(output.success().text().trim_end()), host),
    );
    // The loopback interface works.
    both_sh(
        &[],
        "ip link show lo 2>/dev/null || cat /proc/net/if_inet6 /proc/net/fib_trie",
        |output| {
            assert!(output.text().contains("127.0.0.1") || output.text().contains("UP"));
        },
    );
}

#[test]
fn what_the_image_says_is_honoured() {
    const IMAGE: &str = "\
        [image]\n\
        cmd = [\"sh\", \"-c\", \"echo $FROM_IMAGE $(id -u):$(id -g) $(pwd)\"]\n\
        env = { FROM_IMAGE = \"the image's\" }\n\
        user = \"33\"\n\
        workdir = \"/usr/lib\"\n";
    let kitchen = mini(IMAGE);
    bake_on_quickstart("test-run-config", IMAGE);
    for (racker, image, group) in [
        (&kitchen.racker, "mini", "34"),
        (shared(), "test-run-config", "33"),
    ] {
        let output = run(racker, &[], image, &[]).success().silent();
        assert_eq!(output.text(), format!("the image's 33:{group} /usr/lib\n"));
        let output = run(racker, &[], image, &["pwd"]).success();
        assert_eq!(output.text(), "/usr/lib\n");
        let options = ["-e", "FROM_IMAGE=mine", "-u", "0", "-w", "/"];
        let output = run(racker, &options, image, &[]).success();
        assert_eq!(output.text(), "mine 0:0 /\n");
    }
}

#[test]
fn entrypoint_and_command() {
    let kitchen = mini("[image]\nentrypoint = [\"ls\", \"-d\"]\ncmd = [\"/etc\"]\n");
    let text = |options: &[&str], command: &[&str]| {
        run(&kitchen.racker, options, "mini", command)
            .success()
            .text()
            .to_owned()
    };
    assert_eq!(text(&[], &[]), "/etc\n");
    assert_eq!(text(&[], &["/usr"]), "/usr\n");
    assert_eq!(text(&["--entrypoint", "readlink"], &["/bin"]), "usr/bin\n");
    assert_eq!(text(&["--entrypoint", ""], &["pwd"]), "/\n");
    let elsewhere = run(
        &kitchen.racker,
        &["--platform=linux/s390x"],
        "mini",
        &["pwd"],
    );
    elsewhere
        .code(125)
        .one_message()
        .says("not for linux/s390x");
    // Nothing behind the image is an option of racker's.
    let words = ["-l", "--rm", "-d", "--", "--name", "x", "--help"];
    both(&["--entrypoint", "echo"], &words, |output| {
        assert_eq!(output.success().text().trim_end(), words.join(" "));
    });
    both(&["--entrypoint", "echo"], &["a  b"], |output| {
        assert_eq!(output.success().text(), "a  b\n");
    });
}

#[test]
fn from_scratch_with_one_static_binary() {
    const PROGRAM: &str = r#"
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            if (argc > 2) { kill(getpid(), atoi(argv[2])); pause(); }
            printf("hello from pid %s\n", getpid() > 1 ? "other" : "1");
            fprintf(stderr, "%d arguments\n", argc);
            return argc > 1 ? atoi(argv[1]) : 0;
        }"#;
    let kitchen = Kitchen::new();
    kitchen.write("hello.c", PROGRAM);
    execute(
        Command::new(tool("gcc", "gcc libc6-dev"))
            .args(["-static", "-O1", "-o"])
            .arg(kitchen.path("hello"))
            .arg(kitchen.path("hello.c")),
    );
    kitchen.write(
        "hello-world.toml",
        "from = \"scratch\"\n[[step]]\ncopy = { from = \"hello\", to = \"/hello\" }\n\
         [image]\nentrypoint = [\"/hello\"]\n",
    );
    kitchen.bake("hello-world.toml").success();
    let hello = |command: &[&str]| run(&kitchen.racker, &[], "hello-world", command);
    let output = hello(&[]).success();
    assert_eq!(
        (output.text(), output.stderr.as_str()),
        ("hello from pid other\n", "1 arguments\n")
    );
    hello(&["66"]).code(66);
    hello(&["0", "15"]).code(143);
    hello(&["0", "9"]).code(137);
    run(
        &kitchen.racker,
        &["--entrypoint", "/none"],
        "hello-world",
        &[],
    )
    .code(127);
    run(
        &kitchen.racker,
        &["-u", "77:88", "-w", "/made"],
        "hello-world",
        &[],
    )
    .success();
    kitchen.racker.verify();
}

#[test]
fn what_a_run_writes_the_next_does_not_see() {
    let script = "test ! -e /new && test -e /etc/passwd || exit 9; \
                  echo x > /new; rm /etc/passwd; echo y >> /etc/group; chmod 0 /usr/bin/ls";
    for _ in 0..2 {
        both_sh(&[], script, |output| {
            output.success().silent();
        });
    }
}

#[test]
fn the_root_is_the_images_own() {
    // The id map hides nothing: owners and modes are as they were baked. What racker mounts there
    // is not the image's.
    let script = "stat -c '%u:%g %a %F %n' / /tmp /etc/shadow /usr/bin/su /var/mail; \
                  find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run \
                  -o -path /etc/systemd/system-generators \\) -prune -o \
                  \\( -nouser -o -nogroup -o -uid 65534 \\) -print 2>/dev/null | head";
    both_sh(&[], script, |output| {
        let output = output.success();
        let expected = "0:0 755 directory /\n0:0 1777 directory /tmp\n\
                        0:42 640 regular file /etc/shadow\n0:0 4755 regular file /usr/bin/su\n\
                        0:8 2775 directory /var/mail\n";
        assert_eq!(output.text(), expected, "{}", output.report());
    });
}

#[test]
fn a_container_has_no_power_over_the_host() {
    both_sh(
        &[],
        "mknod /tmp/sda b 8 0; echo $?; cat /proc/self/uid_map",
        |output| {
            let text = output.text().to_owned();
            assert!(
                text.starts_with("1\n"),
                "a device could be made\n{}",
                output.report()
            );
            let base: u64 = text.split_whitespace().nth(2).unwrap().parse().unwrap();
            assert!(base >= 65536, "{}", output.report());
        },
    );
}

#[test]
fn sigterm_reaches_the_command() {
    let script = "trap 'echo got it; exit 33' TERM; echo ready; while :; do sleep 0.05; done";
    for way in BOTH {
        for (signal, code, text) in [
            (Signal::TERM, 33, "got it\n"),
            (Signal::INT, 130, ""),
            (Signal::HUP, 129, ""),
        ] {
            let arguments = [&["run", "--rm"], way, &["quickstart", "sh", "-c", script]].concat();
            let mut child = shared()
                .command(&arguments)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            kill_process(Pid::from_child(&child), signal).unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            let output = support::wait(child, format!("{arguments:?} {signal:?}"));
            assert_eq!(
                (output.code, rest.as_str()),
                (Some(code), text),
                "{}",
                output.report()
            );
        }
    }
}

/// Runs racker on a pseudo terminal, with `keys` typed once `prompt` is on the screen.
fn on_terminal(arguments: &[&str], prompt: &str, keys: &[u8]) -> (Option<i32>, String) {
    use std::io::Write;
    let quoted: Vec<String> = arguments
        .iter()
        .map(|argument| format!("'{}'", argument.replace('\'', "'\\''")))
        .collect();
    // script(1) gives it a terminal that is its session's own, and its exit code.
    let line = format!(
        "stty rows 33 cols 77 && exec {} {}",
        env!("CARGO_BIN_EXE_racker"),
        quoted.join(" ")
    );
    let mut command = shared().surround(tool("script", "bsdutils"));
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    let mut child = command
        .env("TERM", "vt100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut typed = false;
    let mut buffer = [0; 4096];
    loop {
        let length = screen.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        shown.extend_from_slice(&buffer[..length]);
        if !typed && String::from_utf8_lossy(&shown).contains(prompt) {
            keyboard.write_all(keys).unwrap();
            typed = true;
        }
    }
    drop(keyboard);
    let output = support::wait(child, line);
    (output.code, String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn a_terminal_of_the_right_size() {
    for way in BOTH {
        let script =
            "tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; echo $TERM; exit 5";
        let arguments = [
            &["run", "--rm", "-it"],
            way,
            &["quickstart", "sh", "-c", script],
        ]
        .concat();
        let (code, shown) = on_terminal(&arguments, "\0", b"");
        assert_eq!(code, Some(5), "{shown}");
        for text in ["/dev/", "33 77", "all", "vt100"] {
            assert!(shown.contains(text), "{text:?} is not in {shown:?}");
        }
    }
}

#[test]
fn what_is_typed_reaches_the_command() {
    for way in BOTH {
        let script = "echo go; read line; echo \"<$line>\"";
        let arguments = [
            &["run", "--rm", "-it"],
            way,
            &["quickstart", "sh", "-c", script],
        ]
        .concat();
        let (code, shown) = on_terminal(&arguments, "go\r\n", b"some words\r");
        assert_eq!(code, Some(0), "{shown:?}");
        assert!(shown.contains("<some words>\r\n"), "{shown:?}");
    }
}

#[test]
fn control_c_ends_the_command() {
    for way in BOTH {
        // No shell: between two commands it would keep the signal to itself.
        let script = "$| = 1; print qq(go\n); sleep 100; print qq(not reached\n)";
        let arguments = [
            &["run", "--rm", "-it"],
            way,
            &["quickstart", "perl", "-e", script],
        ]
        .concat();
        let (code, shown) = on_terminal(&arguments, "go\r\n", b"\x03");
        assert_eq!(code, Some(130), "{shown:?}");
        assert!(!shown.contains("not reached"), "{shown:?}");
    }
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let line = format!(
        "stty -a > before; {} run --rm -it quickstart true; {} run --rm -it --systemd=false \
         quickstart true; stty -a > after",
        env!("CARGO_BIN_EXE_racker"),
        env!("CARGO_BIN_EXE_racker")
    );
    let directory = support::temporary();
    let racker = shared().clone().at(directory.path());
    let mut command = racker.surround(tool("script", "bsdutils"));
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    racker.finish(command).success();
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
}

#[test]
fn what_the_command_leaves_running_ends_with_it() {
    both_sh(&[], "(sleep 1000; echo late) & echo now", |output| {
        assert_eq!(output.success().text(), "now\n");
    });
}

#[test]
fn a_guest_that_powers_off_ends_the_run() {
    let script = "systemctl poweroff --force --force; sleep 1000";
    let arguments = ["run", "--rm", "quickstart", "sh", "-c", script];
    let child = shared()
        .command(&arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let output = support::wait(child, "racker run ... poweroff".into());
    assert!(
        output.code.is_some_and(|code| code != 0),
        "{}",
        output.report()
    );
    wait_for(Duration::from_secs(1), "racker is gone", || {
        (!Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()).then_some(())
    });
}

#[test]
fn forced_ways_to_mount_a_tree_both_work() {
    for method in ["erofs", "checkout", "auto"] {
        let output = shared()
            .run(&[
                "--tree-mount",
                method,
                "run",
                "--rm",
                "quickstart",
                "hostnamectl",
            ])
            .success()
            .silent();
        assert!(
            output.text().contains("systemd-nspawn"),
            "{}",
            output.report()
        );
    }
}

#[test]
fn killed_by_a_signal_racker_is_killed_by_none() {
    // racker ends with a code even when the command was killed, so that scripts can rely on it.
    let mut command = shared().command(&["run", "quickstart", "sh", "-c", "kill -KILL $$"]);
    let status = command.status().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(137), None));
}

/// The plain image of an operating system gets systemd as a layer; whoever wants none says so.
#[test]
fn systemd_on_the_fly() {
    let kitchen = Kitchen::with_quickstart();
    let base = "from = { bootstrap = \"debian\", suite = \"bookworm\", variant = \"minbase\" }\n";
    kitchen.write("plain.toml", &format!("{base}[image]\ncmd = [\"bash\"]\n"));
    kitchen.bake("plain.toml").success();
    let run = |arguments: &[&str]| kitchen.racker.run(&[&["run", "--rm"], arguments].concat());
    let output = run(&["--systemd=false", "plain", "cat", "/proc/1/comm"]).success();
    assert_ne!(output.text(), "systemd\n");
    let output = run(&["--entrypoint=cat", "plain", "/proc/1/comm"]).success();
    assert_ne!(output.text(), "systemd\n");
    let offline = kitchen.racker.run(&["--offline", "run", "plain", "true"]);
    offline
        .code(125)
        .says("hint: --systemd=false")
        .one_message();
    let output = run(&["plain", "hostnamectl"]).success();
    assert!(
        output.text().contains("Virtualization: systemd-nspawn"),
        "{}",
        output.report()
    );
    output.says("plain has no init: adding systemd, systemd-sysv, dbus as a layer, this once");
    let again = kitchen
        .racker
        .run(&["--offline", "run", "plain", "cat", "/proc/1/comm"]);
    assert_eq!(again.success().silent().text(), "systemd\n");
    // An image of a program is run as it is.
    kitchen.write(
        "program.toml",
        "from = \"./plain.toml\"\n[image]\ncmd = [\"cat\", \"/proc/1/comm\"]\n",
    );
    fs::copy(kitchen.path("plain.lock"), kitchen.path("program.lock")).unwrap();
    kitchen.bake("program.toml").success();
    assert_ne!(run(&["program"]).success().text(), "systemd\n");
    run(&["--systemd=true", "program", "true"]).success();
    kitchen.racker.verify();
}
