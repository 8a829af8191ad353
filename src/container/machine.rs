//! A container as the host's systemd knows it: a scope unit, and a machine of machined's.
//!
//! machined takes no process that is in no unit. So a container that is to be registered has the
//! control group of a transient scope in the place of one that racker makes. Scope and machine end
//! by themselves with the container's last process, whoever killed it. Sources:
//! `org.freedesktop.systemd1(5)`, `org.freedesktop.machine1(5)`, `systemd.scope(5)`.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zbus::{DynamicType, OwnedObjectPath};

use super::bus::{self, Bus, MANAGER, MANAGER_PATH};
use super::limits::Limits;
use super::{Error, hosts};

/// The host's system bus. Source: the D-Bus specification, "Well-known Message Bus Instances".
const SOCKET: &str = "/run/dbus/system_bus_socket";

/// Where machines are, among the host's units. Source: `systemd.special(7)`.
const SLICE: &str = "machine.slice";

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MACHINED: &str = "org.freedesktop.machine1";

/// How long the host's systemd may take for an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How long what is left of an earlier run may take to be forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3);

fn unit(id: &str) -> String {
    format!("racker-{id}.scope")
}

/// The name of the machine that a container of this name is: like that of a host. Source:
/// `machinectl(1)`, "Machine and Image Names".
pub fn name(container: &str) -> String {
    hosts::name(container).unwrap_or_else(|| container.to_owned())
}

/// The control group of the scope of the container `id`.
pub(super) fn cgroup(id: &str) -> String {
    format!("{SLICE}/{}", unit(id))
}

/// A process that keeps a scope from being empty, which would be its end, until the container is in
/// it. It ends with this, and with racker.
#[derive(Debug)]
pub(super) struct Placeholder(Child);

impl Placeholder {
    fn start() -> Result<Self, Error> {
        let mut command = Command::new("cat");
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Self(command.spawn().map_err(Error::io("start cat"))?))
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Starts the scope of the container `id`, with its limits, which is to be the machine `name`.
///
/// Errors: there is no system bus, no systemd or no machined on it; a machine has that name.
pub(super) fn start(id: &str, name: &str, limits: &Limits) -> Result<Placeholder, Error> {
    let mut bus = connect()?;
    let unit = unit(id);
    unknown(&mut bus, name)?;
    free(&mut bus, SYSTEMD, "GetUnit", &unit)?;
    let first = Placeholder::start()?;
    let mut properties: bus::Properties = vec![
        ("Description".into(), format!("container {name}").into()),
        ("Slice".into(), SLICE.into()),
        ("Delegate".into(), true.into()),
        ("CollectMode".into(), "inactive-or-failed".into()),
        ("PIDs".into(), vec![first.0.id()].into()),
    ];
    properties.extend(limits.properties());
    bus.destination = Some(SYSTEMD);
    bus.start(&unit, properties).map_err(told)?;
    Ok(first)
}

/// Has machined know a container by the pid of its first process on the host.
pub fn register(name: &str, leader: u32) -> Result<(), Error> {
    let mut bus = connect()?;
    let uuid: Vec<u8> = Vec::new();
    // Its root is mounted where the host does not see it; machined enters the container instead.
    let root = "";
    let body = (name, uuid, "racker", "container", leader, root);
    machined::<_, OwnedObjectPath>(&mut bus, "RegisterMachine", &body).map(drop)
}

/// Has machined know a container that runs by another name.
///
/// Errors: another machine has that name; then it keeps its own.
pub fn rename(before: &str, name: &str, leader: u32) -> Result<(), Error> {
    let mut bus = connect()?;
    unknown(&mut bus, name)?;
    machined::<_, ()>(&mut bus, "UnregisterMachine", &before)?;
    register(name, leader)
}

/// Errors: a machine has that name.
fn unknown(bus: &mut Bus, name: &str) -> Result<(), Error> {
    if free(bus, MACHINED, "GetMachine", name)? {
        return Ok(());
    }
    let reason = format!("there is a machine {name} already");
    Err(Error::Machine(reason))
}

fn machined<B, T>(bus: &mut Bus, member: &str, body: &B) -> Result<T, Error>
where
    B: Serialize + DynamicType,
    T: for<'de> Deserialize<'de> + DynamicType + zbus::Type,
{
    bus.destination = Some(MACHINED);
    let (path, interface) = (
        "/org/freedesktop/machine1",
        "org.freedesktop.machine1.Manager",
    );
    bus.ask(path, interface, member, body, Instant::now() + ANSWER)
        .map_err(told)
}

/// A connection to the host's bus that hears of systemd's jobs and machined's machines.
fn connect() -> Result<Bus, Error> {
    let stream = UnixStream::connect(SOCKET)
        .map_err(|error| Error::Machine(format!("no system bus at {SOCKET}: {error}")))?;
    let mut bus = Bus::open(stream).map_err(told)?;
    let deadline = Instant::now() + ANSWER;
    bus.destination = Some("org.freedesktop.DBus");
    let (path, interface) = ("/org/freedesktop/DBus", "org.freedesktop.DBus");
    let _: String = bus
        .ask(path, interface, "Hello", &(), deadline)
        .map_err(told)?;
    for name in [SYSTEMD, MACHINED] {
        let rule = format!("type='signal',sender='{name}'");
        bus.ask::<_, ()>(path, interface, "AddMatch", &rule, deadline)
            .map_err(told)?;
    }
    bus.destination = Some(SYSTEMD);
    bus.ask::<_, ()>(MANAGER_PATH, MANAGER, "Subscribe", &(), deadline)
        .map_err(told)?;
    Ok(bus)
}

/// Whether a service's manager knows nothing of this name, or forgets it soon.
fn free(bus: &mut Bus, service: &'static str, question: &str, name: &str) -> Result<bool, Error> {
    bus.destination = Some(service);
    let (path, interface) = (
        format!("/{}", service.replace('.', "/")),
        format!("{service}.Manager"),
    );
    let until = Instant::now() + FORGOTTEN;
    loop {
        let found = bus.ask::<_, OwnedObjectPath>(
            &path,
            &interface,
            question,
            &name,
            Instant::now() + ANSWER,
        );
        match found {
            Err(Error::Bus(_)) => return Ok(true),
            Err(error) => return Err(error),
            Ok(_) if Instant::now() > until => return Ok(false),
            // Its end is told by a signal; which one does not matter.
            Ok(_) => drop(bus.receive(Some(until))?),
        }
    }
}

/// An answer of the host's, which is none of the container's.
fn told(error: Error) -> Error {
    match error {
        Error::Bus(text) => Error::Machine(text),
        other => other,
    }
}
