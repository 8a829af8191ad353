//! A command without an init of the image's: below racker's own pid 1.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agent::{self, Agent, Role};
use super::filters;
use super::launch::{Filter, Launched, launch, place_init};
use super::nspawn::{Bind, Extras, Invocation, Network, Payload};
use super::{Console, Error, Exit, Process, Snapshot, hosts, relay, signals};
use crate::files::tail;

/// What else a container has.
#[derive(Clone)]
pub struct Options<'a> {
    /// Its host name.
    pub hostname: &'a str,
    /// Whether its `/etc/hosts` is not the image's but one with its name in it.
    pub own_hosts: bool,
    /// Its network.
    pub network: Network,
    /// Host paths it sees.
    pub binds: &'a [Bind],
    /// What it may and has beside the usual.
    pub extras: Extras,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether racker's signals are the command's.
    pub forward_signals: bool,
    /// Where other processes find what speaks with its pid 1; the slot's directory, which only
    /// racker itself sees, where none is named.
    pub meeting: Option<PathBuf>,
    /// Whether a guest's command waits for its whole boot.
    pub after_boot: bool,
    /// What takes a guest's console in place of a log in the slot's directory.
    pub console: Option<Arc<OwnedFd>>,
    /// Called with the pid on the host of the container's first process, as soon as it runs and
    /// before a command does.
    pub runs: &'a (dyn Fn(u32) -> Result<(), Error> + Sync),
    /// Called when the command was started.
    pub started: &'a (dyn Fn() + Sync),
    /// Told when the container has come further, for who wants to know where time goes.
    pub phase: &'a dyn Fn(&str),
}

impl<'a> Options<'a> {
    /// No network, nothing special.
    pub fn new(hostname: &'a str) -> Self {
        Self {
            hostname,
            own_hosts: false,
            network: Network::None,
            binds: &[],
            extras: Extras::default(),
            timeout: None,
            forward_signals: false,
            meeting: None,
            after_boot: false,
            console: None,
            runs: &|_| Ok(()),
            started: &|| (),
            phase: &|_| (),
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("hostname", &self.hostname)
            .field("network", &self.network)
            .field("binds", &self.binds)
            .finish_non_exhaustive()
    }
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The command ended.
    Exited(Exit),
    /// It was killed because its time was over.
    TimedOut,
}

/// Runs `process` in the snapshot and waits for its end. All processes of the container are gone
/// when this returns.
///
/// Errors: those of starting; the command is missing or not executable.
pub fn run(
    snapshot: &Snapshot,
    process: &Process,
    console: Console,
    options: &Options<'_>,
) -> Result<Outcome, Error> {
    let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
    let meeting = options.meeting.as_deref();
    let meeting = meeting.unwrap_or(snapshot.slot().directory());
    let log = snapshot.slot().directory().join("console.log");
    // The command may be told to end before racker knows that it runs.
    let signals = if options.forward_signals {
        Some(signals::catch().map_err(Error::io("take signals"))?)
    } else {
        None
    };
    let filter = Filter::of(&options.extras);
    let mut nspawn = start(snapshot, meeting, &log, options, &filter)?;
    (options.phase)("systemd-nspawn started");
    let mut agent = Agent::connect(meeting).map_err(Error::io("reach the container's pid 1"))?;
    let died = || Error::Nspawn(tail(&log, 10));
    if let Filter::Known(filters) = &filter {
        agent
            .filter(&filters::bytes(filters))
            .map_err(Error::io("send the system call filters"))?;
    }
    let Some(leader) = nspawn.leader(deadline)? else {
        return Err(died());
    };
    (options.phase)("first process runs");
    super::guest::end_with(&nspawn, snapshot)?;
    if nspawn.learns()
        && agent
            .ready()
            .map_err(Error::io("wait for the container's pid 1"))?
    {
        nspawn.learn_filters(leader);
    }
    (options.runs)(leader)?;
    let ids = snapshot.slot().ids();
    let speak = |error| Error::io("speak with the container's pid 1")(error);
    let owner = ids.base + process.user.uid.min(ids.count - 1);
    let carried = match console {
        Console::Terminal(screen) => {
            if !agent.ready().map_err(speak)? {
                return Err(died());
            }
            let shown = screen.show(leader, owner)?;
            let side = shown.open_side(leader)?;
            let side = side.as_fd();
            agent
                .start(Role::Main, process, [side, side, side], true)
                .map_err(speak)?;
            Carried::Screen(shown)
        }
        Console::Streams(streams) => {
            let (ends, relay) =
                relay::streams(&process.user, ids, streams).map_err(Error::io("make pipes"))?;
            let fds = [ends.stdin.as_fd(), ends.stdout.as_fd(), ends.stderr.as_fd()];
            agent
                .start(Role::Main, process, fds, false)
                .map_err(speak)?;
            Carried::Relay(relay)
        }
    };
    if let Some(signals) = signals {
        let end = super::guest::killer(snapshot)?;
        signals::forward(signals, agent.signaller().map_err(speak)?, end);
    }
    if agent.started(deadline).map_err(speak)? {
        (options.started)();
    }
    let ended = agent.wait(deadline).map_err(speak)?;
    (options.phase)("command ended");
    snapshot.slot().kill()?;
    nspawn.wait(None)?;
    match carried {
        Carried::Relay(relay) => relay.finish()?,
        Carried::Screen(shown) => shown.finish(),
    }
    Ok(ended.exit()?.map_or(Outcome::TimedOut, Outcome::Exited))
}

enum Carried {
    Relay(relay::Relay),
    Screen(super::terminal::Shown),
}

fn start(
    snapshot: &Snapshot,
    meeting: &std::path::Path,
    log: &std::path::Path,
    options: &Options<'_>,
    filter: &Filter,
) -> Result<Launched, Error> {
    let init = place_init(snapshot)?;
    let mut binds = options.binds.to_vec();
    if options.own_hosts {
        binds.extend(hosts::bind(snapshot, options.hostname)?);
    }
    let invocation = Invocation {
        root: snapshot.root_path(),
        id: snapshot.slot().id(),
        hostname: options.hostname,
        ids: snapshot.slot().ids(),
        network: &options.network,
        binds: &binds,
        extras: &options.extras,
        payload: Payload::Agent { init: &init },
    };
    let listener = agent::listen(meeting).map_err(Error::io("make the container's socket"))?;
    let output = File::create(log).map_err(Error::io("create the console log"))?;
    let errors = output
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;
    let listener = OwnedFd::from(listener);
    let streams = [Stdio::from(listener), output.into(), errors.into()];
    launch(snapshot, &invocation, streams, filter)
}
