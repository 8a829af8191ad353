//! A bounded pipe of byte chunks between two threads, with its buffers used again and again.
//!
//! The writing end that is dropped without [`Writer::finish`] makes the reader fail: an end that
//! nobody confirmed is never taken for the end of the data.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes per chunk.
const CHUNK: usize = 128 * 1024;
/// Chunks under way at most.
const DEPTH: usize = 8;

/// A chunk's room, [`CHUNK`] bytes.
type Buffer = Box<[u8]>;

/// Makes a pipe.
pub(crate) fn pipe() -> (Writer, Reader) {
    let (full, filled) = sync_channel(DEPTH);
    let (empty, emptied) = sync_channel(DEPTH + 2);
    (
        Writer {
            full,
            emptied,
            buffer: vec![0; CHUNK].into(),
            used: 0,
        },
        Reader {
            filled,
            empty,
            buffer: Buffer::default(),
            length: 0,
            position: 0,
            done: false,
        },
    )
}

/// The end that bytes are put into.
#[derive(Debug)]
pub(crate) struct Writer {
    full: SyncSender<Option<(Buffer, usize)>>,
    emptied: Receiver<Buffer>,
    buffer: Buffer,
    /// Bytes of the buffer that are filled.
    used: usize,
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
            match source.read(&mut self.buffer[self.used..]) {
                Ok(0) => return Ok(total),
                Ok(n) => {
                    self.used += n;
                    total += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.used == CHUNK {
                self.flush()?;
            }
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = (CHUNK - self.used).min(bytes.len());
        self.buffer[self.used..][..taken].copy_from_slice(&bytes[..taken]);
        self.used += taken;
        if self.used == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.used == 0 {
            return Ok(());
        }
        let next = self
            .emptied
            .try_recv()
            .unwrap_or_else(|_| vec![0; CHUNK].into());
        let full = std::mem::replace(&mut self.buffer, next);
        let length = std::mem::take(&mut self.used);
        self.full
            .send(Some((full, length)))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The end that bytes are taken from.
#[derive(Debug)]
pub(crate) struct Reader {
    filled: Receiver<Option<(Buffer, usize)>>,
    empty: SyncSender<Buffer>,
    buffer: Buffer,
    /// Bytes of the buffer that are filled, and bytes that were taken.
    length: usize,
    position: usize,
    done: bool,
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.length && !self.done {
            match self.filled.recv() {
                Err(_) => {
                    let kind = io::ErrorKind::UnexpectedEof;
                    return Err(io::Error::new(kind, "the source failed"));
                }
                Ok(None) => self.done = true,
                Ok(Some((chunk, length))) => {
                    let spent = std::mem::replace(&mut self.buffer, chunk);
                    if !spent.is_empty() {
                        let _ = self.empty.try_send(spent);
                    }
                    (self.length, self.position) = (length, 0);
                }
            }
        }
        Ok(&self.buffer[self.position..self.length])
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(out.len());
        out[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
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
