//! A guest whose packages are changed while it runs, and what that comes to.

use std::time::{Duration, Instant};

use racker_store::{CaptureOptions, Store, Tree, TreeId};

use super::evidence;
use crate::container::{Exit, Guest, Process, Snapshot, boot};
use crate::failure::{Failure, STEP_FAILED};

/// How long packages may take to be installed or removed in a booted guest.
const INSTALL: Duration = Duration::from_secs(30 * 60);
/// Lines of what a package manager said that are shown.
const SHOWN: usize = 15;

/// Runs a package manager in the guest.
pub(super) fn run(
    guest: &mut Guest<'_>,
    unit: &str,
    process: &Process,
    what: &str,
) -> Result<(), Failure> {
    let captured = guest.capture(unit, process, Instant::now() + INSTALL)?;
    let how = match captured.exit {
        Some(exit) if exit.success() => return Ok(()),
        Some(Exit(code)) => format!("ends with {code}"),
        None => "takes too long".to_owned(),
    };
    let message = format!("cannot {what} in the booted system: the package manager {how}");
    let mut failure = Failure::new(STEP_FAILED, message);
    let mut lines = evidence::lines(&captured.output);
    lines.extend(evidence::lines(&captured.errors));
    let last = &lines[lines.len().saturating_sub(SHOWN)..];
    failure.shows(last.iter().map(String::as_str));
    Err(failure)
}

/// The tree as the running guest has it now.
pub(super) fn taken_in(store: &Store, tree: TreeId, snapshot: &Snapshot) -> Result<Tree, Failure> {
    let before = store.tree(tree)?;
    let ids = snapshot.slot().ids();
    // Places that were made to mount on belong to nobody in the guest.
    let made = [boot::GENERATORS, "/etc/hosts", "/etc/resolv.conf"];
    let made = made.map(|path| path.trim_start_matches('/').as_bytes().to_vec());
    let options = CaptureOptions {
        id_base: ids.base,
        id_count: ids.count,
        exclude: made
            .into_iter()
            .filter(|it| before.get(it).is_none())
            .collect(),
        ..CaptureOptions::default()
    };
    // What runs may remove what is just being read.
    let capture = || store.capture(&snapshot.upper(), &options);
    let changes = capture().or_else(|_| capture()).or_else(|_| capture())?;
    Ok(changes.apply(&before)?)
}

/// The tree as it is when the guest is gone.
pub(super) fn after(store: &Store, tree: TreeId, snapshot: &Snapshot) -> Result<Tree, Failure> {
    snapshot.slot().kill()?;
    snapshot.unmount()?;
    taken_in(store, tree, snapshot)
}
