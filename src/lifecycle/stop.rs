//! Ending, signalling and freezing a container that somebody else supervises.

use std::fs;
use std::time::{Duration, Instant};

use racker_store::Store;

use super::kept::Kept;
use super::state::{State, Status};
use super::{Error, events};
use crate::container::inside;

/// How long what was killed may take to be cleared up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks a container to end and waits so long; then it is killed. One that does not run is left as
/// it is.
pub fn stop(
    store: &Store,
    kept: &Kept,
    timeout: Option<Duration>,
    signal: Option<i32>,
) -> Result<(), Error> {
    let (status, state) = kept.status()?;
    if !matches!(
        status,
        Status::Running | Status::Paused | Status::Restarting
    ) {
        return Ok(());
    }
    stopping(kept)?;
    if status == Status::Paused {
        unpause(store, kept)?;
    }
    let timeout = timeout.unwrap_or(Duration::from_secs(kept.config.stop_timeout));
    let deadline = Instant::now() + timeout;
    if status != Status::Restarting && !timeout.is_zero() {
        // It may have ended by now.
        let _ = ask(kept, &state, signal);
    }
    if ended(kept, deadline) {
        events::put(store, &kept.config, "stop", &[]);
        return Ok(());
    }
    kill(kept)?;
    events::put(store, &kept.config, "stop", &[]);
    Ok(())
}

/// Says that the end that comes is wanted.
fn stopping(kept: &Kept) -> Result<(), Error> {
    match fs::write(kept.path("stopping"), "") {
        // It is gone already.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io("write to the container's directory")),
    }
}

/// A guest is shut down where no other signal is asked for; else the command gets it.
fn ask(kept: &Kept, state: &State, signal: Option<i32>) -> Result<(), Error> {
    let signal = signal.or(kept.config.stop_signal);
    match signal {
        None if kept.config.boot => {
            let inside = super::exec::inside(kept, state)?;
            Ok(inside::shut_down(inside.leader)?)
        }
        signal => deliver(kept, state, signal.unwrap_or(libc::SIGTERM)),
    }
}

fn deliver(kept: &Kept, state: &State, number: i32) -> Result<(), Error> {
    let inside = super::exec::inside(kept, state)?;
    Ok(inside::signal(&inside, kept.config.init_alone, number)?)
}

/// Waits for the container's end; false where it outlives the deadline.
fn ended(kept: &Kept, deadline: Instant) -> bool {
    loop {
        if !kept.is_supervised() {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_millis(5)));
    }
}

/// Sends a signal to a container; SIGKILL ends all of it.
///
/// Errors: it does not run.
pub fn signal(store: &Store, kept: &Kept, number: i32) -> Result<(), Error> {
    if number == libc::SIGKILL {
        match kept.status()?.0 {
            Status::Running | Status::Paused | Status::Restarting => {}
            _ => return Err(Error::NotRunning(kept.config.name.clone())),
        }
        stopping(kept)?;
        kill(kept)?;
    } else {
        let state = kept.running()?;
        deliver(kept, &state, number)?;
    }
    events::put(
        store,
        &kept.config,
        "kill",
        &[("signal", &number.to_string())],
    );
    Ok(())
}

/// Kills all of a container and waits until its supervisor has cleared up.
pub fn kill(kept: &Kept) -> Result<(), Error> {
    let _ = kept.cgroup().and_then(|cgroup| cgroup.kill(PATIENCE));
    if ended(kept, Instant::now() + PATIENCE) {
        Ok(())
    } else {
        Err(Error::Refused(format!(
            "container {} was killed and is not gone",
            kept.config.name
        )))
    }
}

/// Freezes all of a container.
pub fn pause(store: &Store, kept: &Kept) -> Result<(), Error> {
    match kept.status()?.0 {
        Status::Running => {}
        Status::Paused => {
            return Err(Error::Refused(format!(
                "container {} is already paused",
                kept.config.name
            )));
        }
        _ => return Err(Error::NotRunning(kept.config.name.clone())),
    }
    freeze(kept, "1")?;
    events::put(store, &kept.config, "pause", &[]);
    Ok(())
}

/// Lets a frozen container go on.
pub fn unpause(store: &Store, kept: &Kept) -> Result<(), Error> {
    if kept.status()?.0 != Status::Paused {
        return Err(Error::Refused(format!(
            "container {} is not paused",
            kept.config.name
        )));
    }
    freeze(kept, "0")?;
    events::put(store, &kept.config, "unpause", &[]);
    Ok(())
}

/// Source: cgroup-v2.rst, `cgroup.freeze`.
fn freeze(kept: &Kept, value: &str) -> Result<(), Error> {
    kept.cgroup()
        .and_then(|cgroup| cgroup.write("cgroup.freeze", value))
        .map_err(Error::io("freeze the container"))
}
