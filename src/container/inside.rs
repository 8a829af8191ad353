//! A command in a container that somebody else holds: through its init where that is systemd, else
//! through racker's own pid 1.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use rustix::process::{PidfdFlags, pidfd_open};
use zbus::{Fd, Variant};

use super::agent::{self, Agent, Role};
use super::booted::{behind_init, find, known, not_started, on_pipes, on_terminal, properties};
use super::bus::{Bus, Properties, UNIT, UnitEnd};
use super::nspawn::INIT;
use super::slot::random_id;
use super::{Console, Error, Exit, Process, Root, relay, signals};
use crate::sys::{self, IdMap};

/// A container that runs.
#[derive(Debug)]
pub struct Inside<'a> {
    /// The pid of its first process on the host.
    pub leader: u32,
    /// The first of its ids on the host.
    pub base: u32,
    /// Whether its first process is systemd.
    pub boots: bool,
    /// Where its pid 1 listens, if that is racker's own.
    pub meeting: &'a Path,
    /// Its root.
    pub root: Root,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Exited(Exit),
    /// It was not waited for any longer, and runs on.
    TimedOut,
}

impl Inside<'_> {
    fn ids(&self) -> IdMap {
        if self.base == 0 {
            return IdMap::IDENTITY;
        }
        IdMap {
            base: self.base,
            count: 65536,
        }
    }

    fn bus(&self) -> Result<Bus, Error> {
        let socket = format!("/proc/{}/root/run/systemd/private", self.leader);
        let stream = sys::connect_inside(self.leader, socket.as_ref())
            .map_err(Error::io("reach the container's init"))?;
        Bus::open(stream)
    }

    fn agent(&self) -> Result<Agent, Error> {
        Agent::connect(self.meeting).map_err(Error::io("reach the container's pid 1"))
    }

    /// The unit of a command, and what it is.
    fn unit(&self, process: &Process) -> Result<(String, Properties), Error> {
        let init = self.root.init().ok_or(Error::NoInit)?;
        let command = find(&self.root, process)?;
        let properties = if known(&self.root, &process.user) || self.root.mode(INIT).is_none() {
            properties(&command, &init, process)
        } else {
            properties(INIT, &init, &behind_init(process))
        };
        let mut properties: Properties = properties;
        // What the command leaves running goes on, as in docker.
        properties.retain(|(name, _)| name != "KillMode");
        properties.push(("KillMode".into(), "process".into()));
        let id = random_id().map_err(Error::io("read random bytes"))?;
        Ok((format!("racker-{}.service", &id[..12]), properties))
    }
}

/// Runs a command and waits for its end.
///
/// Errors: it is missing or not executable.
pub fn run(
    inside: &Inside<'_>,
    process: &Process,
    console: Console,
    forward_signals: bool,
    deadline: Option<Instant>,
) -> Result<Ended, Error> {
    let caught = if forward_signals {
        Some(signals::catch().map_err(Error::io("take signals"))?)
    } else {
        None
    };
    if inside.boots {
        through_init(inside, process, console, caught, deadline)
    } else {
        through_agent(inside, process, console, caught, deadline)
    }
}

fn owner(inside: &Inside<'_>, process: &Process) -> u32 {
    let ids = inside.ids();
    ids.base + process.user.uid.min(ids.count - 1)
}

fn through_init(
    inside: &Inside<'_>,
    process: &Process,
    console: Console,
    caught: Option<signal_hook::iterator::Signals>,
    deadline: Option<Instant>,
) -> Result<Ended, Error> {
    let (unit, properties) = inside.unit(process)?;
    let mut bus = inside.bus()?;
    if let Some(caught) = caught {
        let (signal, kill) = (bus.signaller(&unit)?, bus.signaller(&unit)?);
        signals::forward(caught, signal, move || kill(libc::SIGKILL));
    }
    let end = match console {
        Console::Terminal(screen) => {
            let shown = screen.show(inside.leader, owner(inside, process))?;
            let properties = on_terminal(properties, &shown);
            let end = bus.run(&unit, properties, deadline, &|| ())?;
            bus.forget(&unit)?;
            shown.finish();
            end
        }
        Console::Streams(streams) => {
            let (ends, relay) = relay::streams(&process.user, inside.ids(), streams)
                .map_err(Error::io("make pipes"))?;
            let end = bus.run(&unit, on_pipes(properties, ends), deadline, &|| ())?;
            // The init holds the command's ends as long as there is the unit.
            bus.forget(&unit)?;
            if end != UnitEnd::TimedOut {
                relay.finish_soon()?;
            }
            end
        }
    };
    match end {
        UnitEnd::Exited(exit) => Ok(Ended::Exited(exit)),
        UnitEnd::NotStarted(status) => Err(not_started(status, &inside.root, process)),
        UnitEnd::GuestEnded => Ok(Ended::Exited(Exit(137))),
        UnitEnd::TimedOut => Ok(Ended::TimedOut),
    }
}

fn through_agent(
    inside: &Inside<'_>,
    process: &Process,
    console: Console,
    caught: Option<signal_hook::iterator::Signals>,
    deadline: Option<Instant>,
) -> Result<Ended, Error> {
    let speak = |error| Error::io("speak with the container's pid 1")(error);
    let mut agent = inside.agent()?;
    let forward = |agent: &Agent| -> Result<(), Error> {
        if let Some(caught) = caught {
            let signal = agent.signaller().map_err(speak)?;
            let kill = agent.signaller().map_err(speak)?;
            signals::forward(caught, signal, move || kill(libc::SIGKILL));
        }
        Ok(())
    };
    let ended = match console {
        Console::Terminal(screen) => {
            let shown = screen.show(inside.leader, owner(inside, process))?;
            let side = shown.open_side(inside.leader)?;
            let fd = side.as_fd();
            agent
                .start(Role::Other, process, [fd, fd, fd], true)
                .map_err(speak)?;
            drop(side);
            forward(&agent)?;
            let ended = agent.wait(deadline).map_err(speak)?;
            shown.finish();
            ended
        }
        Console::Streams(streams) => {
            let (ends, relay) = relay::streams(&process.user, inside.ids(), streams)
                .map_err(Error::io("make pipes"))?;
            let fds = [ends.stdin.as_fd(), ends.stdout.as_fd(), ends.stderr.as_fd()];
            agent
                .start(Role::Other, process, fds, false)
                .map_err(speak)?;
            drop(ends);
            forward(&agent)?;
            let ended = agent.wait(deadline).map_err(speak)?;
            if ended != agent::Ended::TimedOut {
                relay.finish_soon()?;
            }
            ended
        }
    };
    Ok(ended.exit()?.map_or(Ended::TimedOut, Ended::Exited))
}

/// Starts a command whose output nobody sees, and does not wait for it.
pub fn start(inside: &Inside<'_>, process: &Process) -> Result<(), Error> {
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(Error::io("open /dev/null"))?;
    if inside.boots {
        let (unit, mut properties) = inside.unit(process)?;
        properties.retain(|(name, _)| name != "RemainAfterExit");
        properties.push(("CollectMode".into(), "inactive-or-failed".into()));
        let end = null
            .try_clone()
            .map_err(Error::io("duplicate a descriptor"))?;
        properties.push((
            "StandardOutputFileDescriptor".into(),
            Variant::Fd(Fd::from(OwnedFd::from(end))),
        ));
        return inside.bus()?.start(&unit, properties);
    }
    let speak = |error| Error::io("speak with the container's pid 1")(error);
    let mut agent = inside.agent()?;
    let fd = null.as_fd();
    agent
        .start(Role::Other, process, [fd, fd, fd], false)
        .map_err(speak)?;
    if agent.started(None).map_err(speak)? {
        return Ok(());
    }
    agent.wait(None).map_err(speak)?.exit().map(drop)
}

/// Signals the main command of a container; its first process where that boots for itself alone.
pub fn signal(inside: &Inside<'_>, alone: bool, number: i32) -> Result<(), Error> {
    if inside.boots && !alone {
        return inside.bus()?.signal(UNIT, number);
    }
    if inside.boots {
        return signal_first(inside.leader, number);
    }
    let speak = |error| Error::io("speak with the container's pid 1")(error);
    inside.agent()?.signal_main(number).map_err(speak)
}

/// Asks the container's systemd to shut down. Source: `systemd(1)`, "SIGNALS".
pub fn shut_down(leader: u32) -> Result<(), Error> {
    signal_first(leader, libc::SIGRTMIN() + 4)
}

/// Asks the container's systemd to shut down and start again. Source: `systemd(1)`, "SIGNALS".
pub fn reboot(leader: u32) -> Result<(), Error> {
    signal_first(leader, libc::SIGRTMIN() + 5)
}

fn signal_first(leader: u32, number: i32) -> Result<(), Error> {
    let process = super::launch::pid(leader)
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
        .map_err(Error::io("signal the container"))?;
    sys::signal(&process, number).map_err(Error::io("signal the container"))
}
