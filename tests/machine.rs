//! racker on a whole machine of another kind than this one: Debian 13 with its own kernel, booted by
//! systemd, whose control groups of version 2 have all controllers. qemu computes it, so that no
//! hardware is asked for.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Kitchen, execute, once, scratch, tool};

const PACKAGES: &str = "systemd-sysv,dbus,systemd-container,iproute2,nftables,procps,udev,\
                        linux-image-cloud-amd64,initramfs-tools";

/// What the machine does as soon as it is up; it writes `/result`, one line per answer.
const SCRIPT: &str = r#"#!/bin/sh
exec >/result 2>/errors
well='systemctl is-system-running --wait; systemctl --failed --plain --no-legend'
say() { echo "$1: $(shift; "$@" 2>&1 | tr '\n' ' ')"; }
say groups sh -c "grep -o ' - cgroup.*' /proc/self/mountinfo | cut -d ' ' -f 3 | sort -u"
say booted racker run --rm quickstart sh -c "$well"
say direct racker run --rm --systemd=false quickstart echo hello
for register in '' --register; do
    racker run -d --name limited $register --memory=64m --cpus=0.5 --pids-limit=60 quickstart sleep 1000
    group=$(find /sys/fs/cgroup -maxdepth 2 -name 'racker-*')
    say "limits$register" cat "$group/memory.max" "$group/cpu.max" "$group/pids.max"
    say "well$register" racker exec limited sh -c "$well"
    racker exec limited perl -e '$x = "x" x 200_000_000; print "more than 64 MB"'
    say "memory$register" echo $?
    codes=$(for i in $(seq 10); do
        racker exec limited sh -c 'perl -e "\$x = q(x) x 200_000_000"; exit $?' >/dev/null
        echo $?
    done)
    say "shells$register" echo $codes
    say "forks$register" racker exec limited sh -c 'for i in $(seq 100); do sleep 20 & done'
    say "machines$register" sh -c "machinectl list --no-legend --no-pager | cut -d ' ' -f 1"
    racker rm -f limited
done
echo end
sync
systemctl poweroff -f
"#;

const UNIT: &str = "[Unit]\nAfter=multi-user.target\n[Service]\nExecStart=/script\n";

/// The machine's files, made once; the kernel and its first file system are in its `/boot`.
fn debian() -> PathBuf {
    let _turn = once("machine");
    let root = scratch().join("machine-trixie");
    if !root.exists() {
        let part = scratch().join("machine-trixie.part");
        let _ = fs::remove_dir_all(&part);
        let include = format!("--include={PACKAGES}");
        let mut command = Command::new(tool("mmdebstrap", "mmdebstrap"));
        command.args(["--quiet", "--variant=minbase", &include, "trixie"]);
        execute(command.arg(&part));
        fs::rename(part, &root).unwrap();
    }
    root
}

/// The one file in `/boot` whose name begins so.
fn boot(root: &Path, start: &str) -> PathBuf {
    let mut names = support::names(&root.join("boot")).into_iter();
    let name = names.find(|it| it.starts_with(start)).unwrap();
    root.join("boot").join(name)
}

/// A disk with the machine on it, racker, and its store.
fn disk(kitchen: &Kitchen, root: &Path) -> PathBuf {
    let stage = kitchen.path("machine");
    let link = |from: &Path, to: &Path| {
        execute(Command::new("cp").args(["-al"]).arg(from).arg(to));
    };
    link(root, &stage);
    link(kitchen.racker.store(), &stage.join("var/lib/racker"));
    let racker = stage.join("usr/local/bin/racker");
    fs::copy(env!("CARGO_BIN_EXE_racker"), racker).unwrap();
    fs::write(stage.join("script"), SCRIPT).unwrap();
    fs::set_permissions(stage.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    let units = stage.join("etc/systemd/system");
    fs::write(units.join("script.service"), UNIT).unwrap();
    fs::create_dir_all(units.join("multi-user.target.wants")).unwrap();
    let wanted = units.join("multi-user.target.wants/script.service");
    symlink("../script.service", wanted).unwrap();
    let disk = kitchen.path("disk");
    let file = fs::File::create(&disk).unwrap();
    file.set_len(4 << 30).unwrap();
    let mut command = Command::new(tool("mkfs.ext4", "e2fsprogs"));
    execute(command.args(["-q", "-d"]).arg(&stage).arg(&disk));
    disk
}

#[test]
#[ignore = "boots a whole machine without hardware, some minutes; tests/full runs it"]
fn a_machine_with_control_groups_of_version_2_alone() {
    let kitchen = Kitchen::with_quickstart();
    let root = debian();
    let disk = disk(&kitchen, &root);
    let drive = format!("file={},format=raw,if=virtio,cache=unsafe", disk.display());
    let mut command = Command::new(tool("qemu-system-x86_64", "qemu-system-x86"));
    command
        .args(["-accel", "tcg", "-cpu", "max", "-m", "2048", "-smp", "1"])
        .args(["-nographic", "-no-reboot", "-nic", "none", "-drive", &drive])
        .args(["-append", "root=/dev/vda rw console=ttyS0 quiet"])
        .arg("-kernel")
        .arg(boot(&root, "vmlinuz-"))
        .arg("-initrd")
        .arg(boot(&root, "initrd.img-"));
    let console = kitchen.racker.finish(command).success();
    let cat = |path: &str| {
        let mut command = Command::new(tool("debugfs", "e2fsprogs"));
        let request = format!("cat {path}");
        let text = execute(command.args(["-R", &request]).arg(&disk));
        String::from_utf8(text).unwrap()
    };
    let result = cat("/result");
    let report = format!("{result}\n{}\n{}", cat("/errors"), console.report());
    let answer = |question: &str| {
        let start = format!("{question}: ");
        let line = result.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{question}\n{report}"))
            .trim()
    };
    assert_eq!(answer("groups"), "cgroup2", "{report}");
    assert_eq!(answer("booted"), "running", "{report}");
    assert_eq!(answer("direct"), "hello", "{report}");
    for (register, machines) in [("", ""), ("--register", "limited")] {
        let answer = |question: &str| answer(&format!("{question}{register}"));
        assert_eq!(answer("limits"), "67108864 50000 100000 60", "{report}");
        assert_eq!(answer("well"), "running", "{report}");
        assert_eq!(answer("memory"), "137", "{report}");
        // The shell that the command ran in goes on.
        assert_eq!(answer("shells"), ["137"; 10].join(" "), "{report}");
        assert!(answer("forks").contains("Cannot fork"), "{report}");
        assert_eq!(answer("machines"), machines, "{report}");
    }
    assert!(result.ends_with("end\n"), "{report}");
}
