//! Commands for racker's own pid 1, which starts them in its container.
//!
//! `src/sys/init/agent.rs` is the other side and describes what is said.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::nspawn::groups;
use super::{Error, Exit, Process, meeting, notify};

/// The socket's name in its directory.
const NAME: &str = "agent";

/// How long the agent may take to answer once its container runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket for the agent to listen on, in a directory that only root can enter.
pub(super) fn listen(directory: &Path) -> io::Result<UnixListener> {
    meeting::listen(directory, NAME)
}

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The container ends with it.
    Main,
    /// Another one.
    Other,
}

/// A connection to the agent, for one command.
#[derive(Debug)]
pub(super) struct Agent {
    stream: UnixStream,
    received: Vec<u8>,
    is_ready: bool,
}

/// How a command came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It ran and ended.
    Exited(Exit),
    /// It did not start: the exit code for that, and why.
    Failed(u8, String),
    /// The container ended before it.
    Gone,
    /// Time ran out.
    TimedOut,
}

impl Ended {
    /// How it exited; none where time ran out.
    ///
    /// Errors: it was not started.
    pub(super) fn exit(self) -> Result<Option<Exit>, Error> {
        match self {
            Self::Exited(exit) => Ok(Some(exit)),
            Self::TimedOut => Ok(None),
            Self::Gone => Ok(Some(Exit(137))),
            Self::Failed(127, text) => Err(Error::CommandNotFound(text)),
            Self::Failed(126, text) => Err(Error::CommandDenied(text)),
            Self::Failed(_, text) => Err(Error::Agent(text)),
        }
    }
}

impl Agent {
    /// Connects to the agent that listens, or will, in `directory`.
    pub(super) fn connect(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            stream: meeting::connect(directory, NAME)?,
            received: Vec::new(),
            is_ready: false,
        })
    }

    /// Waits until the container's pid 1 listens; false where it ended before.
    pub(super) fn ready(&mut self) -> io::Result<bool> {
        if self.is_ready {
            return Ok(true);
        }
        let deadline = Instant::now() + PATIENCE;
        match self.line(Some(deadline))? {
            Line::Text(text) => {
                self.is_ready = text == "ready";
                Ok(self.is_ready)
            }
            Line::End => Ok(false),
            Line::TimedOut => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Has filters set for everything that is started from now on.
    pub(super) fn filter(&mut self, programs: &[u8]) -> io::Result<()> {
        self.stream.write_all(&request(b's', programs))
    }

    /// Signals the main command.
    pub(super) fn signal_main(&mut self, number: i32) -> io::Result<()> {
        let number = u8::try_from(number).map_err(io::Error::other)?;
        self.stream.write_all(&request(b'k', &[number]))?;
        // It is done when the answer comes.
        self.stream.shutdown(std::net::Shutdown::Write)?;
        io::copy(&mut self.stream, &mut io::sink()).map(drop)
    }

    /// Asks for a command with these streams, all three the same terminal where there is one.
    pub(super) fn start(
        &mut self,
        role: Role,
        process: &Process,
        streams: [BorrowedFd<'_>; 3],
        terminal: bool,
    ) -> io::Result<()> {
        let kind = match (role, terminal) {
            (Role::Main, false) => b'm',
            (Role::Main, true) => b'M',
            (Role::Other, false) => b'x',
            (Role::Other, true) => b'X',
        };
        let bytes = request(kind, &command(process));
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&streams));
        let sent = sendmsg(
            &self.stream,
            &[IoSlice::new(&bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
        self.stream.write_all(&bytes[sent..])
    }

    /// Waits until the command has been started; false where it will not be. The reason is what
    /// [`Agent::wait`] gives.
    pub(super) fn started(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            match self.line(deadline)? {
                Line::Text(text) if text == "started" => return Ok(true),
                Line::Text(text) if text == "ready" => {}
                Line::Text(text) => {
                    self.received.splice(0..0, format!("{text}\n").into_bytes());
                    return Ok(false);
                }
                Line::End | Line::TimedOut => return Ok(false),
            }
        }
    }

    /// Waits for the end of the command.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Ended> {
        loop {
            let text = match self.line(deadline)? {
                Line::Text(text) => text,
                Line::End => return Ok(Ended::Gone),
                Line::TimedOut => return Ok(Ended::TimedOut),
            };
            let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
            match word {
                "exit" => {
                    let code = rest.parse().unwrap_or(255);
                    return Ok(Ended::Exited(Exit(u8::try_from(code).unwrap_or(255))));
                }
                "failed" => {
                    let (code, text) = rest.split_once(' ').unwrap_or(("125", rest));
                    return Ok(Ended::Failed(code.parse().unwrap_or(125), text.to_owned()));
                }
                _ => {}
            }
        }
    }

    /// Something that sends signals to the command from another thread.
    pub(super) fn signaller(&self) -> io::Result<impl Fn(i32) + Send + 'static> {
        let stream = self.stream.try_clone()?;
        Ok(move |number: i32| {
            if let Ok(number) = u8::try_from(number) {
                let _ = (&stream).write_all(&[number]);
            }
        })
    }

    fn line(&mut self, deadline: Option<Instant>) -> io::Result<Line> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line[..end]).into_owned();
                return Ok(Line::Text(text));
            }
            let mut fds = [PollFd::from_borrowed_fd(self.stream.as_fd(), PollFlags::IN)];
            if !notify::wait(&mut fds, deadline)? {
                return Ok(Line::TimedOut);
            }
            let mut bytes = [0; 512];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(Line::End),
                Ok(length) => self.received.extend(&bytes[..length]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Line::End);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

enum Line {
    Text(String),
    End,
    TimedOut,
}

/// Limits by their numbers, as `7=1024:2048`, with commas between them.
fn limits(list: &[(String, u64, u64)]) -> String {
    let one = |(name, soft, hard): &(String, u64, u64)| {
        let number = NUMBERS.iter().find(|(it, _)| it == name)?.1;
        Some(format!("{number}={soft}:{hard}"))
    };
    let all: Vec<String> = list.iter().filter_map(one).collect();
    if all.is_empty() {
        "-".into()
    } else {
        all.join(",")
    }
}

/// The numbers of limits. Source: `setrlimit(2)`.
const NUMBERS: [(&str, u32); 15] = [
    ("AS", libc::RLIMIT_AS),
    ("CORE", libc::RLIMIT_CORE),
    ("CPU", libc::RLIMIT_CPU),
    ("DATA", libc::RLIMIT_DATA),
    ("FSIZE", libc::RLIMIT_FSIZE),
    ("LOCKS", libc::RLIMIT_LOCKS),
    ("MEMLOCK", libc::RLIMIT_MEMLOCK),
    ("MSGQUEUE", libc::RLIMIT_MSGQUEUE),
    ("NICE", libc::RLIMIT_NICE),
    ("NOFILE", libc::RLIMIT_NOFILE),
    ("NPROC", libc::RLIMIT_NPROC),
    ("RSS", libc::RLIMIT_RSS),
    ("RTPRIO", libc::RLIMIT_RTPRIO),
    ("SIGPENDING", libc::RLIMIT_SIGPENDING),
    ("STACK", libc::RLIMIT_STACK),
];

fn request(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn command(process: &Process) -> Vec<u8> {
    let user = &process.user;
    let environment = process.environment();
    let head = [
        user.uid.to_string(),
        user.gid.to_string(),
        groups(&user.groups),
        process.directory.clone(),
        process
            .capabilities
            .map_or_else(|| "-".into(), |set| set.to_string()),
        limits(&process.limits),
        process.argv.len().to_string(),
    ];
    let environment = environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let mut body = Vec::new();
    for word in head
        .into_iter()
        .chain(process.argv.iter().cloned())
        .chain(environment)
    {
        body.extend(word.bytes());
        body.push(0);
    }
    body
}
