//! How a container is connected: its way out, and the host's ports that lead in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::config::{Config, DEFAULT_NETWORK, NetworkMode, Port};
use super::kept::Kept;
use super::surroundings;
use crate::container::network::{Networks, Newcomer};
use crate::container::ports::Published;
use crate::container::{Error, Snapshot, pasta};

/// How a container gets out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Not through anything of racker's.
    None,
    /// Over a bridge.
    Bridge,
    /// Through pasta.
    Pasta,
}

impl Way {
    /// What the host has for the network that is asked for. The default one needs no bridge.
    ///
    /// Errors: the host has nothing for it.
    pub(super) fn find(mode: &NetworkMode) -> Result<Self, Error> {
        let NetworkMode::Named(name) = mode else {
            if *mode == NetworkMode::Pasta {
                pasta::require()?;
                return Ok(Self::Pasta);
            }
            return Ok(Self::None);
        };
        let networks = Networks::lock()?;
        let network = networks.need(name)?;
        match networks.ready(&network) {
            Err(Error::NoBridge(_)) if name == DEFAULT_NETWORK && pasta::require().is_ok() => {
                Ok(Self::Pasta)
            }
            other => other.map(|()| Self::Bridge),
        }
    }

    /// Lets a container that runs take it; its address, where others reach it there.
    pub(super) fn open(
        self,
        kept: &Kept,
        snapshot: &Snapshot,
        leader: u32,
    ) -> Result<Option<Ipv4Addr>, Error> {
        match (self, &kept.config.network) {
            (Self::Bridge, NetworkMode::Named(name)) => join(kept, name, leader).map(Some),
            (Self::Pasta, _) => pasta::start(snapshot, leader).map(|()| None),
            _ => Ok(None),
        }
    }
}

/// Lets it into a network of racker's.
fn join(kept: &Kept, name: &str, leader: u32) -> Result<Ipv4Addr, Error> {
    let config = &kept.config;
    let networks = Networks::lock()?;
    let network = networks.need(name)?;
    let newcomer = Newcomer {
        id: config.short_id(),
        leader,
        hostname: &config.hostname,
        names: vec![config.name.clone(), config.short_id().to_owned()],
        hosts: kept.path("hosts"),
        own: surroundings::own_hosts(config, Some(network.gateway())),
    };
    networks.join(network, newcomer)
}

/// Takes the host's ports, in the order of the configuration's.
///
/// Errors: one is taken already, or of a range all.
pub(super) fn publish(config: &Config) -> Result<Vec<Published>, Error> {
    config.ports.iter().map(take).collect()
}

/// The ports of a configuration as they were taken.
pub(super) fn taken(config: &Config, published: &[Published]) -> std::io::Result<Vec<Port>> {
    let each = config.ports.iter().zip(published);
    each.map(|(port, published)| {
        Ok(Port {
            host: published.address()?.port(),
            last: 0,
            ..port.clone()
        })
    })
    .collect()
}

fn take(port: &Port) -> Result<Published, Error> {
    for host in port.host..port.last {
        match take_one(port, host) {
            Err(Error::PortTaken(_)) => {}
            other => return other,
        }
    }
    take_one(port, port.host.max(port.last))
}

fn take_one(port: &Port, host: u16) -> Result<Published, Error> {
    let address = SocketAddr::new(port.address, host);
    let udp = port.protocol == "udp";
    if port.address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        // Takes connections over both versions of the protocol, where there are both.
        let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, host));
        match Published::bind(both, port.container, udp) {
            Err(Error::PortTaken(_)) => return Err(Error::PortTaken(address)),
            Ok(published) => return Ok(published),
            Err(_) => {}
        }
    }
    Published::bind(address, port.container, udp)
}
