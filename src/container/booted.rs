//! A command in a guest that boots its own init: as a transient unit.
//!
//! Nothing waits for the whole boot. The unit is asked for as soon as the guest's PID 1 listens;
//! systemd itself starts it once `basic.target` is reached, while the rest boots on.

use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::time::Instant;

use zbus::{Fd, Variant};

use super::boot::Purpose;
use super::bus::{Bus, Properties, UNIT, UnitEnd};
use super::direct::Options;
use super::nspawn::{self, INIT};
use super::root::{Found, Init};
use super::terminal::{Raw, Terminal};
use super::users::User;
use super::{Console, Error, Exit, Guest, Process, Snapshot, relay};

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
    let through_init = !known(snapshot, &process.user)?;
    let mut guest = Guest::boot(snapshot, options, Purpose::Command, through_init)?;
    let properties = if through_init {
        properties(INIT, init, &behind_init(process))
    } else {
        properties(&command, init, process)
    };
    let end = match console {
        Console::Terminal => {
            let owner = snapshot.slot().ids().base + process.user.uid;
            in_terminal(&mut guest.bus, guest.leader, owner, properties)?
        }
        Console::Pipes { stdin } => {
            let connected = relay::own_streams(&process.user, snapshot.slot().ids(), stdin);
            with_pipes(&mut guest.bus, snapshot, connected, properties)?
        }
        Console::Log(file) => {
            let connected = relay::log(&process.user, snapshot.slot().ids(), file);
            with_pipes(&mut guest.bus, snapshot, connected, properties)?
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
        UnitEnd::GuestEnded | UnitEnd::TimedOut => Ok(Exit(137)),
    }
}

/// What a command of root's in a running guest wrote and how it ended.
#[derive(Debug)]
pub struct Captured {
    /// How it ended; none where time ran out, and it runs on.
    pub exit: Option<Exit>,
    /// Its output, at most [`CAPTURED`] bytes of it.
    pub output: Vec<u8>,
    /// Its errors, likewise.
    pub errors: Vec<u8>,
}

/// Bytes of a captured output that are read.
pub const CAPTURED: u64 = 1 << 20;

impl Guest<'_> {
    /// Runs a command as root, as the unit of this name, and takes in what it writes.
    ///
    /// Errors: the command is missing or not executable.
    pub fn capture(
        &mut self,
        unit: &str,
        process: &Process,
        deadline: Instant,
    ) -> Result<Captured, Error> {
        let command = find(self.snapshot, process)?;
        let root = self.snapshot.root()?;
        let Some(init) = root.init() else {
            return Err(Error::Bus("the image has no systemd any more".into()));
        };
        let directory = self.snapshot.slot().directory();
        let mut properties = properties(&command, &init, process);
        let mut files = Vec::new();
        for name in [
            "StandardOutputFileDescriptor",
            "StandardErrorFileDescriptor",
        ] {
            let file = tempfile::tempfile_in(directory)
                .map_err(Error::io("make a file for the output"))?;
            let end = file
                .try_clone()
                .map_err(Error::io("duplicate a descriptor"))?;
            properties.push((name.into(), Variant::Fd(Fd::from(OwnedFd::from(end)))));
            files.push(file);
        }
        let end = self.bus.run(unit, properties, Some(deadline))?;
        let mut written = [Vec::new(), Vec::new()];
        for (mut file, bytes) in files.into_iter().zip(&mut written) {
            file.rewind()
                .and_then(|()| file.take(CAPTURED).read_to_end(bytes))
                .map_err(Error::io("read the output"))?;
        }
        let [output, errors] = written;
        let exit = match end {
            UnitEnd::Exited(exit) => Some(exit),
            UnitEnd::NotStarted(_) => return Err(Error::CommandDenied(process.argv[0].clone())),
            UnitEnd::GuestEnded => Some(Exit(137)),
            UnitEnd::TimedOut => None,
        };
        Ok(Captured {
            exit,
            output,
            errors,
        })
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
    let end = bus.run(UNIT, properties, None)?;
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
    let end = bus.run(UNIT, properties, None);
    drop(terminal);
    drop(raw);
    drop(screen);
    end
}
