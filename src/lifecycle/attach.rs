//! Looking at a container that somebody else supervises, and typing to it.
//!
//! The supervisor listens at `attach` in the container's directory. Both sides send frames: a kind,
//! four bytes of little endian for the length, and so many bytes.
//!
//! | kind | to the supervisor | from it |
//! |---|---|---|
//! | 0 | input; none at all: its end | |
//! | 1, 2 | | output, errors |
//! | 3 | rows and columns, two bytes each | |
//! | 4 | | the exit code, one byte |

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

use super::log::{Log, Tee};
use crate::container::terminal::Sizer;
use crate::container::{Console, Streams, meeting, terminal::Screen};

const INPUT: u8 = 0;
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;
const SIZE: u8 = 3;
const EXIT: u8 = 4;

const NAME: &str = "attach";

/// Most bytes of a frame.
const LIMIT: usize = 1 << 20;

/// How long one who looks may not read before it is no longer written to.
const PATIENCE: Duration = Duration::from_secs(5);

fn send(mut stream: &UnixStream, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let mut frame = vec![kind];
    frame.extend((bytes.len() as u32).to_le_bytes());
    frame.extend(bytes);
    stream.write_all(&frame)
}

fn receive(mut stream: &UnixStream) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 5];
    match stream.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > LIMIT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(Some((head[0], bytes)))
}

/// The supervisor's side.
#[derive(Debug)]
pub(super) struct Hub {
    clients: Arc<Mutex<Vec<UnixStream>>>,
    input: Arc<Mutex<Option<File>>>,
    reader: Mutex<Option<OwnedFd>>,
    size: Arc<Sizer>,
}

impl Hub {
    /// Listens in the container's directory. Without `interactive`, its command reads an end of
    /// file.
    pub(super) fn open(directory: &Path, interactive: bool) -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let hub = Self {
            clients: Arc::default(),
            input: Arc::new(Mutex::new(interactive.then(|| File::from(writer)))),
            reader: Mutex::new(interactive.then_some(reader)),
            size: Arc::default(),
        };
        let listener = meeting::listen(directory, NAME)?;
        let clients = hub.clients.clone();
        let (input, size) = (hub.input.clone(), hub.size.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_write_timeout(Some(PATIENCE));
                let Ok(copy) = stream.try_clone() else {
                    continue;
                };
                lock(&clients).push(copy);
                let (input, size) = (input.clone(), size.clone());
                thread::spawn(move || hear(&stream, &input, &size));
            }
        });
        Ok(hub)
    }

    /// Waits until somebody looks, or so long.
    pub(super) fn wait_for_viewer(&self, patience: Duration) {
        let deadline = std::time::Instant::now() + patience;
        while lock(&self.clients).is_empty() && std::time::Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tells everybody why it was not started.
    pub(super) fn say(&self, text: &str) {
        lock(&self.clients).retain(|it| send(it, ERRORS, text.as_bytes()).is_ok());
    }

    /// What the container's command is connected to.
    pub(super) fn console(&self, log: &Log, tty: bool) -> Console {
        let sink = |kind| Shared {
            clients: self.clients.clone(),
            kind,
        };
        let input = lock(&self.reader).take();
        let input: Option<Box<dyn Read + Send>> = match input {
            Some(reader) => Some(Box::new(File::from(reader))),
            None => None,
        };
        let out = Box::new(Tee(log.stream("stdout"), sink(OUTPUT)));
        if tty {
            return Console::Terminal(Screen::Remote {
                out,
                input: input.unwrap_or_else(|| Box::new(io::empty())),
                size: self.size.clone(),
            });
        }
        Console::Streams(Streams {
            input,
            out,
            errors: Some(Box::new(Tee(log.stream("stderr"), sink(ERRORS)))),
        })
    }

    /// Tells everybody that it is over.
    pub(super) fn end(&self, code: u8) {
        for client in lock(&self.clients).drain(..) {
            let _ = send(&client, EXIT, &[code]);
        }
    }
}

fn hear(stream: &UnixStream, input: &Mutex<Option<File>>, size: &Sizer) {
    while let Ok(Some((kind, bytes))) = receive(stream) {
        match (kind, &bytes[..]) {
            (INPUT, []) => drop(lock(input).take()),
            (INPUT, bytes) => {
                if let Some(input) = lock(input).as_mut() {
                    let _ = input.write_all(bytes);
                }
            }
            (SIZE, [a, b, c, d]) => {
                size.set(u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
            }
            _ => return,
        }
    }
}

/// A stream to everybody who looks.
struct Shared {
    clients: Arc<Mutex<Vec<UnixStream>>>,
    kind: u8,
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.clients).retain(|client| send(client, self.kind, bytes).is_ok());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The side of who looks.
#[derive(Debug)]
pub struct Viewer(UnixStream);

/// What a supervisor says.
#[derive(Debug)]
pub enum Said {
    /// Output.
    Out(Vec<u8>),
    /// Errors.
    Errors(Vec<u8>),
    /// The container ended with this exit code.
    Exit(u8),
    /// The supervisor is gone.
    Gone,
}

impl Viewer {
    /// Connects to the supervisor of the container in `directory`.
    pub fn connect(directory: &Path) -> io::Result<Self> {
        Ok(Self(meeting::connect(directory, NAME)?))
    }

    /// Another hold on the same connection.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// The next that is said.
    pub fn next(&self) -> io::Result<Said> {
        loop {
            match receive(&self.0) {
                Ok(Some((OUTPUT, bytes))) => return Ok(Said::Out(bytes)),
                Ok(Some((ERRORS, bytes))) => return Ok(Said::Errors(bytes)),
                Ok(Some((EXIT, bytes))) => {
                    return Ok(Said::Exit(bytes.first().copied().unwrap_or(255)));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Said::Gone),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Said::Gone);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends it, for every hold on it.
    pub fn close(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }

    /// Types.
    pub fn input(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        send(&self.0, INPUT, bytes)
    }

    /// Says that nothing more is typed.
    pub fn input_ends(&self) -> io::Result<()> {
        send(&self.0, INPUT, &[])
    }

    /// Says how large the terminal is.
    pub fn size(&self, rows: u16, columns: u16) -> io::Result<()> {
        let [a, b] = rows.to_le_bytes();
        let [c, d] = columns.to_le_bytes();
        send(&self.0, SIZE, &[a, b, c, d])
    }
}
