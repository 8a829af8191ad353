//! Setting the terminal back for a racker that was killed while it had it in raw mode.
//!
//! A process of its own remembers how the terminal was and waits for the end of a pipe. A racker
//! that ends by itself says so first, and sets the terminal back itself.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// The hidden word that makes racker one.
pub const WORD: &str = "terminal-guard";

/// One that waits.
#[derive(Debug)]
pub(super) struct TerminalGuard {
    child: Child,
    pipe: Option<io::PipeWriter>,
}

impl TerminalGuard {
    /// Starts one for the terminal that is standard input; it knows how that is when this returns.
    pub(super) fn start() -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let terminal: OwnedFd = rustix::io::dup(rustix::stdio::stdin())?;
        let mut child = Command::new("/proc/self/exe")
            .arg0("racker-terminal-guard")
            .arg(WORD)
            .env_clear()
            .current_dir("/")
            .stdin(reader)
            .stdout(Stdio::piped())
            .stderr(Stdio::from(terminal))
            .process_group(0)
            .spawn()?;
        if let Some(mut ready) = child.stdout.take() {
            ready.read_exact(&mut [0])?;
        }
        Ok(Self {
            child,
            pipe: Some(pipe),
        })
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(b"1");
        }
        let _ = self.child.wait();
    }
}

/// What a racker started as one does.
pub fn main() -> io::Result<()> {
    let before = tcgetattr(rustix::stdio::stderr())?;
    io::stdout().write_all(b"1")?;
    io::stdout().flush()?;
    let mut said = Vec::new();
    io::stdin().read_to_end(&mut said)?;
    if said.is_empty() {
        // It is no longer in the terminal's foreground, and would be stopped for setting it.
        crate::sys::ignore_terminal_stops();
        tcsetattr(rustix::stdio::stderr(), OptionalActions::Now, &before)?;
    }
    Ok(())
}
