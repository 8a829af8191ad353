//! What a container cannot do: attempts to get at the host, each of which must fail.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

mod support;

use support::{Output, bake_on_quickstart, shared, temporary};

/// The options that make quickstart boot, and those that make it run the command directly.
const BOTH: [&[&str]; 2] = [&[], &["--systemd=false"]];

fn run(way: &[&str], options: &[&str], script: &str) -> Output {
    let tail = ["quickstart", "sh", "-c", script];
    shared().run(&[&["run", "--rm"], way, options, &tail].concat())
}

/// Runs an attempt with either way to run a command; it must fail.
#[track_caller]
fn fails(script: &str) {
    for way in BOTH {
        let output = run(way, &[], &format!("({script}) 2>&1 && echo IT WORKED"));
        assert!(!output.text().contains("IT WORKED"), "{}", output.report());
    }
}

#[test]
fn the_kernel_is_not_the_containers() {
    fails("echo x > /proc/sys/kernel/core_pattern");
    fails("echo 1 > /proc/sys/kernel/sysrq");
    fails("echo b > /proc/sysrq-trigger");
    fails("mount -o remount,rw /proc/sys && echo x > /proc/sys/kernel/core_pattern");
    fails("umount /proc/sys && echo x > /proc/sys/kernel/core_pattern");
    fails("mkdir /tmp/p && mount -t proc proc /tmp/p && echo x > /tmp/p/sys/kernel/core_pattern");
    fails("echo 1 > /sys/kernel/uevent_helper");
    fails("perl -e 'exit(syscall(175, 0, 0, 0) == 0 ? 0 : 1)'"); // init_module
    fails("hwclock --set --date 2000-01-01 || date -s 2000-01-01");
    fails("dmesg --clear");
}

#[test]
fn devices_are_not_the_containers() {
    fails("mknod /tmp/null c 1 3");
    fails("mknod /tmp/disk b 254 0 && dd if=/tmp/disk of=/dev/null count=1");
    fails(
        "ls /dev/vd* /dev/sd* /dev/nvme* /dev/mem /dev/kmsg 2>/dev/null | grep . && dd if=/dev/mem of=/dev/null count=1",
    );
    // What was handed in by a file system made elsewhere opens nothing.
    fails("mkdir /tmp/d && mount -t devtmpfs none /tmp/d && ls /tmp/d/vda");
}

#[test]
fn ids_outside_the_map_are_nobodys() {
    fails("touch /tmp/f && chown 70000 /tmp/f");
    fails("perl -e '$> = 100000; exit($> == 100000 ? 0 : 1)'");
    // A process of the container is no process of the host's root.
    for way in BOTH {
        let map = run(way, &[], "cat /proc/self/uid_map").success();
        let fields: Vec<u32> = map
            .text()
            .split_whitespace()
            .map(|it| it.parse().unwrap())
            .collect();
        assert_eq!((fields[0], fields[2]), (0, 65536));
        assert!(fields[1] >= 524_288, "{fields:?}");
    }
}

#[test]
fn the_hosts_processes_are_not_seen() {
    let host = std::process::id();
    for way in BOTH {
        let text = run(
            way,
            &[],
            "ls /proc; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '",
        )
        .success()
        .into_text();
        assert!(
            !text.lines().any(|it| it == host.to_string()) || host < 100,
            "{text}"
        );
        assert!(!text.contains("systemd-nspawn"), "{text}");
    }
    fails(&format!("kill -0 {host}"));
    fails("nsenter --target 1 --mount --pid ls /home/racker-secret");
}

#[test]
fn links_in_an_image_lead_to_the_image() {
    let place = temporary();
    let secret = place.path().join("secret");
    fs::write(&secret, "the host's").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let directory = place.path().display();
    bake_on_quickstart(
        "test-links",
        &format!(
            "[[step]]\nrun = \"\"\"\nln -s {directory} /to-host\nln -sf ../../../../../../../..{directory} /up\n\
             rm -rf /srv; ln -s {directory} /srv\nrm -f /etc/hostname; ln -s {directory}/secret /etc/hostname\n\"\"\"\n"
        ),
    );
    let racker = shared();
    for way in BOTH {
        for options in [
            &["-w", "/to-host"][..],
            &["-w", "/up/deep"],
            &["-w", "/srv/made"],
            &["--tmpfs", "/srv/memory"],
        ] {
            let head = ["run", "--rm"];
            let tail = [
                "test-links",
                "sh",
                "-c",
                "pwd; touch here; cat secret /to-host/secret /up/secret /etc/hostname",
            ];
            let output = racker.run(&[&head, way, options, &tail].concat());
            assert!(!output.text().contains("the host's"), "{}", output.report());
            assert!(!output.stderr.contains("the host's"), "{}", output.report());
            assert_eq!(support::names(place.path()), ["secret"], "{options:?}");
        }
    }
    // What is to be mounted behind a link is not mounted on the host.
    let bind = format!("{}:/srv/inner", secret.display());
    racker.run(&[
        "run",
        "--rm",
        "--systemd=false",
        "-v",
        &bind,
        "test-links",
        "true",
    ]);
    assert_eq!(support::names(place.path()), ["secret"]);
}

#[test]
fn what_is_shared_is_shared_as_told() {
    let place = temporary();
    let shared_directory = place.path().join("shared");
    fs::create_dir(&shared_directory).unwrap();
    fs::write(shared_directory.join("private"), "x").unwrap();
    fs::set_permissions(
        shared_directory.join("private"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let bind = format!("{}:/shared", shared_directory.display());
    for way in BOTH {
        // Another user than the owner has what the mode gives, and no way up.
        let head = ["run", "--rm", "-u", "33", "-v", &bind];
        let tail = [
            "quickstart",
            "sh",
            "-c",
            "cat /shared/private || ls /shared/.. | grep -x secret",
        ];
        racker_fails(&[&head[..], way, &tail].concat());
        let read_only = format!("{bind}:ro");
        let head = ["run", "--rm", "-v", &read_only];
        let script = "mount -o remount,rw /shared; touch /shared/made";
        racker_fails(&[&head[..], way, &["quickstart", "sh", "-c", script]].concat());
        assert!(!shared_directory.join("made").exists());
        // A set-uid file made in there is the owner's as it was made, and root's on the host for
        // nobody who could not make it before.
        let head = ["run", "--rm", "-v", &bind];
        let script = "cp /bin/true /shared/mine; chown 1000 /shared/mine; chmod 4755 /shared/mine";
        shared()
            .run(&[&head[..], way, &["quickstart", "sh", "-ec", script]].concat())
            .success();
        assert_eq!(
            fs::metadata(shared_directory.join("mine")).unwrap().uid(),
            1000
        );
    }
}

#[track_caller]
fn racker_fails(arguments: &[&str]) {
    let output = shared().run(arguments);
    assert_ne!(output.code, Some(0), "{}", output.report());
}
