//! How a guest's init is told to boot: fast, quiet, and only what makes sense in a container.
//!
//! Everything is said by arguments and environment; nothing is written into the image.

/// Units that have nothing to do in a container, or wait for what it does not have.
const MASKED: [&str; 27] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dnf-makecache.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "getty.target",
    "man-db.timer",
    "NetworkManager-wait-online.service",
    "run-lock.mount",
    "sys-fs-fuse-connections.mount",
    "systemd-firstboot.service",
    "systemd-journal-flush.service",
    "systemd-networkd-wait-online.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-udev-settle.service",
    "systemd-udev-trigger.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
];

/// What a guest boots for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One command, which no login manager needs to know of.
    Command,
    /// All of its services.
    Services,
}

/// Arguments for the guest's init.
pub fn arguments(purpose: Purpose) -> Vec<String> {
    let mut arguments = vec!["systemd.show_status=0".to_owned()];
    arguments.extend(MASKED.iter().map(|unit| format!("systemd.mask={unit}")));
    if purpose == Purpose::Command {
        arguments.push("systemd.mask=systemd-logind.service".to_owned());
        arguments.push("systemd.mask=systemd-user-sessions.service".to_owned());
    }
    arguments
}

/// Generators of units that a container has no use for: disks, consoles, updates at boot. Each is a
/// program that init runs and waits for before anything else. Source: `systemd.generator(7)`.
pub const SKIPPED_GENERATORS: [&str; 9] = [
    "lvm2-activation-generator",
    "systemd-bless-boot-generator",
    "systemd-cryptsetup-generator",
    "systemd-getty-generator",
    "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator",
    "systemd-integritysetup-generator",
    "systemd-system-update-generator",
    "systemd-veritysetup-generator",
];

/// Where links to `/dev/null` switch generators off. (`/run/systemd` would be looked at too, but
/// must be made by init itself.)
pub const GENERATORS: &str = "/etc/systemd/system-generators";

/// Environment of the guest's init. Without the first, systemd 253 and newer sleeps a second when
/// more than five mounts happen in one; with another `TERM`, 258 and newer waits for an answer of
/// the terminal.
pub const ENVIRONMENT: [(&str, &str); 2] = [
    ("SYSTEMD_DEFAULT_MOUNT_RATE_LIMIT_BURST", "10000"),
    ("TERM", "dumb"),
];
