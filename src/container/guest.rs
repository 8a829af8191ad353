//! A guest that boots its own init, reached over PID 1's private socket.
//!
//! Nothing waits for the whole boot: it can be talked to as soon as its PID 1 listens.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify;

use super::boot::Purpose;
use super::bus::{Bus, UNIT};
use super::direct::Options;
use super::filters;
use super::launch::{Filter, Launched, launch, place_init};
use super::nspawn::{Bind, FILTERS, INIT, Invocation, Payload};
use super::{Error, Snapshot, boot, hosts, notify, signals};
use crate::files::tail;
use crate::sys;

/// How long the guest's PID 1 may take to listen.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);

/// A guest whose PID 1 answers. It ends with its snapshot's slot.
#[derive(Debug)]
pub struct Guest<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) bus: Bus,
    /// The pid of its PID 1 on the host.
    pub(super) leader: u32,
    log: PathBuf,
    nspawn: Launched,
}

impl<'a> Guest<'a> {
    /// Boots the snapshot and waits until its PID 1 listens. racker's own pid 1 is there as well
    /// where `with_init`.
    pub fn boot(
        snapshot: &'a Snapshot,
        options: &Options<'_>,
        purpose: Purpose,
        with_init: bool,
    ) -> Result<Self, Error> {
        let log = snapshot.slot().directory().join("console.log");
        let nspawn = start(snapshot, options, &log, purpose, with_init)?;
        let deadline = Instant::now() + BOOT_TIMEOUT;
        let Some(leader) = nspawn.leader(Some(deadline))? else {
            return Err(Error::Nspawn(tail(&log, 10)));
        };
        (options.phase)("first process runs");
        end_with(&nspawn, snapshot)?;
        // What is done from outside need not be waited for by the boot.
        let runs = options.runs;
        let bus = std::thread::scope(|scope| {
            let outside = scope.spawn(move || runs(leader));
            let bus = connect(&nspawn, leader, deadline, &log);
            let outside = outside.join();
            outside.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            bus
        })?;
        nspawn.learn_filters(leader);
        (options.phase)("init answers");
        if options.forward_signals {
            forward(&bus, snapshot)?;
        }
        Ok(Self {
            snapshot,
            bus,
            leader,
            log,
            nspawn,
        })
    }

    /// The pid of its PID 1 on the host, for entering its namespaces.
    pub fn leader(&self) -> u32 {
        self.leader
    }

    /// Waits until it says that its boot is over, well or not.
    ///
    /// Errors: it does not in a minute, or ends before.
    pub(super) fn booted(&self) -> Result<(), Error> {
        let deadline = Instant::now() + BOOT_TIMEOUT;
        if self.nspawn.booted(deadline)? {
            return Ok(());
        }
        let console = self.console(10);
        Err(if Instant::now() < deadline {
            Error::BootDied { console }
        } else {
            Error::BootTimeout {
                seconds: BOOT_TIMEOUT.as_secs(),
                console,
            }
        })
    }

    /// Waits for its end; the exit code of its init.
    pub(super) fn wait(self) -> Result<i32, Error> {
        let Self {
            bus, mut nspawn, ..
        } = self;
        // An init whose signals somebody leaves unread in the end sends none to anybody.
        drop(bus);
        Ok(nspawn.wait(None)?.unwrap_or(255))
    }

    /// The last lines of its console.
    pub fn console(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }
}

/// Kills the guest when nspawn is gone: that of a killed nspawn lives on, and its init would go on
/// to answer.
pub(super) fn end_with(nspawn: &Launched, snapshot: &Snapshot) -> Result<(), Error> {
    let process = nspawn
        .process()
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;
    let kill = killer(snapshot)?;
    std::thread::spawn(move || {
        let mut fds = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        if notify::wait(&mut fds, None).is_ok() {
            kill();
        }
    });
    Ok(())
}

/// Something that kills a container from another thread: this very run of it, and not a later one
/// in a group of the same name.
pub(super) fn killer(snapshot: &Snapshot) -> Result<impl Fn() + Send + 'static, Error> {
    let kill = snapshot
        .slot()
        .cgroup()
        .killer()
        .map_err(Error::io("open the cgroup"))?;
    Ok(move || {
        // It is gone where this fails.
        let _ = (&kill).write_all(b"1");
    })
}

fn start(
    snapshot: &Snapshot,
    options: &Options<'_>,
    log: &Path,
    purpose: Purpose,
    with_init: bool,
) -> Result<Launched, Error> {
    let mut binds = options.binds.to_vec();
    if options.own_hosts {
        binds.extend(hosts::bind(snapshot, options.hostname)?);
    }
    let filter = Filter::of(&options.extras);
    let filtered = match &filter {
        Filter::Known(filters) => {
            let source = snapshot.slot().directory().join("filters");
            fs::write(&source, filters::bytes(filters))
                .map_err(Error::io("write to the run directory"))?;
            binds.push(Bind {
                source,
                target: FILTERS.into(),
                writable: false,
            });
            true
        }
        Filter::Nspawn(_) => false,
    };
    if with_init || filtered {
        let source = place_init(snapshot)?;
        binds.push(Bind {
            source,
            target: INIT.into(),
            writable: false,
        });
    }
    // An image that has generators there of its own keeps them.
    let root = snapshot.root()?;
    if root.mode(boot::GENERATORS).is_none() {
        root.make_directories(boot::GENERATORS, snapshot.slot().ids().base)
            .map_err(Error::io("make a place to mount on"))?;
        binds.push(skip_generators(snapshot).map_err(Error::io("write to the run directory"))?);
    }
    let invocation = Invocation {
        root: snapshot.root_path(),
        id: snapshot.slot().id(),
        hostname: options.hostname,
        ids: snapshot.slot().ids(),
        network: &options.network,
        binds: &binds,
        extras: &options.extras,
        payload: Payload::Boot { purpose, filtered },
    };
    let output = match &options.console {
        Some(console) => console.try_clone(),
        None => File::create(log).map(OwnedFd::from),
    };
    let output = output.map_err(Error::io("create the console log"))?;
    let errors = output
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;
    launch(
        snapshot,
        &invocation,
        [Stdio::null(), output.into(), errors.into()],
        &filter,
    )
}

/// A directory that switches generators off, and where it belongs.
fn skip_generators(snapshot: &Snapshot) -> io::Result<Bind> {
    let source = snapshot.slot().directory().join("generators");
    fs::create_dir(&source)?;
    for name in boot::SKIPPED_GENERATORS {
        symlink("/dev/null", source.join(name))?;
    }
    Ok(Bind {
        source,
        target: boot::GENERATORS.into(),
        writable: false,
    })
}

/// Waits for PID 1's private socket to appear, and connects.
fn connect(nspawn: &Launched, leader: u32, deadline: Instant, log: &Path) -> Result<Bus, Error> {
    let stream = wait_for_socket(nspawn, leader, deadline).map_err(|error| {
        let console = tail(log, 10);
        match error.kind() {
            io::ErrorKind::TimedOut => Error::BootTimeout {
                seconds: BOOT_TIMEOUT.as_secs(),
                console,
            },
            io::ErrorKind::UnexpectedEof => Error::BootDied { console },
            _ => Error::Io {
                action: "reach the container's init".into(),
                source: error,
            },
        }
    })?;
    Bus::open(stream)
}

fn wait_for_socket(
    nspawn: &Launched,
    leader: u32,
    deadline: Instant,
) -> io::Result<std::os::unix::net::UnixStream> {
    let run = PathBuf::from(format!("/proc/{leader}/root/run"));
    let directory = run.join("systemd");
    let socket = directory.join("private");
    let watch: OwnedFd =
        inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, &run, inotify::WatchFlags::CREATE)?;
    let mut watching_inner = false;
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    loop {
        if !watching_inner {
            let flags = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
            watching_inner = inotify::add_watch(&watch, &directory, flags).is_ok();
        }
        if watching_inner {
            match sys::connect_inside(leader, &socket) {
                Ok(stream) => return Ok(stream),
                Err(error) if not_yet(&error) => {}
                Err(error) => return Err(error),
            }
        }
        // Between bind and listen nothing is created, so a refused connection is tried again soon.
        let refused = watching_inner && socket.symlink_metadata().is_ok();
        let soon = Instant::now() + Duration::from_millis(1);
        let until = if refused {
            soon.min(deadline)
        } else {
            deadline
        };
        let mut fds = [
            PollFd::new(&watch, PollFlags::IN),
            PollFd::from_borrowed_fd(nspawn.process().as_fd(), PollFlags::IN),
        ];
        if !notify::wait(&mut fds, Some(until))? && Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !fds[1].revents().is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        while reader.next().is_ok() {}
    }
}

fn not_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn forward(bus: &Bus, snapshot: &Snapshot) -> Result<(), Error> {
    let signal = bus.signaller(UNIT)?;
    let signals = signals::catch().map_err(Error::io("take signals"))?;
    signals::forward(signals, signal, killer(snapshot)?);
    Ok(())
}
