//! A command in a guest that boots its own init: as a transient unit.
//!
//! Nothing waits for the whole boot. The unit is asked for as soon as the guest's PID 1 listens;
//! systemd itself starts it once `basic.target` is reached, while the rest boots on.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify;
use zbus::{Fd, Variant};

use super::bus::{Bus, Properties, UnitEnd};
use super::direct::Options;
use super::launch::{Launched, launch, place_init, tail};
use super::nspawn::{self, Bind, INIT, Invocation, Payload};
use super::root::{Found, Init};
use super::terminal::{Raw, Terminal};
use super::users::User;
use super::{Console, Error, Exit, Process, Snapshot, boot, notify, relay, signals};
use crate::sys;

/// How long the guest's PID 1 may take to listen.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
/// The first version with `Type=exec`.
const TYPE_EXEC: u32 = 240;

/// Boots the snapshot and runs `process` in it.
///
/// Errors: the guest does not boot; the command is missing or not executable (exit codes 127 and
/// 126).
pub fn run(
    snapshot: &Snapshot,
    init: &Init,
    process: &Process,
    console: Console,
    options: &Options<'_>,
) -> Result<Exit, Error> {
    let command = find(snapshot, process)?;
    let log = snapshot.slot().directory().join("console.log");
    let through_init = !known(snapshot, &process.user)?;
    let nspawn = start(snapshot, options, &log, through_init)?;
    let deadline = Instant::now() + BOOT_TIMEOUT;
    let Some(leader) = nspawn.leader(Some(deadline))? else {
        return Err(Error::Nspawn(tail(&log, 10)));
    };
    (options.phase)("first process runs");
    end_with(&nspawn, snapshot)?;
    let mut bus = connect(&nspawn, leader, deadline, &log)?;
    (options.phase)("init answers");
    if options.forward_signals {
        forward(&bus, snapshot)?;
    }
    let properties = if through_init {
        properties(INIT, init, &behind_init(process))
    } else {
        properties(&command, init, process)
    };
    let end = match console {
        Console::Terminal => {
            let owner = snapshot.slot().ids().base + process.user.uid;
            in_terminal(&mut bus, leader, owner, properties)?
        }
        Console::Pipes { stdin } => {
            let connected = relay::own_streams(&process.user, snapshot.slot().ids(), stdin);
            with_pipes(&mut bus, snapshot, connected, properties)?
        }
        Console::Log(file) => {
            let connected = relay::log(&process.user, snapshot.slot().ids(), file);
            with_pipes(&mut bus, snapshot, connected, properties)?
        }
    };
    (options.phase)("command ended");
    match end {
        UnitEnd::Exited(exit) => Ok(exit),
        // 203 is systemd's code for a failed execve, of an existing file as `find` made sure.
        UnitEnd::NotStarted(203) => Err(Error::CommandDenied(process.argv[0].clone())),
        UnitEnd::NotStarted(status) => Err(Error::Bus(format!(
            "systemd could not start it (status {status}, systemd.exec(5))"
        ))),
        UnitEnd::GuestEnded => Ok(Exit(137)),
    }
}

/// Kills the guest when nspawn is gone: that of a killed nspawn lives on, and its init would go on
/// to answer.
fn end_with(nspawn: &Launched, snapshot: &Snapshot) -> Result<(), Error> {
    let process = nspawn
        .process()
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;
    let name = cgroup_name(snapshot);
    std::thread::spawn(move || {
        let mut fds = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        if notify::wait(&mut fds, None).is_ok() {
            kill(&name);
        }
    });
    Ok(())
}

fn cgroup_name(snapshot: &Snapshot) -> String {
    format!("racker-{}", snapshot.slot().id())
}

fn kill(cgroup: &str) {
    if let Ok(hierarchy) = super::cgroup::hierarchy() {
        let cgroup = super::cgroup::Cgroup::existing(hierarchy, cgroup.to_owned());
        let _ = cgroup.kill(Duration::from_secs(5));
    }
}

fn find(snapshot: &Snapshot, process: &Process) -> Result<String, Error> {
    let name = &process.argv[0];
    let search = process.variable("PATH").unwrap_or(super::process::PATH);
    match snapshot
        .root()?
        .find_command(name, search, &process.directory)
    {
        Found::At(path) => Ok(path),
        Found::NotExecutable => Err(Error::CommandDenied(name.clone())),
        Found::Missing => Err(Error::CommandNotFound(name.clone())),
    }
}

/// Whether the image's files name the user and the group. systemd takes no others.
fn known(snapshot: &Snapshot, user: &User) -> Result<bool, Error> {
    let root = snapshot.root()?;
    let has = |path: &str, id: u32| {
        let text = root.read(path).unwrap_or_default();
        let id = id.to_string();
        id == "0" || text.lines().any(|line| line.split(':').nth(2) == Some(&id))
    };
    Ok(has("/etc/passwd", user.uid) && has("/etc/group", user.gid))
}

/// The command started by racker's own pid 1, which takes any user.
fn behind_init(process: &Process) -> Process {
    let mut behind = process.clone();
    let mut argv = nspawn::init_arguments(process);
    argv.extend(process.argv.iter().cloned());
    behind.argv = argv;
    behind.env = process.environment();
    behind.user = User::default();
    behind
}

fn start(
    snapshot: &Snapshot,
    options: &Options<'_>,
    log: &Path,
    with_init: bool,
) -> Result<Launched, Error> {
    let mut binds = options.binds.to_vec();
    if with_init {
        let source = place_init(snapshot)?;
        binds.push(Bind {
            source,
            target: INIT.into(),
            writable: false,
        });
    }
    // An image that has generators there of its own keeps them.
    if snapshot.root()?.mode(boot::GENERATORS).is_none() {
        binds.push(skip_generators(snapshot).map_err(Error::io("write to the run directory"))?);
    }
    let invocation = Invocation {
        root: snapshot.root_path(),
        id: snapshot.slot().id(),
        hostname: options.hostname,
        ids: snapshot.slot().ids(),
        network: options.network,
        binds: &binds,
        payload: Payload::Boot,
    };
    let output = File::create(log).map_err(Error::io("create the console log"))?;
    let errors = output
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;
    launch(
        snapshot,
        &invocation,
        [Stdio::null(), output.into(), errors.into()],
        true,
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
    let signal = bus.signaller()?;
    let name = cgroup_name(snapshot);
    signals::forward(signal, move || kill(&name)).map_err(Error::io("take signals"))
}

/// The command as properties of a transient unit, all but its streams.
fn properties(command: &str, init: &Init, process: &Process) -> Properties {
    // systemd would replace `$NAME` in arguments; `$$` stands for one `$`.
    let argv: Vec<String> = process.argv.iter().map(|a| a.replace('$', "$$")).collect();
    let environment: Vec<String> = process
        .environment()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let kind = if init.version >= TYPE_EXEC {
        "exec"
    } else {
        "simple"
    };
    let mut all: Properties = vec![
        ("Description".into(), "command given to racker run".into()),
        ("Type".into(), kind.into()),
        ("RemainAfterExit".into(), true.into()),
        ("IgnoreSIGPIPE".into(), false.into()),
        ("TimeoutStartUSec".into(), u64::MAX.into()),
        ("KillMode".into(), "mixed".into()),
        ("WorkingDirectory".into(), process.directory.clone().into()),
        ("Environment".into(), environment.into()),
        (
            "ExecStart".into(),
            vec![(command.to_owned(), argv, false)].into(),
        ),
    ];
    if process.user.uid != 0 || process.user.gid != 0 {
        all.push(("User".into(), process.user.uid.to_string().into()));
        all.push(("Group".into(), process.user.gid.to_string().into()));
        let groups: Vec<String> = process
            .user
            .groups
            .iter()
            .map(ToString::to_string)
            .collect();
        all.push(("SupplementaryGroups".into(), groups.into()));
    }
    all
}

fn with_pipes(
    bus: &mut Bus,
    snapshot: &Snapshot,
    connected: io::Result<(relay::Ends, relay::Relay)>,
    mut properties: Properties,
) -> Result<UnitEnd, Error> {
    let (ends, relay) = connected.map_err(Error::io("make pipes"))?;
    for (name, end) in [
        ("StandardInputFileDescriptor", ends.stdin),
        ("StandardOutputFileDescriptor", ends.stdout),
        ("StandardErrorFileDescriptor", ends.stderr),
    ] {
        properties.push((name.into(), Variant::Fd(Fd::from(end))));
    }
    let end = bus.run(properties)?;
    // What the command left running holds the pipes; it ends with the command, as in docker.
    snapshot.slot().kill()?;
    relay.finish();
    Ok(end)
}

fn in_terminal(
    bus: &mut Bus,
    leader: u32,
    owner: u32,
    mut properties: Properties,
) -> Result<UnitEnd, Error> {
    let terminal =
        Terminal::open(leader, owner).map_err(Error::io("open a terminal in the container"))?;
    for stream in ["StandardInput", "StandardOutput", "StandardError"] {
        properties.push((stream.into(), "tty".into()));
    }
    properties.push(("TTYPath".into(), terminal.path.clone().into()));
    let raw = Raw::enter().map_err(Error::io("set up the terminal"))?;
    let screen = terminal.relay().map_err(Error::io("carry the terminal"))?;
    let end = bus.run(properties);
    drop(terminal);
    drop(raw);
    drop(screen);
    end
}
