//! Starting systemd-nspawn in a snapshot's slot.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::filters::{self, Filters};
use super::notify::{self, Heard, Notify};
use super::nspawn::{Extras, Invocation, Network, PROGRAM};
use super::{Error, Snapshot};
use crate::sys;

/// racker's own pid 1, as `build.rs` made it.
const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// A running nspawn.
#[derive(Debug)]
pub(super) struct Launched {
    child: Child,
    process: OwnedFd,
    notify: Notify,
    /// Where the filters that nspawn sets can be kept for the next time.
    learn: Option<PathBuf>,
}

/// Who sets the container's system call filters.
#[derive(Debug)]
pub(super) enum Filter {
    /// racker's program in the container: these.
    Known(Filters),
    /// nspawn; they can be kept here for the next time.
    Nspawn(Option<PathBuf>),
}

impl Filter {
    /// What is known for a container like this.
    pub(super) fn of(extras: &Extras) -> Self {
        let place = filters::place(extras);
        match place.as_deref().and_then(filters::read) {
            Some(filters) => Self::Known(filters),
            None => Self::Nspawn(place),
        }
    }

    fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    fn learn(&self) -> Option<PathBuf> {
        match self {
            Self::Known(_) => None,
            Self::Nspawn(place) => place.clone(),
        }
    }
}

/// Standard streams for nspawn.
pub(super) type Streams = [Stdio; 3];

/// Writes racker's pid 1 where it can be bound from.
pub(super) fn place_init(snapshot: &Snapshot) -> Result<PathBuf, Error> {
    let path = snapshot.slot().directory().join("init");
    fs::write(&path, INIT)
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
        .map_err(Error::io(format!("write {}", path.display())))?;
    Ok(path)
}

/// Starts nspawn, in a process group of its own: the terminal's signals are not for it.
pub(super) fn launch(
    snapshot: &Snapshot,
    invocation: &Invocation<'_>,
    [stdin, stdout, stderr]: Streams,
    filter: &Filter,
) -> Result<Launched, Error> {
    let socket = snapshot.slot().directory().join("notify");
    let _ = fs::remove_file(&socket);
    let notify = Notify::bind(&socket).map_err(Error::io("bind the notification socket"))?;
    let mut command = Command::new(PROGRAM);
    command
        .args(invocation.arguments())
        .env_clear()
        .envs(invocation.environment(&socket))
        .envs(filter.is_known().then(filters::switched_off))
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    for procs in snapshot
        .slot()
        .procs()
        .map_err(Error::io("open the cgroup"))?
    {
        sys::enter_cgroup(&mut command, procs);
    }
    if let Network::Joined(namespace) = invocation.network {
        sys::enter_network(&mut command, namespace.clone());
    }
    let child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NspawnMissing,
        _ => Error::Io {
            action: format!("start {PROGRAM}"),
            source,
        },
    })?;
    snapshot.slot().occupied();
    let process = pid(child.id())
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
        .map_err(Error::io("watch systemd-nspawn"))?;
    Ok(Launched {
        child,
        process,
        notify,
        learn: filter.learn(),
    })
}

impl Launched {
    /// Waits until the container's first process runs, and returns its pid on the host; `None`
    /// where nspawn ended or time ran out before.
    pub(super) fn leader(&self, deadline: Option<Instant>) -> Result<Option<u32>, Error> {
        match self.notify.leader(&self.process, deadline) {
            Ok(Heard::Leader(pid)) => Ok(Some(pid)),
            Ok(Heard::Ended | Heard::TimedOut) => Ok(None),
            Err(error) => Err(Error::io("wait for systemd-nspawn")(error)),
        }
    }

    /// Whether it is worth while to wait for [`Launched::learn_filters`].
    pub(super) fn learns(&self) -> bool {
        self.learn.is_some()
    }

    /// Keeps the filters of the container's first process, which runs its program by now, for the
    /// next container. That they cannot be read is no failure: nspawn sets them again.
    pub(super) fn learn_filters(&self, leader: u32) {
        if let Some(place) = &self.learn {
            let _ = filters::learn(leader, place);
        }
    }

    /// Waits until the guest's init says that it booted; false where nspawn ended or time ran out
    /// before.
    pub(super) fn booted(&self, deadline: Instant) -> Result<bool, Error> {
        self.notify
            .booted(&self.process, deadline)
            .map_err(Error::io("wait for the container's boot"))
    }

    /// nspawn's process, for waiting.
    pub(super) fn process(&self) -> &OwnedFd {
        &self.process
    }

    /// Waits for nspawn's end; `None` where time ran out before.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<i32>, Error> {
        let mut fds = [PollFd::from_borrowed_fd(
            self.process.as_fd(),
            PollFlags::IN,
        )];
        let ended =
            notify::wait(&mut fds, deadline).map_err(Error::io("wait for the container"))?;
        if !ended {
            return Ok(None);
        }
        let status = self
            .child
            .wait()
            .map_err(Error::io("wait for systemd-nspawn"))?;
        Ok(Some(status.code().unwrap_or(137)))
    }
}

/// A pid as the system calls take it.
pub(super) fn pid(number: u32) -> io::Result<Pid> {
    i32::try_from(number)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
