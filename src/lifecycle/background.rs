//! Starting a supervisor of its own for a container.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;
use super::kept::Kept;
use crate::container::Method;

/// The hidden word that makes racker a supervisor.
pub const WORD: &str = "supervise";

/// Why a container did not start: racker's exit code and the text.
#[derive(Debug)]
pub struct NotStarted {
    /// 125, 126 or 127.
    pub code: u8,
    /// The message, and its hints.
    pub text: String,
}

/// Starts a supervisor and waits until the container runs.
///
/// `method` is how trees are mounted, as on the command line. With `viewer`, it waits for somebody
/// to attach before it starts the container, and tells that one what goes wrong.
pub fn start(
    store: &Path,
    kept: &Kept,
    method: &str,
    viewer: bool,
) -> Result<Result<(), NotStarted>, Error> {
    let store = std::path::absolute(store).map_err(Error::io("find the store's path"))?;
    let mut child = Command::new("/proc/self/exe")
        .arg0("racker-supervisor")
        .arg(WORD)
        .arg(store)
        .arg(kept.config.short_id())
        .arg(method)
        .args(viewer.then_some("viewer"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("start the container's supervisor"))?;
    let Some(stdout) = child.stdout.take() else {
        return Err(Error::Refused("the supervisor has no output".into()));
    };
    let mut reader = BufReader::new(stdout);
    let mut first = String::new();
    reader
        .read_line(&mut first)
        .map_err(Error::io("listen to the container's supervisor"))?;
    if first == "started\n" {
        return Ok(Ok(()));
    }
    let mut text = String::new();
    let _ = reader.read_to_string(&mut text);
    let _ = child.wait();
    let code = first.trim().strip_prefix("failed ");
    Ok(Err(NotStarted {
        code: code.and_then(|it| it.parse().ok()).unwrap_or(125),
        text: if text.is_empty() {
            "the container's supervisor ended".into()
        } else {
            text
        },
    }))
}

/// What a racker does that was started as a supervisor; its exit code.
pub fn main() -> u8 {
    let mut words = std::env::args_os().skip(2);
    let (Some(store), Some(id), Some(method)) = (words.next(), words.next(), words.next()) else {
        return super::exit_code(&Error::Refused(String::new()));
    };
    // The group of the racker that started it is not to be signalled with it.
    let _ = rustix::process::setsid();
    let method = Method::of(&method.to_string_lossy()).unwrap_or_default();
    let viewer = words.next().is_some();
    super::supervise::main(store.as_ref(), &id.to_string_lossy(), method, viewer)
}
