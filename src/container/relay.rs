//! Carrying standard streams between racker and a command.
//!
//! The command never gets racker's own descriptors: in a user namespace it could not reopen them
//! (`/dev/stdin`), and it could keep a hold on the caller's terminal. It gets pipes that belong to
//! its own user.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use rustix::fs::{Gid, Uid, fchown};
use rustix::pipe::{PipeFlags, pipe_with};

use super::users::User;
use crate::sys::IdMap;

/// The command's ends of the pipes.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// The threads that carry.
#[derive(Debug)]
pub(super) struct Relay(Vec<JoinHandle<()>>);

impl Relay {
    /// Waits until everything that was written has been carried; every holder of the command's
    /// ends must be gone.
    pub(super) fn finish(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}

/// Connects racker's own streams; standard input only where `stdin` says so.
pub(super) fn own_streams(user: &User, ids: IdMap, stdin: bool) -> io::Result<(Ends, Relay)> {
    let (ends, input, output, errors) = pipes(user, ids)?;
    if stdin {
        // Never joined: it may wait for input for ever.
        std::thread::spawn(move || copy(io::stdin().lock(), File::from(input)));
    } else {
        drop(input);
    }
    let threads = vec![
        std::thread::spawn(move || copy(File::from(output), unbuffered(rustix::stdio::stdout()))),
        std::thread::spawn(move || copy(File::from(errors), unbuffered(rustix::stdio::stderr()))),
    ];
    Ok((ends, Relay(threads)))
}

/// Connects output and errors to `log`, and nothing to the input.
pub(super) fn log(user: &User, ids: IdMap, log: File) -> io::Result<(Ends, Relay)> {
    let (mut ends, input, output, _) = pipes(user, ids)?;
    drop(input);
    ends.stderr = ends.stdout.try_clone()?;
    let threads = vec![std::thread::spawn(move || copy(File::from(output), log))];
    Ok((ends, Relay(threads)))
}

fn pipes(user: &User, ids: IdMap) -> io::Result<(Ends, OwnedFd, OwnedFd, OwnedFd)> {
    let pipe = || -> io::Result<(OwnedFd, OwnedFd)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        for end in [&reader, &writer] {
            let uid = Uid::from_raw(ids.base + user.uid.min(ids.count - 1));
            let gid = Gid::from_raw(ids.base + user.gid.min(ids.count - 1));
            fchown(end, Some(uid), Some(gid))?;
        }
        Ok((reader, writer))
    };
    let (stdin, input) = pipe()?;
    let (output, stdout) = pipe()?;
    let (errors, stderr) = pipe()?;
    Ok((
        Ends {
            stdin,
            stdout,
            stderr,
        },
        input,
        output,
        errors,
    ))
}

/// A duplicate that no buffer delays.
fn unbuffered(stream: rustix::fd::BorrowedFd<'_>) -> Option<File> {
    rustix::io::dup(stream).ok().map(File::from)
}

/// Copies until the end; an error on either side closes both, which is how it reaches the command.
fn copy(mut from: impl Read, to: impl Into<Option<File>>) {
    let Some(mut to) = to.into() else { return };
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
