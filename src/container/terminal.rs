//! A terminal of a command's own, shown somewhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::{AtFlags, OFlags, ResolveFlags, Uid, chownat};
use rustix::pty::{ptsname, unlockpt};
use rustix::termios::{
    OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};
use signal_hook::consts::SIGWINCH;

use super::Error;
use super::terminal_guard::TerminalGuard;
use crate::files::open_within;

/// racker's terminal in raw mode; dropping it sets it back.
#[derive(Debug)]
pub struct Raw {
    before: Termios,
    /// Ends first, so that only one of both sets it back.
    guard: Option<TerminalGuard>,
}

impl Raw {
    /// Has every key passed on as it is, until this is dropped.
    pub fn enter() -> io::Result<Self> {
        let guard = Some(TerminalGuard::start()?);
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before, guard })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        drop(self.guard.take());
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Where a command's terminal is shown.
pub enum Screen {
    /// On racker's own terminal, and what it shows is written to the copy as well.
    Own(Option<Box<dyn Write + Send>>),
    /// Wherever somebody looks at it.
    Remote {
        /// Takes what it shows.
        out: Box<dyn Write + Send>,
        /// Gives what is typed.
        input: Box<dyn Read + Send>,
        /// Changes its size.
        size: Arc<Sizer>,
    },
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own(_) => "Own",
            Self::Remote { .. } => "Remote",
        })
    }
}

/// Sets the size of a terminal that there may not be yet.
#[derive(Debug, Default)]
pub struct Sizer(Mutex<(Option<OwnedFd>, Option<Winsize>)>);

impl Sizer {
    /// Makes it so many rows and columns.
    pub fn set(&self, rows: u16, columns: u16) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if let Some(master) = &state.0 {
            let _ = tcsetwinsize(master, size);
        }
        state.1 = Some(size);
    }

    fn is(&self, master: OwnedFd) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(size) = state.1 {
            let _ = tcsetwinsize(&master, size);
        }
        state.0 = Some(master);
    }

    fn is_gone(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = None;
    }
}

/// A pseudo terminal of the guest's own devpts, so that it has a name there.
#[derive(Debug)]
struct Terminal {
    master: OwnedFd,
    path: String,
}

/// A terminal that is shown.
#[derive(Debug)]
pub(super) struct Shown {
    terminal: Terminal,
    screen: JoinHandle<()>,
    raw: Option<Raw>,
    size: Option<Arc<Sizer>>,
}

impl Screen {
    /// Opens a terminal in the root of the process `leader`, for the user `owner` of the host, and
    /// shows it.
    pub(super) fn show(self, leader: u32, owner: u32) -> Result<Shown, Error> {
        let terminal =
            Terminal::open(leader, owner).map_err(Error::io("open a terminal in the container"))?;
        let master = || -> Result<OwnedFd, Error> {
            let master = terminal.master.try_clone();
            master.map_err(Error::io("carry the terminal"))
        };
        let keyboard = File::from(master()?);
        let screen = File::from(master()?);
        match self {
            Self::Own(copy) => {
                let raw = Raw::enter().map_err(Error::io("set up the terminal"))?;
                let resize = master()?;
                let copy_size = move || {
                    if let Ok(size) = tcgetwinsize(rustix::stdio::stdout()) {
                        let _ = tcsetwinsize(&resize, size);
                    }
                };
                copy_size();
                let mut changes = signal_hook::iterator::Signals::new([SIGWINCH])
                    .map_err(Error::io("watch the terminal's size"))?;
                std::thread::spawn(move || changes.forever().for_each(|_| copy_size()));
                std::thread::spawn(move || pass(io::stdin(), keyboard, None));
                let out = rustix::io::dup(rustix::stdio::stdout())
                    .map_err(Error::io("duplicate a descriptor"))?;
                let screen = std::thread::spawn(move || pass(screen, File::from(out), copy));
                Ok(Shown {
                    terminal,
                    screen,
                    raw: Some(raw),
                    size: None,
                })
            }
            Self::Remote { out, input, size } => {
                size.is(master()?);
                std::thread::spawn(move || pass(input, keyboard, None));
                let screen = std::thread::spawn(move || pass(screen, out, None));
                Ok(Shown {
                    terminal,
                    screen,
                    raw: None,
                    size: Some(size),
                })
            }
        }
    }
}

impl Shown {
    /// Its path in the guest.
    pub(super) fn path(&self) -> &str {
        &self.terminal.path
    }

    /// Opens the command's side of it, as seen from the process `leader`.
    pub(super) fn open_side(&self, leader: u32) -> Result<OwnedFd, Error> {
        inside(leader, &self.terminal.path, OFlags::RDWR | OFlags::NOCTTY)
            .map_err(Error::io("open a terminal in the container"))
    }

    /// Waits until everything is shown that was written; every holder of the command's side must
    /// be gone.
    pub(super) fn finish(self) {
        let Self {
            terminal,
            screen,
            raw,
            size,
        } = self;
        if let Some(size) = size {
            size.is_gone();
        }
        drop(terminal);
        let _ = screen.join();
        drop(raw);
    }
}

impl Terminal {
    fn open(leader: u32, owner: u32) -> io::Result<Self> {
        let master = inside(leader, "dev/pts/ptmx", OFlags::RDWR | OFlags::NOCTTY)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?.to_string_lossy().into_owned();
        // It belongs to who opened it, and the guest has no power over what the host's root owns.
        let other = inside(leader, &path, OFlags::PATH)?;
        chownat(
            &other,
            "",
            Some(Uid::from_raw(owner)),
            None,
            AtFlags::EMPTY_PATH,
        )?;
        Ok(Self { master, path })
    }
}

/// Opens a path of the process `leader`'s root.
fn inside(leader: u32, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let root = File::open(format!("/proc/{leader}/root"))?;
    let path = Path::new(path.trim_start_matches('/'));
    Ok(open_within(&root, path, flags, ResolveFlags::IN_ROOT)?)
}

/// Copies until the end. The kernel says EIO when the last holder of the other side is gone.
fn pass(mut from: impl Read, mut to: impl Write, mut copy: Option<Box<dyn Write + Send>>) {
    let mut buffer = [0; 16384];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to
                    .write_all(&buffer[..length])
                    .and_then(|()| to.flush())
                    .is_err()
                {
                    return;
                }
                if let Some(copy) = &mut copy {
                    let _ = copy.write_all(&buffer[..length]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
