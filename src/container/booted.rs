//! A command in a guest that boots its own init: as a transient unit.
//!
//! Nothing waits for the whole boot. The unit is asked for as soon as the guest's PID 1 listens;
//! systemd itself starts it once `basic.target` is reached, while the rest boots on.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::FileType;
use rustix::pipe::{PipeFlags, pipe_with};

use zbus::{Fd, Variant};

use super::boot::Purpose;
use super::bus::{Properties, UNIT, UnitEnd};
use super::direct::Options;
use super::nspawn::{self, INIT};
use super::root::{Found, Init};
use super::terminal::{Screen, Shown};
use super::users::User;
use super::{Console, Error, Exit, Guest, Process, Root, Snapshot, relay, signals};

/// The first version with `Type=exec`.
const TYPE_EXEC: u32 = 240;

/// The first version with `OOMPolicy=`.
const OOM_POLICY: u32 = 243;

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
    let root = snapshot.root()?;
    let command = find(&root, process)?;
    let through_init = !known(&root, &process.user);
    let mut guest = Guest::boot(snapshot, options, Purpose::Command, through_init)?;
    if options.after_boot {
        guest.booted()?;
        (options.phase)("boot is over");
    }
    let properties = if through_init {
        properties(INIT, init, &behind_init(process))
    } else {
        properties(&command, init, process)
    };
    let ids = snapshot.slot().ids();
    let end = match console {
        Console::Terminal(screen) => {
            let owner = ids.base + process.user.uid.min(ids.count - 1);
            let shown = screen.show(guest.leader, owner)?;
            let end =
                guest
                    .bus
                    .run(UNIT, on_terminal(properties, &shown), None, options.started)?;
            ended(guest)?;
            shown.finish();
            end
        }
        Console::Streams(streams) => {
            let (ends, relay) =
                relay::streams(&process.user, ids, streams).map_err(Error::io("make pipes"))?;
            let end = guest
                .bus
                .run(UNIT, on_pipes(properties, ends), None, options.started)?;
            // What the command left running holds the pipes; it ends with the command, as in docker.
            ended(guest)?;
            relay.finish()?;
            end
        }
    };
    (options.phase)("command ended");
    match end {
        UnitEnd::Exited(exit) => Ok(exit),
        UnitEnd::NotStarted(status) => Err(not_started(status, &root, process)),
        UnitEnd::GuestEnded | UnitEnd::TimedOut => Ok(Exit(137)),
    }
}

/// Ends what goes on beside the command. A guest that is being shut down comes to its end by itself.
fn ended(mut guest: Guest<'_>) -> Result<(), Error> {
    let slot = guest.snapshot.slot();
    if guest.is_shutting_down() {
        guest.wait()?;
    }
    slot.kill()
}

/// How a guest ends that is to be started again. Source: `systemd-nspawn@.service`,
/// `RestartForceExitStatus=`.
pub const REBOOTED: Exit = Exit(133);

/// Boots the snapshot and waits until it is shut down; the exit code is its init's, or [`REBOOTED`].
/// What it writes to its console is shown.
pub fn run_alone(
    snapshot: &Snapshot,
    console: Console,
    options: &Options<'_>,
) -> Result<Exit, Error> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::io("make a pipe"))?;
    let mut sink: Box<dyn Write + Send> = match console {
        Console::Streams(streams) => streams.out,
        Console::Terminal(Screen::Remote { out, .. }) => out,
        Console::Terminal(Screen::Own(_)) => Box::new(io::stdout()),
    };
    let thread = std::thread::spawn(move || io::copy(&mut File::from(reader), &mut sink));
    let mut options = options.clone();
    options.console = Some(Arc::new(writer));
    let forward_signals = std::mem::replace(&mut options.forward_signals, false);
    let caught = if forward_signals {
        Some(signals::catch().map_err(Error::io("take signals"))?)
    } else {
        None
    };
    let guest = Guest::boot(snapshot, &options, Purpose::Services, false)?;
    let leader = guest.leader;
    if let Some(caught) = caught {
        signals::forward(
            caught,
            move |_| drop(super::inside::shut_down(leader)),
            super::guest::killer(snapshot)?,
        );
    }
    if options.after_boot {
        guest.booted()?;
    }
    (options.started)();
    let code = guest.wait()?;
    snapshot.slot().kill()?;
    drop(options);
    let _ = thread.join();
    Ok(Exit(u8::try_from(code).unwrap_or(255)))
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
        let root = self.snapshot.root()?;
        let command = find(&root, process)?;
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
        let end = self.bus.run(unit, properties, Some(deadline), &|| ())?;
        let mut written = [Vec::new(), Vec::new()];
        for (mut file, bytes) in files.into_iter().zip(&mut written) {
            file.rewind()
                .and_then(|()| file.take(CAPTURED).read_to_end(bytes))
                .map_err(Error::io("read the output"))?;
        }
        let [output, errors] = written;
        let exit = match end {
            UnitEnd::Exited(exit) => Some(exit),
            UnitEnd::NotStarted(_) => return Err(denied(&process.argv[0])),
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

/// Where the command's program is in a root.
pub(super) fn find(root: &Root, process: &Process) -> Result<String, Error> {
    let name = &process.argv[0];
    let search = process.variable("PATH").unwrap_or(super::process::PATH);
    match root.find_command(name, search, &process.directory) {
        Found::At(path) => Ok(path),
        Found::NotExecutable => Err(denied(name)),
        Found::Missing if name.contains('/') => Err(Error::CommandNotFound(format!(
            "exec: {name:?}: no such file or directory"
        ))),
        Found::Missing => Err(Error::CommandNotFound(format!(
            "exec: {name:?}: executable file not found in $PATH"
        ))),
    }
}

/// Why systemd did not start a command, by its own exit code for that. Source: `systemd.exec(5)`.
pub(super) fn not_started(status: i32, root: &Root, process: &Process) -> Error {
    match status {
        200 => no_directory(root, &process.directory),
        // A failed execve, of an existing file as `find` made sure.
        203 => denied(&process.argv[0]),
        status => Error::Bus(format!(
            "systemd could not start it (status {status}, systemd.exec(5))"
        )),
    }
}

/// Why a command cannot start in a directory; docker counts one that is missing as the command.
fn no_directory(root: &Root, directory: &str) -> Error {
    let chdir = |why: &str| format!("chdir to {directory}: {why}");
    match root.mode(directory).map(FileType::from_raw_mode) {
        None => Error::CommandNotFound(chdir("no such file or directory")),
        Some(FileType::Directory) => Error::CommandDenied(chdir("permission denied")),
        Some(_) => Error::CommandNotFound(chdir("not a directory")),
    }
}

fn denied(name: &str) -> Error {
    Error::CommandDenied(format!("exec: {name:?}: permission denied"))
}

/// Whether the image's files name the user and the group. systemd takes no others.
pub(super) fn known(root: &Root, user: &User) -> bool {
    let has = |path: &str, id: u32| {
        let text = root.read(path).unwrap_or_default();
        let id = id.to_string();
        id == "0" || text.lines().any(|line| line.split(':').nth(2) == Some(&id))
    };
    has("/etc/passwd", user.uid) && has("/etc/group", user.gid)
}

/// The command started by racker's own pid 1, which takes any user.
pub(super) fn behind_init(process: &Process) -> Process {
    let mut behind = process.clone();
    let mut argv = nspawn::init_arguments(process);
    argv.extend(process.argv.iter().cloned());
    behind.argv = argv;
    behind.env = process.environment();
    behind.user = User::default();
    behind
}

/// The command as properties of a transient unit, all but its streams.
pub(super) fn properties(command: &str, init: &Init, process: &Process) -> Properties {
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
    if init.version >= OOM_POLICY {
        // A shell goes on where a process of its own was killed for want of memory.
        all.push(("OOMPolicy".into(), "continue".into()));
    }
    if let Some(set) = process.capabilities {
        all.push(("CapabilityBoundingSet".into(), set.into()));
    }
    for (name, soft, hard) in &process.limits {
        all.push((format!("Limit{name}"), (*hard).into()));
        all.push((format!("Limit{name}Soft"), (*soft).into()));
    }
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

pub(super) fn on_pipes(mut properties: Properties, ends: relay::Ends) -> Properties {
    for (name, end) in [
        ("StandardInputFileDescriptor", ends.stdin),
        ("StandardOutputFileDescriptor", ends.stdout),
        ("StandardErrorFileDescriptor", ends.stderr),
    ] {
        properties.push((name.into(), Variant::Fd(Fd::from(end))));
    }
    properties
}

pub(super) fn on_terminal(mut properties: Properties, shown: &Shown) -> Properties {
    for stream in ["StandardInput", "StandardOutput", "StandardError"] {
        properties.push((stream.into(), "tty".into()));
    }
    properties.push(("TTYPath".into(), shown.path().to_owned().into()));
    properties
}
