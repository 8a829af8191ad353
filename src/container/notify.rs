//! The notification socket: how nspawn says that the container runs, and its init that it booted.
//!
//! Source: `sd_notify(3)`; `systemd-nspawn(1)`, `--notify-ready=`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A bound notification socket.
#[derive(Debug)]
pub(super) struct Notify(UnixDatagram);

/// What was heard first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The container runs; its first process has this pid on the host.
    Leader(u32),
    /// The watched process ended.
    Ended,
    /// Time ran out.
    TimedOut,
}

impl Notify {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Waits for the pid of the container's first process.
    pub(super) fn leader(&self, process: &OwnedFd, deadline: Option<Instant>) -> io::Result<Heard> {
        self.hear(process, deadline, leader_pid)
    }

    /// Waits until the guest's init says that it is ready.
    pub(super) fn booted(&self, process: &OwnedFd, deadline: Instant) -> io::Result<bool> {
        let ready = |message: &[u8]| {
            let text = std::str::from_utf8(message).ok()?;
            text.lines().any(|line| line == "READY=1").then_some(0)
        };
        let heard = self.hear(process, Some(deadline), ready)?;
        Ok(matches!(heard, Heard::Leader(_)))
    }

    fn hear(
        &self,
        process: &OwnedFd,
        deadline: Option<Instant>,
        wanted: impl Fn(&[u8]) -> Option<u32>,
    ) -> io::Result<Heard> {
        loop {
            let mut buffer = [0; 4096];
            match self.0.recv(&mut buffer) {
                Ok(length) => {
                    if let Some(found) = wanted(&buffer[..length]) {
                        return Ok(Heard::Leader(found));
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let mut fds = [
                PollFd::new(&self.0, PollFlags::IN),
                PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN),
            ];
            if !wait(&mut fds, deadline)? {
                return Ok(Heard::TimedOut);
            }
            if fds[0].revents().is_empty() && !fds[1].revents().is_empty() {
                return Ok(Heard::Ended);
            }
        }
    }
}

/// Polls until one of `fds` is ready (true) or the deadline has passed (false).
pub(super) fn wait(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = match deadline {
            None => None,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                Some(Timespec::try_from(left).map_err(io::Error::other)?)
            }
        };
        match poll(fds, timeout.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn leader_pid(message: &[u8]) -> Option<u32> {
    std::str::from_utf8(message)
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("X_NSPAWN_LEADER_PID=")?.parse().ok())
}
