//! racker on other machines than this one: systemd booted them, and they have control groups of
//! version 2 alone.

mod support;

use std::time::Duration;

use support::host::Host;
use support::{Kitchen, wait_for};

/// Longer than a container takes to end.
const LONG: Duration = Duration::from_secs(30);

/// The machines that machined knows.
fn machines(host: &Host) -> Vec<String> {
    let text = host.sh("machinectl list --no-legend --no-pager");
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    text.lines().filter_map(first).collect()
}

/// Waits until nothing of registered containers is left.
#[track_caller]
fn all_gone(host: &Host) {
    wait_for(LONG, "no machine, no scope, no group", || {
        let units = "systemctl list-units --all --no-legend 'racker-*.scope'";
        let groups = "find /sys/fs/cgroup -name 'racker-*.scope'";
        let left = host.sh(&format!("{units}; {groups}; ls /run/systemd/machines"));
        (machines(host).is_empty() && left.is_empty()).then_some(())
    });
}

/// Starts a registered container in the background.
fn start(host: &Host, name: &str, rest: &[&str]) {
    let head = ["run", "-d", "--register", "--name", name];
    host.racker(&[&head, rest].concat()).success().silent();
}

#[test]
fn a_registered_container_is_a_machine() {
    let kitchen = Kitchen::with_quickstart();
    let host = Host::boot("machine", &kitchen.racker);
    start(&host, "web", &["quickstart", "sleep", "1000"]);
    assert_eq!(machines(&host), ["web"]);
    let status = host.sh("machinectl status web --no-pager --lines=0");
    for part in [
        "Service: racker; class container",
        "Unit: racker-",
        "nginx.service",
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
    // Its journal is in memory, on a root that the host does not see.
    wait_for(LONG, "the container's journal", || {
        let journal = host.sh("journalctl -M web --no-pager");
        journal.contains("nginx.service").then_some(())
    });
    assert_eq!(host.sh("systemctl -M web is-active nginx"), "active\n");
    // What needs its control group finds it.
    host.racker(&["pause", "web"]).success();
    host.racker(&["unpause", "web"]).success();
    let top = host.racker(&["top", "web"]).success();
    assert!(top.text().contains("sleep 1000"), "{}", top.report());
    host.racker(&["rename", "web", "the_site"]).success();
    assert_eq!(machines(&host), ["the-site"]);
    assert_eq!(host.sh("systemctl -M the-site is-active nginx"), "active\n");
    host.racker(&["rename", "the_site", "web"]).success();
    // Again, under the same names.
    host.racker(&["restart", "-t", "0", "web"]).success();
    assert_eq!(machines(&host), ["web"]);
    host.racker(&["stop", "web"]).success();
    all_gone(&host);
    host.racker(&["start", "web"]).success();
    assert_eq!(machines(&host), ["web"]);
    host.racker(&["rm", "-f", "web"]).success();
    all_gone(&host);
    let all = ["run", "--rm", "--register", "--name", "brief", "quickstart"];
    let output = host.racker(&[&all[..], &["sh", "-c", "exit 66"]].concat());
    output.code(66);
    all_gone(&host);
}

#[test]
fn a_registered_container_that_is_killed_is_no_machine() {
    let kitchen = Kitchen::with_quickstart();
    let host = Host::boot("killed", &kitchen.racker);
    for victims in [
        "racker-supervisor",
        "racker-guard racker-supervisor",
        "systemd-nspawn",
    ] {
        start(&host, "vic_tim", &["--rm", "quickstart", "sleep", "1000"]);
        assert_eq!(machines(&host), ["vic-tim"]);
        host.sh(&format!(
            "for name in {victims}; do pkill -9 -f ^$name; done"
        ));
        if victims.contains("guard") {
            // Nobody is left to clear up, until the next racker does.
            host.racker(&["run", "--rm", "quickstart", "true"])
                .success();
        }
        all_gone(&host);
        let left = host.racker(&["ps", "-a", "-q"]).success();
        assert_eq!(left.text(), "", "{victims}");
    }
}

#[test]
fn what_cannot_be_registered_is_told() {
    let kitchen = Kitchen::with_quickstart();
    let host = Host::boot("refused", &kitchen.racker);
    let run = ["run", "--rm", "--register", "--name", "taken", "quickstart"];
    let racker = |more: &[&str]| host.racker(&[&run[..], more].concat());
    host.sh("sleep 1000 >/dev/null & \
         busctl call org.freedesktop.machine1 /org/freedesktop/machine1 \
             org.freedesktop.machine1.Manager CreateMachine 'sayssusa(sv)' \
             taken 0 test container $! '' 0");
    racker(&["true"])
        .code(125)
        .one_message()
        .says("there is a machine taken already");
    start(&host, "other", &["quickstart", "sleep", "1000"]);
    host.racker(&["rename", "other", "taken"])
        .code(1)
        .one_message()
        .says("there is a machine taken already");
    host.racker(&["rm", "-f", "other"]).success();
    host.racker(&["run", "--register", "--systemd=false", "quickstart", "true"])
        .code(125)
        .one_message()
        .says("--register is for containers that boot");
    host.sh("systemctl mask --now systemd-machined 2>/dev/null");
    racker(&["true"])
        .code(125)
        .one_message()
        .says("cannot register the container")
        .says("hint: --register needs a host that systemd booted");
    // Here this very machine is meant, whether it has a bus or not.
    let script = "mount -t tmpfs none /run/dbus; exec racker \"$@\"";
    host.run(
        &[
            &["unshare", "--mount", "sh", "-ec", script, "sh"],
            &run[..],
            &["true"],
        ]
        .concat(),
    )
    .code(125)
    .one_message()
    .says("no system bus at /run/dbus/system_bus_socket");
    let left = host.racker(&["ps", "-a", "-q"]).success();
    assert_eq!(left.text(), "");
}

/// The first id and the number of ids in a line of `uid_map`.
fn ids(map: &str) -> (&str, &str) {
    let mut fields = map.split_whitespace();
    let first = fields.next().unwrap();
    assert_ne!(fields.next(), Some("0"), "{map}");
    (first, fields.next().unwrap())
}

#[test]
fn a_host_with_control_groups_of_version_2_alone() {
    let kitchen = Kitchen::with_quickstart();
    let host = Host::boot("unified", &kitchen.racker);
    let mounts = host.sh("grep -o ' - cgroup.*' /proc/self/mountinfo");
    assert!(
        mounts.lines().all(|line| line.starts_with(" - cgroup2 ")),
        "{mounts}"
    );
    let script = "systemctl is-system-running --wait; systemctl --failed --plain --no-legend; \
                  cat /proc/self/uid_map";
    let run = ["run", "--rm", "quickstart", "sh", "-c", script];
    let output = host.racker(&run).success().silent();
    let map = output.text().strip_prefix("running\n");
    let map = map.unwrap_or_else(|| panic!("{}", output.report()));
    assert_eq!(ids(map), ("0", "65536"));
    // None of them has a controller to limit anything by, and that is told.
    for options in [&["--memory=64m"][..], &["--pids-limit=9", "--register"]] {
        let refused = host.racker(&[&["run"], options, &["quickstart", "true"]].concat());
        refused
            .code(125)
            .one_message()
            .says("no control group hierarchy has");
    }
    let direct = ["run", "--rm", "--systemd=false", "quickstart"];
    let output = host.racker(&[&direct[..], &["cat", "/proc/self/uid_map"]].concat());
    assert_eq!(ids(output.success().text()), ("0", "65536"));
}
