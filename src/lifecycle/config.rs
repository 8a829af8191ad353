//! What a container was asked to be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use racker_store::TreeId;
use serde::{Deserialize, Serialize};

use super::health::Health;
use crate::container::limits::Limits;

/// Everything that a container was started with, so that it can be started again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name, another one after `rename`.
    pub name: String,
    /// The image as the user named it.
    pub image: String,
    /// Digest that tells images apart.
    pub image_id: TreeId,
    /// The tree it runs on: the image's, or that with systemd in it.
    pub tree: TreeId,
    /// When it was made, in nanoseconds since 1970.
    pub created: i64,
    /// The kernel's name for the time since the machine was started last: what a container changes
    /// is never synced, and does not outlive that.
    #[serde(default)]
    pub machine: String,
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// How many of these are the entrypoint.
    pub entrypoint: usize,
    /// The environment of its commands.
    pub env: Vec<(String, String)>,
    /// Who it runs as, `USER[:GROUP]`.
    pub user: String,
    /// The directory it starts in.
    pub directory: String,
    /// Its host name.
    pub hostname: String,
    /// What is said of it.
    pub labels: BTreeMap<String, String>,
    /// Whether the command has a terminal.
    pub tty: bool,
    /// Whether its input stays open.
    pub interactive: bool,
    /// Whether the image's init is booted.
    pub boot: bool,
    /// Whether the command *is* the image's init.
    pub init_alone: bool,
    /// What is waited for before the container counts as started.
    pub wait: Wait,
    /// Whether it goes when it ends.
    pub remove: bool,
    /// Its network.
    pub network: NetworkMode,
    /// Ports of the host that are to lead to it.
    pub ports: Vec<Port>,
    /// What of the host, or of volumes, it sees.
    pub mounts: Vec<Mount>,
    /// File systems in memory: path and options.
    pub tmpfs: Vec<(String, String)>,
    /// Whether its root cannot be written.
    pub read_only: bool,
    /// Capabilities added and taken.
    pub capabilities: (Vec<String>, Vec<String>),
    /// Whether it may do everything.
    pub privileged: bool,
    /// Whether it has the host's ids.
    pub host_users: bool,
    /// Whether programs cannot gain privileges.
    pub no_new_privileges: bool,
    /// What it may take of the machine.
    pub limits: Limits,
    /// Limits of its commands, such as `NOFILE`: the soft and the hard one.
    pub ulimits: Vec<(String, u64, u64)>,
    /// When it is started again by itself.
    pub restart: Restart,
    /// The signal that asks it to end; none for the usual.
    pub stop_signal: Option<i32>,
    /// Seconds it has to end when asked to.
    pub stop_timeout: u64,
    /// How it is found to be well.
    pub health: Option<Health>,
    /// Lines of its `/etc/hosts`: name and address, or [`HOST_GATEWAY`].
    pub hosts: Vec<(String, String)>,
    /// Name servers in place of the host's.
    pub dns: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Kernel parameters of its namespaces.
    pub sysctls: Vec<(String, String)>,
    /// Device nodes of the host: there and here.
    pub devices: Vec<(PathBuf, PathBuf)>,
    /// Whether the host's machined knows it.
    #[serde(default)]
    pub register: bool,
}

impl Config {
    /// What it is called where there is little room.
    pub fn short_id(&self) -> &str {
        &self.id[..12]
    }

    /// The name of its control group.
    pub fn cgroup(&self) -> String {
        crate::container::cgroup::name(self.short_id(), self.register)
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// That the command runs, for which systemd waits for `basic.target`.
    Basic,
    /// That the whole boot is over.
    Boot,
    /// Nothing but that the container's first process runs.
    None,
}

/// A container's network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// A loopback interface alone.
    None,
    /// The host's.
    Host,
    /// An interface of its own in a network of racker's, with a way out.
    Named(String),
    /// An interface of its own, whose packets pasta carries.
    Pasta,
    /// That of another container, by its id.
    Container(String),
}

/// An address in [`Config::hosts`] that stands for the host's in the container's network.
pub const HOST_GATEWAY: &str = "host-gateway";

/// The name of the network that is pasta's.
pub const PASTA_NETWORK: &str = "pasta";

/// The network that a container is in where nothing is said.
pub const DEFAULT_NETWORK: &str = "private";

impl NetworkMode {
    /// As it is written on the command line.
    pub fn name(&self) -> String {
        match self {
            Self::None => "none".into(),
            Self::Host => "host".into(),
            Self::Named(name) => name.clone(),
            Self::Pasta => PASTA_NETWORK.into(),
            Self::Container(id) => format!("container:{id}"),
        }
    }
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Address of the host; all where it is unspecified.
    pub address: std::net::IpAddr,
    /// Port of the host: 0 for any free one, and the first of a range where [`Self::last`] is above it.
    pub host: u16,
    /// The last of a range of the host's ports, of which the first free one is taken; else 0.
    #[serde(default)]
    pub last: u16,
    /// Port of the container.
    pub container: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl Port {
    /// Port of the host as docker writes it: a number, a range, or nothing for any.
    pub fn of_host(&self) -> String {
        match (self.host, self.last) {
            (0, _) => String::new(),
            (first, 0) => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        }
    }

    /// Address and port of the host, such as `0.0.0.0:80` or `[::1]:80`.
    pub fn outer(&self) -> String {
        match self.address {
            std::net::IpAddr::V4(address) => format!("{address}:{}", self.of_host()),
            std::net::IpAddr::V6(address) => format!("[{address}]:{}", self.of_host()),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}->{}/{}", self.outer(), self.container, self.protocol)
    }
}

/// Something of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The path on the host, or the name of a volume; none yet where that is anonymous and the
    /// container not made.
    pub source: String,
    /// Whether it is a volume.
    pub volume: bool,
    /// The path in the container.
    pub target: String,
    /// Whether it can only be read.
    pub read_only: bool,
    /// Whether it is a volume that belongs to this container alone.
    #[serde(default)]
    pub anonymous: bool,
}

impl Mount {
    /// A volume that belongs to one container alone.
    pub fn anonymous(target: String) -> Self {
        Self {
            source: String::new(),
            volume: true,
            target,
            read_only: false,
            anonymous: true,
        }
    }
}

/// When a container is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// Whenever it failed, so often at most.
    OnFailure(Option<u32>),
    /// Whenever it ended and nobody asked it to.
    Always,
    /// When its own init asked for that.
    OnReboot,
}
