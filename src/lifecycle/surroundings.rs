//! What a container has around it: files of the host, volumes, limits, name servers.

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use racker_store::Store;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use walkdir::WalkDir;

use super::Error;
use super::config::{Config, HOST_GATEWAY, Mount, NetworkMode};
use super::connection::Way;
use super::kept::Kept;
use super::volume;
use super::yard::Yard;
use crate::container::nspawn::{Bind, Extras, Network};
use crate::container::{self, Snapshot, hosts, pasta};

/// Where a container without an address of its own finds itself. Source: `hosts(5)` of Debian.
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// All of it, as the container part takes it.
pub(super) struct Surroundings {
    pub(super) binds: Vec<Bind>,
    pub(super) extras: Extras,
    pub(super) network: Network,
}

/// Makes ready what the container was asked to have.
pub(super) fn prepare(
    store: &Store,
    kept: &Kept,
    snapshot: &Snapshot,
    way: Way,
) -> Result<Surroundings, Error> {
    let config = &kept.config;
    let mut binds = Vec::new();
    let base = snapshot.slot().ids().base;
    let root = snapshot.root()?;
    let places = config.mounts.iter().map(|it| it.target.as_str());
    let memory = config.tmpfs.iter().map(|(path, _)| path.as_str());
    for path in places.chain(memory) {
        // What nspawn makes to mount on belongs to nobody, and in a read-only root it makes
        // nothing. A file is mounted on a file.
        if root.mode(path).is_none() {
            if is_file(&config.mounts, path) {
                root.make_file(path, base)
            } else {
                root.make_directories(path, base)
            }
            .map_err(Error::io(format!("create {path} in the container")))?;
        }
    }
    for (number, mount) in config.mounts.iter().enumerate() {
        binds.push(bind(store, snapshot, mount, number)?);
    }
    for (number, (source, target)) in config.devices.iter().enumerate() {
        binds.push(Bind {
            source: device(snapshot, source, number)?,
            target: target.clone(),
            writable: true,
        });
    }
    // In a network with a bridge they are known once it is in there.
    let (own, gateway) = match (&config.network, way) {
        (_, Way::Pasta) => (pasta::ADDRESS, pasta::host()),
        (NetworkMode::Host, _) => (OWN, Some(Ipv4Addr::LOCALHOST)),
        _ => (OWN, None),
    };
    let text = format!(
        "{}{own}\t{}\n{}",
        hosts::LOCAL,
        config.hostname,
        own_hosts(config, gateway)
    );
    root.make_file("/etc/hosts", base)
        .map_err(Error::io("create /etc/hosts in the container"))?;
    binds.push(file(kept, "hosts", &text, base, "/etc/hosts")?);
    if let Some(text) = name_servers(config, way) {
        // An image `FROM scratch` has no `/etc`, and there a link may lead anywhere.
        root.make_file("/etc/resolv.conf", base)
            .map_err(Error::io("create /etc/resolv.conf in the container"))?;
        binds.push(file(kept, "resolv.conf", &text, base, "/etc/resolv.conf")?);
    }
    let extras = Extras {
        capabilities: config.capabilities.0.clone(),
        // From a command they are taken by who starts it.
        dropped: if config.init_alone {
            config.capabilities.1.clone()
        } else {
            Vec::new()
        },
        no_new_privileges: config.no_new_privileges,
        read_only: config.read_only,
        tmpfs: config.tmpfs.clone(),
        privileged: config.privileged,
    };
    let network = match &config.network {
        NetworkMode::Host => Network::Host,
        NetworkMode::None | NetworkMode::Named(_) | NetworkMode::Pasta => Network::None,
        NetworkMode::Container(id) => {
            let other = Yard::of(store).find(id)?;
            let leader = other.running()?.leader;
            let namespace = fs::File::open(format!("/proc/{leader}/ns/net"))
                .map_err(Error::io("open the other container's network"))?;
            Network::Joined(Arc::new(namespace.into()))
        }
    };
    Ok(Surroundings {
        binds,
        extras,
        network,
    })
}

fn is_file(mounts: &[Mount], target: &str) -> bool {
    let mount = mounts.iter().find(|it| it.target == target && !it.volume);
    mount.is_some_and(|it| Path::new(&it.source).is_file())
}

fn bind(store: &Store, snapshot: &Snapshot, mount: &Mount, number: usize) -> Result<Bind, Error> {
    let source = if mount.volume {
        volume::use_for(store, snapshot, mount)?
    } else {
        PathBuf::from(&mount.source)
    };
    // Its files are owned inside as they are outside: root's by root.
    let shown = match snapshot.show(&source, &format!("mount-{number}")) {
        Ok(shown) => shown,
        // The file system cannot do that; then they are nobody's.
        Err(container::Error::Io { source: error, .. })
            if error.kind() == io::ErrorKind::InvalidInput =>
        {
            source
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Bind {
        source: shown,
        target: mount.target.clone().into(),
        writable: !mount.read_only,
    })
}

/// A device node like the host's, that the container's root owns.
fn device(snapshot: &Snapshot, source: &Path, number: usize) -> Result<PathBuf, Error> {
    let action = || format!("make the device {}", source.display());
    let found = fs::metadata(source).map_err(Error::io(action()))?;
    let kind = FileType::from_raw_mode(found.mode());
    if !kind.is_char_device() && !kind.is_block_device() {
        return Err(Error::Refused(format!(
            "{} is not a device",
            source.display()
        )));
    }
    let at = snapshot.slot().directory().join(format!("device-{number}"));
    let owner = Some(snapshot.slot().ids().base);
    mknodat(CWD, &at, kind, Mode::from_raw_mode(0o666), found.rdev())
        .map_err(io::Error::from)
        .and_then(|()| fs::set_permissions(&at, fs::Permissions::from_mode(0o666)))
        .and_then(|()| chown(&at, owner, owner))
        .map_err(Error::io(action()))?;
    Ok(at)
}

/// Writes a file in the container's directory, to be shown in the container.
fn file(kept: &Kept, name: &str, text: &str, owner: u32, target: &str) -> Result<Bind, Error> {
    let source = kept.path(name);
    fs::write(&source, text)
        .and_then(|()| chown(&source, Some(owner), Some(owner)))
        .map_err(Error::io(format!("write {}", source.display())))?;
    Ok(Bind {
        source,
        target: target.into(),
        writable: true,
    })
}

/// The lines of `/etc/hosts` that `--add-host` asks for; `gateway` is where the host is found, once
/// that is known.
pub(super) fn own_hosts(config: &Config, gateway: Option<Ipv4Addr>) -> String {
    let mut text = String::new();
    for (name, address) in &config.hosts {
        match gateway {
            Some(gateway) if address == HOST_GATEWAY => {
                text.push_str(&format!("{gateway}\t{name}\n"));
            }
            None if address == HOST_GATEWAY => {}
            _ => text.push_str(&format!("{address}\t{name}\n")),
        }
    }
    text
}

/// Its `/etc/resolv.conf`: the host's, where nothing else is said. Source: `resolv.conf(5)`.
fn name_servers(config: &Config, way: Way) -> Option<String> {
    let own = !config.dns.is_empty() || !config.dns_search.is_empty();
    if !own && way == Way::None {
        return None;
    }
    let host = host_resolv_conf();
    let mut text = String::new();
    if config.dns.is_empty() {
        let servers = host.lines().filter(|line| line.starts_with("nameserver"));
        servers.for_each(|line| text.push_str(&format!("{line}\n")));
        if text.is_empty() && way == Way::Pasta {
            // It asks even a server that only the host reaches.
            text = format!("nameserver {}\n", pasta::GATEWAY);
        }
    }
    for server in &config.dns {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if config.dns_search.is_empty() {
        let others = host.lines().filter(|line| {
            ["search", "domain", "options"]
                .iter()
                .any(|it| line.starts_with(it))
        });
        others.for_each(|line| text.push_str(&format!("{line}\n")));
    } else {
        text.push_str(&format!("search {}\n", config.dns_search.join(" ")));
    }
    Some(text)
}

/// The host's own list of name servers that can be reached from another network namespace: what
/// `systemd-resolved` forwards to, where the host asks that at 127.0.0.53.
fn host_resolv_conf() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let usual = read("/etc/resolv.conf");
    let local = |line: &str| {
        line.strip_prefix("nameserver")
            .is_some_and(|it| it.trim().starts_with("127.") || it.trim() == "::1")
    };
    if usual.lines().any(local) {
        let uplink = read("/run/systemd/resolve/resolv.conf");
        if !uplink.is_empty() {
            return uplink;
        }
        let lines = usual.lines().filter(|line| !local(line));
        return lines.map(|line| format!("{line}\n")).collect();
    }
    usual
}

/// Sets kernel parameters of the namespaces of the process `leader`.
pub(super) fn sysctls(config: &Config, leader: u32) -> Result<(), container::Error> {
    for (name, value) in &config.sysctls {
        let action = || format!("set {name}");
        // As the container's root: these belong to its user namespace.
        let mut command = Command::new("nsenter");
        command.args([
            format!("--net=/proc/{leader}/ns/net"),
            format!("--ipc=/proc/{leader}/ns/ipc"),
        ]);
        if !config.host_users {
            command.arg(format!("--user=/proc/{leader}/ns/user"));
        }
        let mut child = command
            .arg("tee")
            .arg(format!("/proc/sys/{}", name.replace('.', "/")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(container::Error::io(action()))?;
        if let Some(mut input) = child.stdin.take() {
            let _ = input.write_all(value.as_bytes());
        }
        let output = child
            .wait_with_output()
            .map_err(container::Error::io(action()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.rsplit(": ").next().unwrap_or_default().trim();
            return Err(container::Error::io(action())(io::Error::other(
                reason.to_owned(),
            )));
        }
    }
    Ok(())
}

/// Gives what a container changed to another block of ids.
pub(super) fn shift(upper: &Path, from: u32, to: u32) -> Result<(), Error> {
    let action = || format!("change the owners in {}", upper.display());
    for entry in WalkDir::new(upper) {
        let entry = entry.map_err(|error| Error::Io {
            action: action(),
            source: error.into(),
        })?;
        let found = entry.metadata().map_err(|error| Error::Io {
            action: action(),
            source: error.into(),
        })?;
        let moved = |id: u32| {
            id.checked_sub(from)
                .filter(|it| *it < 65536)
                .map(|it| to + it)
        };
        lchown(entry.path(), moved(found.uid()), moved(found.gid()))
            .map_err(Error::io(action()))?;
        // A new owner takes these bits away.
        if found.mode() & 0o6000 != 0 && found.is_file() {
            fs::set_permissions(
                entry.path(),
                fs::Permissions::from_mode(found.mode() & 0o7777),
            )
            .map_err(Error::io(action()))?;
        }
    }
    Ok(())
}
