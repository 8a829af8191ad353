//! Carrying standard streams between racker and a command.
//!
//! The command never gets racker's own descriptors: in a user namespace it could not reopen them
//! (`/dev/stdin`), and it could keep a hold on the caller's terminal. It gets pipes that belong to
//! its own user.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Gid, Uid, fchown};
use rustix::pipe::{PipeFlags, pipe_with};

use super::Error;
use super::process::Streams;
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
pub(super) struct Relay {
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// Bytes that were carried from the command.
    carried: Arc<AtomicU64>,
}

impl Relay {
    /// Waits until everything that was written has been carried; every holder of the command's
    /// ends must be gone.
    ///
    /// Errors: something could not be passed on, and that not because nobody wants it.
    pub(super) fn finish(self) -> Result<(), Error> {
        let results = self.threads.into_iter().filter_map(|it| it.join().ok());
        let result: io::Result<()> = results.collect();
        result.map_err(Error::io("pass on what the command wrote"))
    }

    /// Waits until nothing comes any more, where somebody may hold the command's ends for ever.
    ///
    /// Errors: those of [`Relay::finish`].
    pub(super) fn finish_soon(mut self) -> Result<(), Error> {
        let mut carried = self.carried.load(Ordering::Relaxed);
        let mut quiet = 0;
        while quiet < QUIET && self.threads.iter().any(|it| !it.is_finished()) {
            std::thread::sleep(MOMENT);
            let now = self.carried.load(Ordering::Relaxed);
            quiet = if now == carried { quiet + 1 } else { 0 };
            carried = now;
        }
        self.threads.retain(JoinHandle::is_finished);
        self.finish()
    }
}

/// So many moments without a byte mean that no more come.
const QUIET: u32 = 10;
const MOMENT: Duration = Duration::from_millis(2);

/// Connects a command's streams.
pub(super) fn streams(user: &User, ids: IdMap, streams: Streams) -> io::Result<(Ends, Relay)> {
    let (mut ends, input, output, errors) = pipes(user, ids)?;
    match streams.input {
        // Never joined: it may wait for input for ever.
        Some(source) => drop(std::thread::spawn(move || copy(source, File::from(input)))),
        None => drop(input),
    }
    let mut threads = Vec::new();
    let carried = Arc::new(AtomicU64::new(0));
    let count = |sink| Counted {
        sink,
        count: carried.clone(),
    };
    match streams.errors {
        Some(sink) => {
            let sink = count(sink);
            threads.push(std::thread::spawn(move || copy(File::from(errors), sink)));
        }
        None => ends.stderr = ends.stdout.try_clone()?,
    }
    let sink = count(streams.out);
    threads.push(std::thread::spawn(move || copy(File::from(output), sink)));
    Ok((ends, Relay { threads, carried }))
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

/// Copies until the end; an error on either side closes both, which is how it reaches the command.
///
/// Errors: what was read cannot be written, although somebody may want it.
fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => match to.write_all(&buffer[..length]) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                result => result?,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(()),
        }
    }
}

struct Counted {
    sink: Box<dyn Write + Send>,
    count: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.sink.write(bytes)?;
        self.count.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
