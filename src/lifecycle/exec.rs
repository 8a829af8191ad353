//! Another command in a container that runs.

use std::fs::File;
use std::io::{Read, Seek};
use std::time::Instant;

use super::Error;
use super::kept::Kept;
use super::process::{Wanted, process};
use super::state::State;
use crate::container::inside::{self, Ended, Inside};
use crate::container::{Console, Exit, Process, Root};

/// Bytes of a captured output that are read.
const CAPTURED: u64 = 64 << 10;

/// The root of a container that runs, seen from outside.
pub fn root(state: &State) -> Result<Root, Error> {
    let path = format!("/proc/{}/root", state.leader);
    Root::open(path.as_ref()).map_err(Error::io("open the container's root"))
}

/// What is known of the container by who enters it.
///
/// Errors: it ended since.
pub(super) fn inside<'a>(kept: &'a Kept, state: &State) -> Result<Inside<'a>, Error> {
    // Between the look at its state and this, the pid may have become another's.
    if super::pids::since(state.leader) != state.leader_since {
        return Err(Error::NotRunning(kept.config.name.clone()));
    }
    Ok(Inside {
        leader: state.leader,
        base: state.base,
        boots: kept.config.boot,
        meeting: kept.directory(),
        root: root(state)?,
    })
}

/// Runs a command and waits for its end; its exit code.
///
/// Errors: the command is missing or not executable.
pub fn run(
    kept: &Kept,
    state: &State,
    argv: Vec<String>,
    wanted: &Wanted<'_>,
    console: Console,
    forward_signals: bool,
) -> Result<Exit, Error> {
    let inside = inside(kept, state)?;
    let command = command(kept, &inside, argv, wanted)?;
    match inside::run(&inside, &command, console, forward_signals, None)? {
        Ended::Exited(exit) => Ok(exit),
        Ended::TimedOut => Ok(Exit(137)),
    }
}

/// Starts a command and leaves it alone.
pub fn detach(
    kept: &Kept,
    state: &State,
    argv: Vec<String>,
    wanted: &Wanted<'_>,
) -> Result<(), Error> {
    let inside = inside(kept, state)?;
    let command = command(kept, &inside, argv, wanted)?;
    Ok(inside::start(&inside, &command)?)
}

fn command(
    kept: &Kept,
    inside: &Inside<'_>,
    argv: Vec<String>,
    wanted: &Wanted<'_>,
) -> Result<Process, Error> {
    process(&kept.config, &inside.root, argv, wanted)
}

/// Runs a command and takes in what it writes; no exit code where it took too long.
pub(super) fn capture(
    kept: &Kept,
    state: &State,
    argv: &[String],
    deadline: Instant,
) -> Result<(Option<Exit>, String), Error> {
    let inside = inside(kept, state)?;
    let command = command(kept, &inside, argv.to_vec(), &Wanted::default())?;
    let mut file: File =
        tempfile::tempfile_in(kept.directory()).map_err(Error::io("make a file for the output"))?;
    let copy = file
        .try_clone()
        .map_err(Error::io("duplicate a descriptor"))?;
    let ended = inside::run(&inside, &command, Console::log(copy), false, Some(deadline))?;
    let mut output = Vec::new();
    file.rewind()
        .and_then(|()| file.take(CAPTURED).read_to_end(&mut output))
        .map_err(Error::io("read the output"))?;
    let exit = match ended {
        Ended::Exited(exit) => Some(exit),
        Ended::TimedOut => None,
    };
    Ok((exit, String::from_utf8_lossy(&output).into_owned()))
}
