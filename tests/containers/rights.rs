//! What containers may take, do and see.

use std::fs;

use crate::BOTH;
use crate::support::shared;

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
fn memory_is_everybodys_and_runs_nothing() {
    let script = "touch /scratch/x /other/x; stat -c %a /scratch /other /mine; \
        grep -E ' (/scratch|/other|/mine) ' /proc/mounts | grep -c nosuid,nodev,noexec; \
        cp /bin/true /runs/true; /runs/true";
    let options = [
        "run",
        "--rm",
        "-u",
        "www-data",
        "--tmpfs",
        "/scratch",
        "--mount",
        "type=tmpfs,dst=/other",
        "--tmpfs",
        "/mine:mode=700",
        "--tmpfs",
        "/runs:exec,uid=0",
    ];
    for way in BOTH {
        let run = [&options[..], way, &["quickstart", "sh", "-ec", script]].concat();
        let output = shared().run(&run).success();
        assert_eq!(output.text(), "1777\n1777\n700\n3\n");
    }
    let refused = ["run", "--rm", "--tmpfs", "/a:uid=33", "quickstart", "true"];
    shared()
        .run(&refused)
        .code(125)
        .says("uid of a tmpfs is not supported");
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
