//! Networks of containers: a bridge each, an interface in every container, a way out through the
//! host.
//!
//! Addresses are set from outside, so that a guest needs no program for it and waits for nothing.
//! What a network is and who is in it stands in `/run/racker/networks/NAME.json`; a member whose
//! interface is gone is none any more. Sources: `ip-link(8)`, `veth(4)`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::bridge::{self, Lack, interface_exists, ip};
use super::{Error, hosts};
use crate::files::{read_document, write_document};

/// Where networks are written down.
const DIRECTORY: &str = "/run/racker/networks";

/// The network of containers that name none.
pub const DEFAULT: &str = "private";

/// Networks that there can be at once, each with 254 addresses.
const NETWORKS: u8 = 200;

/// A network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// 10.86.N.0/24.
    pub number: u8,
    /// Whether there is no way out.
    #[serde(default)]
    pub internal: bool,
    /// Who is in it, by container id.
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
}

/// A container in a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// Its address.
    pub address: Ipv4Addr,
    /// What the others find it by.
    pub names: Vec<String>,
    /// Its `/etc/hosts`, as a file of the host.
    pub hosts: PathBuf,
    /// Lines of it that are its own.
    pub own: String,
}

/// Who comes into a network.
#[derive(Debug)]
pub struct Newcomer<'a> {
    /// Its short id.
    pub id: &'a str,
    /// The pid of its first process on the host.
    pub leader: u32,
    /// Its host name.
    pub hostname: &'a str,
    /// What the others find it by.
    pub names: Vec<String>,
    /// Its `/etc/hosts`.
    pub hosts: PathBuf,
    /// Lines of it that are its own.
    pub own: String,
}

impl Network {
    /// The host's address in it, which is the members' way out.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 86, self.number, 1)
    }

    /// Its addresses, in CIDR notation.
    pub fn subnet(&self) -> String {
        format!("10.86.{}.0/24", self.number)
    }

    /// The host's interface.
    pub fn bridge(&self) -> String {
        format!("racker{}", self.number)
    }

    /// The id of a container that needs it. The interface of one that was removed may still be there:
    /// the kernel takes it away in its own time.
    pub fn user(&self) -> Option<&str> {
        let mut members = self.members.iter();
        members
            .find(|(_, member)| member.hosts.exists())
            .map(|(id, _)| id.as_str())
    }

    /// Forgets members that are gone.
    fn sweep(&mut self) {
        self.members.retain(|id, _| interface_exists(&veth(id)));
    }

    fn free_address(&self) -> Option<Ipv4Addr> {
        (2..=254)
            .map(|host| Ipv4Addr::new(10, 86, self.number, host))
            .find(|address| self.members.values().all(|it| it.address != *address))
    }
}

/// The host's end of a container's interface.
fn veth(id: &str) -> String {
    format!("rk{}", &id[..id.len().min(12)])
}

/// All networks, under a lock that ends with this.
#[derive(Debug)]
pub struct Networks {
    _turn: File,
}

impl Networks {
    /// Waits for its turn.
    pub fn lock() -> Result<Self, Error> {
        let action = || format!("open {DIRECTORY}");
        fs::create_dir_all(DIRECTORY).map_err(Error::io(action()))?;
        fs::set_permissions(DIRECTORY, fs::Permissions::from_mode(0o700))
            .map_err(Error::io(action()))?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(Path::new(DIRECTORY).join("lock"))
            .map_err(Error::io(action()))?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
            .map_err(Error::io("lock the networks"))?;
        Ok(Self { _turn: file })
    }

    /// All of them, with the members that they have now.
    pub fn all(&self) -> Result<Vec<Network>, Error> {
        let action = || format!("read {DIRECTORY}");
        let mut all = Vec::new();
        for entry in fs::read_dir(DIRECTORY).map_err(Error::io(action()))? {
            let path = entry.map_err(Error::io(action()))?.path();
            if path.extension().is_some_and(|it| it == "json") {
                match read_document::<Network>(&path) {
                    // What makes no sense is none.
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                    other => all.extend(other.map_err(Error::io(action()))?),
                }
            }
        }
        for network in &mut all {
            network.sweep();
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Result<Option<Network>, Error> {
        Ok(self.all()?.into_iter().find(|it| it.name == name))
    }

    /// Makes one.
    ///
    /// Errors: there are too many.
    pub fn create(&self, name: &str, internal: bool) -> Result<Network, Error> {
        let all = self.all()?;
        let taken = |number: u8| {
            all.iter().any(|it| it.number == number) || interface_exists(&format!("racker{number}"))
        };
        let number = (0..NETWORKS)
            .find(|number| !taken(*number))
            .ok_or_else(|| Error::Network("there are 200 networks already".into()))?;
        let network = Network {
            name: name.to_owned(),
            number,
            internal,
            members: BTreeMap::new(),
        };
        Self::save(&network)?;
        Ok(network)
    }

    /// Removes one that nobody needs.
    pub fn remove(&self, network: &Network) -> Result<(), Error> {
        let path = path(&network.name);
        fs::remove_file(&path).map_err(Error::io(format!("remove {}", path.display())))?;
        if interface_exists(&network.bridge()) {
            ip(None, &format!("link del {}\n", network.bridge()))?;
        }
        Ok(())
    }

    /// The one of this name; the default one is made where it is missing.
    pub fn need(&self, name: &str) -> Result<Network, Error> {
        match self.find(name)? {
            Some(network) => Ok(network),
            None if name == DEFAULT => self.create(name, false),
            None => Err(Error::Network(format!("network {name} not found"))),
        }
    }

    /// Makes its bridge where there is none.
    ///
    /// Errors: the host has no right or no program for that.
    pub fn ready(&self, network: &Network) -> Result<(), Error> {
        if !bridge::permitted() {
            return Err(Error::NoBridge(Lack::Right));
        }
        if interface_exists(&network.bridge()) {
            return Ok(());
        }
        bridge::make(network)
    }

    /// Lets a container into a network; its address.
    pub fn join(&self, mut network: Network, newcomer: Newcomer<'_>) -> Result<Ipv4Addr, Error> {
        let veth = veth(newcomer.id);
        if interface_exists(&veth) {
            // That of its run before, which the kernel takes away in its own time, maybe just now.
            let _ = ip(None, &format!("link del {veth}\n"));
        }
        self.ready(&network)?;
        let address = network.free_address().ok_or_else(|| {
            Error::Network(format!("network {} has no free address", network.name))
        })?;
        let bridge = network.bridge();
        ip(
            None,
            &format!(
                "link add {veth} type veth peer name eth0 netns {leader}\n\
                 link set {veth} master {bridge} up\n",
                leader = newcomer.leader
            ),
        )?;
        ip(
            Some(newcomer.leader),
            &format!(
                "link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n\
                 route add default via {}\n",
                network.gateway()
            ),
        )?;
        let own = format!(
            "{}{address}\t{}\n{}",
            hosts::LOCAL,
            newcomer.hostname,
            newcomer.own
        );
        network.members.insert(
            newcomer.id.to_owned(),
            Member {
                address,
                names: newcomer.names,
                hosts: newcomer.hosts,
                own,
            },
        );
        Self::save(&network)?;
        write_hosts(&network);
        Ok(address)
    }

    fn save(network: &Network) -> Result<(), Error> {
        let path = path(&network.name);
        write_document(&path, network).map_err(Error::io(format!("write {}", path.display())))
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{name}.json"))
}

/// Tells every member of the others. In the default network nobody is found by name, as in
/// docker's. The files are bound into the containers, so they are written in place.
fn write_hosts(network: &Network) {
    for (id, member) in &network.members {
        let mut text = member.own.clone();
        if network.name != DEFAULT {
            for (other, it) in &network.members {
                if other != id {
                    text.push_str(&format!("{}\t{}\n", it.address, it.names.join(" ")));
                }
            }
        }
        // It may be gone by now.
        let open = File::options()
            .write(true)
            .truncate(true)
            .open(&member.hosts);
        let _ = open.and_then(|mut file| file.write_all(text.as_bytes()));
    }
}
