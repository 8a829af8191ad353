//! A terminal in the guest, shown on racker's own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Uid, chownat, openat2};
use rustix::pty::{ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use signal_hook::consts::SIGWINCH;

/// racker's terminal in raw mode; dropping it sets it back.
#[derive(Debug)]
pub(super) struct Raw(Termios);

impl Raw {
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// A pseudo terminal of the guest's own devpts, so that it has a name there.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
    /// Its path in the guest.
    pub(super) path: String,
}

impl Terminal {
    /// Opens one in the root of the process `leader`, for the user `owner` of the host.
    pub(super) fn open(leader: u32, owner: u32) -> io::Result<Self> {
        let root = File::open(format!("/proc/{leader}/root"))?;
        let master = openat2(
            &root,
            "dev/pts/ptmx",
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?.to_string_lossy().into_owned();
        // It belongs to who opened it, and the guest has no power over what the host's root owns.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let other = openat2(
            &root,
            path.trim_start_matches('/'),
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?;
        chownat(
            &other,
            "",
            Some(Uid::from_raw(owner)),
            None,
            AtFlags::EMPTY_PATH,
        )?;
        Ok(Self { master, path })
    }

    /// Carries between racker's terminal and this one until the guest's side is closed by all.
    pub(super) fn relay(&self) -> io::Result<JoinHandle<()>> {
        let resize = self.master.try_clone()?;
        let copy_size = move || {
            if let Ok(size) = tcgetwinsize(rustix::stdio::stdout()) {
                let _ = tcsetwinsize(&resize, size);
            }
        };
        copy_size();
        let mut changes = signal_hook::iterator::Signals::new([SIGWINCH])?;
        std::thread::spawn(move || changes.forever().for_each(|_| copy_size()));
        let mut keyboard = File::from(self.master.try_clone()?);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = io::stdin().lock().read(&mut buffer) {
                if length == 0 || keyboard.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        });
        let mut screen = File::from(self.master.try_clone()?);
        let mut out = File::from(rustix::io::dup(rustix::stdio::stdout())?);
        Ok(std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            // The kernel says EIO when the last holder of the other side is gone.
            while let Ok(length) = screen.read(&mut buffer) {
                if length == 0 || out.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        }))
    }
}
