//! A bounded pipe of byte chunks between two threads, with its buffers used again and again.
//!
//! The writing end that is dropped without [`Writer::finish`] makes the reader fail: an end that
//! nobody confirmed is never taken for the end of the data.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes per chunk.
const CHUNK: usize = 128 * 1024;
/// Chunks under way at most.
const DEPTH: usize = 8;

/// Makes a pipe.
pub(crate) fn pipe() -> (Writer, Reader) {
    let (full, filled) = sync_channel(DEPTH);
    let (empty, emptied) = sync_channel(DEPTH + 2);
    (
        Writer {
            full,
            emptied,
            buffer: Vec::new(),
        },
        Reader {
            filled,
            empty,
            buffer: Vec::new(),
            position: 0,
            done: false,
        },
    )
}

/// The end that bytes are put into.
#[derive(Debug)]
pub(crate) struct Writer {
    full: SyncSender<Option<Vec<u8>>>,
    emptied: Receiver<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Writer {
    /// Hands over what is left and says that this was all.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.full
            .send(None)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Copies all of `source`; errors of the source come back as they are.
    pub(crate) fn fill(&mut self, source: &mut impl Read) -> io::Result<u64> {
        let mut total = 0;
        loop {
            let start = self.buffer.len();
            self.buffer.resize(CHUNK, 0);
            let read = source.read(&mut self.buffer[start..]);
            self.buffer.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Ok(total),
                Ok(n) => total += n as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.buffer.len() == CHUNK {
                self.flush()?;
            }
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK - self.buffer.len();
        let taken = room.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut next = self
            .emptied
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(CHUNK));
        next.clear();
        let full = std::mem::replace(&mut self.buffer, next);
        self.full
            .send(Some(full))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The end that bytes are taken from.
#[derive(Debug)]
pub(crate) struct Reader {
    filled: Receiver<Option<Vec<u8>>>,
    empty: SyncSender<Vec<u8>>,
    buffer: Vec<u8>,
    position: usize,
    done: bool,
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position == self.buffer.len() {
            if self.done {
                return Ok(0);
            }
            let next = self.filled.recv();
            match next {
                Err(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the source failed",
                    ));
                }
                Ok(None) => {
                    self.done = true;
                    return Ok(0);
                }
                Ok(Some(chunk)) => {
                    let spent = std::mem::replace(&mut self.buffer, chunk);
                    let _ = self.empty.try_send(spent);
                    self.position = 0;
                }
            }
        }
        let available = &self.buffer[self.position..];
        let taken = available.len().min(out.len());
        out[..taken].copy_from_slice(&available[..taken]);
        self.position += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_everything_in_order() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let (mut writer, mut reader) = pipe();
        let mut out = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                writer.write_all(&data[..1_000]).unwrap();
                writer.fill(&mut &data[1_000..]).unwrap();
                writer.finish().unwrap();
            });
            reader.read_to_end(&mut out).unwrap();
        });
        assert!(out == data);
    }

    #[test]
    fn an_unfinished_pipe_is_an_error() {
        let (mut writer, mut reader) = pipe();
        writer.write_all(b"half").unwrap();
        drop(writer);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_reader_that_left_is_noticed() {
        let (mut writer, reader) = pipe();
        drop(reader);
        assert!(writer.fill(&mut io::repeat(1)).is_err());
    }
}
