//! A command without an init of the image's: below racker's own pid 1.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::iterator::Signals;

use super::launch::{launch, pid, place_init};
use super::nspawn::{Bind, Invocation, Network, Payload};
use super::{Console, Error, Exit, Process, Snapshot, hosts, relay, signals};

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
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether racker's signals are the command's.
    pub forward_signals: bool,
    /// Told when the container has come further, for who wants to know where time goes.
    pub phase: &'a dyn Fn(&str),
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
/// Errors: those of starting; a command that is missing or not executable is not one, it exits
/// with 127 or 126.
pub fn run(
    snapshot: &Snapshot,
    process: &Process,
    console: Console,
    options: &Options<'_>,
) -> Result<Outcome, Error> {
    let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
    let init = place_init(snapshot)?;
    let mut binds = options.binds.to_vec();
    if options.own_hosts {
        binds.extend(hosts::bind(snapshot, options.hostname)?);
    }
    let terminal = matches!(console, Console::Terminal);
    let invocation = Invocation {
        root: snapshot.root_path(),
        id: snapshot.slot().id(),
        hostname: options.hostname,
        ids: snapshot.slot().ids(),
        network: options.network,
        binds: &binds,
        payload: Payload::Direct {
            process,
            init: &init,
            terminal,
        },
    };
    let ids = snapshot.slot().ids();
    let connected = match console {
        Console::Terminal => None,
        Console::Pipes { stdin } => Some(relay::own_streams(&process.user, ids, stdin)),
        Console::Log(file) => Some(relay::log(&process.user, ids, file)),
    };
    let (streams, relay) = match connected {
        None => ([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()], None),
        Some(connected) => {
            let (ends, relay) = connected.map_err(Error::io("make pipes"))?;
            (
                [ends.stdin.into(), ends.stdout.into(), ends.stderr.into()],
                Some(relay),
            )
        }
    };
    // The command may be told to end before racker knows that it runs.
    let signals = if options.forward_signals {
        Some(signals::catch().map_err(Error::io("take signals"))?)
    } else {
        None
    };
    let mut nspawn = launch(snapshot, &invocation, streams, !terminal)?;
    (options.phase)("systemd-nspawn started");
    let leader = nspawn.leader(deadline)?;
    (options.phase)("first process runs");
    if let (Some(leader), Some(signals)) = (leader, signals) {
        forward(leader, signals)?;
    }
    let code = nspawn.wait(deadline)?;
    (options.phase)("command ended");
    // Out of time, or nspawn was killed: its guest lives on.
    snapshot.slot().kill()?;
    if code.is_none() {
        nspawn.wait(None)?;
    }
    if let Some(relay) = relay {
        relay.finish();
    }
    match code {
        None => Ok(Outcome::TimedOut),
        Some(code) if leader.is_none() => {
            Err(Error::Nspawn(format!("it ended with exit code {code}")))
        }
        Some(code) => Ok(Outcome::Exited(Exit(u8::try_from(code).unwrap_or(255)))),
    }
}

fn forward(leader: u32, signals: Signals) -> Result<(), Error> {
    // Already ended where it cannot be opened: nothing to forward to.
    let Ok(process) = pid(leader).and_then(|p| Ok(pidfd_open(p, PidfdFlags::empty())?)) else {
        return Ok(());
    };
    let killer = process
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;

    signals::forward(
        signals,
        move |number| {
            if let Some(signal) = Signal::from_named_raw(number) {
                let _ = pidfd_send_signal(&process, signal);
            }
        },
        move || {
            let _ = pidfd_send_signal(&killer, Signal::KILL);
        },
    );
    Ok(())
}
