//! A network's bridge on the host, and its way out.
//!
//! It is there once everything is: whoever finds the bridge need not look for the rest. Sources:
//! `ip-link(8)`, `nft(8)`, `iptables-extensions(8)`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use rustix::thread::{CapabilitySet, LinkNameSpaceType, capabilities, move_into_link_name_space};

use super::Error;
use super::network::Network;
use crate::sys;

/// What a host lacks for a bridge.
#[derive(Debug)]
pub enum Lack {
    /// `CAP_NET_ADMIN` over the network that racker is in.
    Right,
    /// `ip`.
    Ip,
    /// `nft` and `iptables`.
    Firewall,
    /// That packets may be let through.
    Forwarding(io::Error),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("racker has no CAP_NET_ADMIN in the host's network"),
            Self::Ip => f.write_str("ip is not installed"),
            Self::Firewall => f.write_str("neither nft nor iptables is installed"),
            Self::Forwarding(error) => write!(f, "net.ipv4.ip_forward cannot be set: {error}"),
        }
    }
}

/// Whether racker may make interfaces in the network that it is in.
pub fn permitted() -> bool {
    let own = capabilities(None).is_ok_and(|it| it.effective.contains(CapabilitySet::NET_ADMIN));
    // Those of a user namespace count in networks that were made in it.
    own && sys::network_is_own()
}

/// Whether the host has an interface of this name.
pub(super) fn interface_exists(name: &str) -> bool {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    );
    socket.is_ok_and(|socket| rustix::net::netdevice::name_to_index(socket, name).is_ok())
}

/// Makes the bridge of a network, and the way out.
pub(super) fn make(network: &Network) -> Result<(), Error> {
    let (name, gateway) = (network.bridge(), network.gateway());
    if !network.internal {
        let forward = "/proc/sys/net/ipv4/ip_forward";
        if fs::read_to_string(forward).is_ok_and(|it| it.trim() != "1") {
            fs::write(forward, "1").map_err(|error| Error::NoBridge(Lack::Forwarding(error)))?;
        }
        masquerade(network)?;
    }
    ip(
        None,
        &format!(
            "link add {name} type bridge\naddr add {gateway}/24 dev {name}\nlink set {name} up\n"
        ),
    )
}

/// Has what leaves the network go under the host's address.
fn masquerade(network: &Network) -> Result<(), Error> {
    let (name, subnet) = (network.bridge(), network.subnet());
    let rules = format!(
        "table ip {name}\ndelete table ip {name}\ntable ip {name} {{\n chain out {{\n  type nat hook postrouting \
         priority 100;\n  ip saddr {subnet} oifname != \"{name}\" masquerade\n }}\n}}\n"
    );
    match run(Command::new("nft").args(["-f", "-"]), &rules) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let rules = [
        format!("-t nat POSTROUTING -s {subnet} ! -o {name} -j MASQUERADE"),
        format!("-t filter FORWARD -i {name} -j ACCEPT"),
        format!("-t filter FORWARD -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
    ];
    for rule in rules {
        let words: Vec<&str> = rule.split(' ').collect();
        let (table, rule) = words.split_at(2);
        let call = |verb: &str| {
            let mut command = Command::new("iptables");
            command.arg("--wait").args(table).arg(verb).args(rule);
            run(&mut command, "")
        };
        if call("--check").is_err() {
            call("--append").map_err(|error| match error {
                Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    Error::NoBridge(Lack::Firewall)
                }
                other => other,
            })?;
        }
    }
    Ok(())
}

/// Has `ip` do all this, in the network of the process `leader` where one is given.
pub(super) fn ip(leader: Option<u32>, lines: &str) -> Result<(), Error> {
    let ip = || {
        run(Command::new("ip").args(["-batch", "-"]), lines).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Error::NoBridge(Lack::Ip)
            }
            other => other,
        })
    };
    let Some(leader) = leader else {
        return ip();
    };
    let enter = || Error::io("enter the container's network");
    let namespace = File::open(format!("/proc/{leader}/ns/net")).map_err(enter())?;
    super::on_own_thread(|| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(io::Error::from)
            .map_err(enter())?;
        ip()
    })
}

fn run(command: &mut Command, input: &str) -> Result<(), Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io(format!("start {name}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // What it does not read it says itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(Error::io(format!("wait for {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said
        .lines()
        .filter(|it| !it.starts_with("Command failed"))
        .collect();
    Err(Error::Network(format!("{name}: {}", said.join("; "))))
}
