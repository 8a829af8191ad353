//! The archive's bytes on their way in: all to the hash, all but bodies to the split stream.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crate::error::{Error, Result};
use crate::split::SplitWriter;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// A reader that hands what it reads to a hashing thread and tells bodies from the rest.
pub(crate) struct Tap<R> {
    reader: R,
    chunk: Arc<Vec<u8>>,
    at: usize,
    hash: SyncSender<Arc<Vec<u8>>>,
    split: SplitWriter,
    total: u64,
    limit: u64,
}

impl<R: Read> Tap<R> {
    pub(crate) fn new(
        reader: R,
        hash: SyncSender<Arc<Vec<u8>>>,
        split: SplitWriter,
        limit: u64,
    ) -> Self {
        Self {
            reader,
            chunk: Arc::default(),
            at: 0,
            hash,
            split,
            total: 0,
            limit,
        }
    }

    /// Reads on where nothing is left; false at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.at < self.chunk.len() {
            return Ok(true);
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        let fail = |source| Error::Input {
            what: "archive",
            source,
        };
        let count = self
            .reader
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)
            .map_err(fail)?;
        self.total += count as u64;
        if self.total > self.limit {
            return Err(Error::Limit {
                what: "size of an archive",
                limit: self.limit,
            });
        }
        self.chunk = Arc::new(chunk);
        self.at = 0;
        if count > 0 {
            // The thread ends only after this side has hung up.
            let _ = self.hash.send(Arc::clone(&self.chunk));
        }
        Ok(count > 0)
    }

    /// Passes on at most this many bytes of a body; none at the end of the archive.
    pub(crate) fn body(&mut self, limit: usize) -> Result<&[u8]> {
        let available = if self.fill()? {
            self.chunk.len() - self.at
        } else {
            0
        };
        let start = self.at;
        self.at += available.min(limit);
        Ok(&self.chunk[start..self.at])
    }

    /// Notes that a body of this size follows, or has just passed.
    pub(crate) fn note_body(&mut self, size: u64) -> Result<()> {
        self.split.body(size)
    }

    /// Passes on at most this many bytes that are kept inline; none at the end of the archive.
    pub(crate) fn inline(&mut self, limit: usize) -> Result<&[u8]> {
        let available = if self.fill()? {
            self.chunk.len() - self.at
        } else {
            0
        };
        let start = self.at;
        self.at += available.min(limit);
        self.split.inline(&self.chunk[start..self.at])?;
        Ok(&self.chunk[start..self.at])
    }

    /// Fills the buffer as far as there are bytes, and says how far.
    pub(crate) fn inline_exact(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let bytes = self.inline(buffer.len() - done)?;
            if bytes.is_empty() {
                break;
            }
            buffer[done..done + bytes.len()].copy_from_slice(bytes);
            done += bytes.len();
        }
        Ok(done)
    }

    /// Passes by this many bytes; an error if there are fewer.
    pub(crate) fn skip(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            let passed = self
                .inline(usize::try_from(count).unwrap_or(usize::MAX))?
                .len();
            if passed == 0 {
                return Err(cut_off());
            }
            count -= passed as u64;
        }
        Ok(())
    }

    /// Passes by everything that is left and hangs up; tells the number of all bytes.
    pub(crate) fn finish(mut self) -> Result<(SplitWriter, u64)> {
        while !self.inline(usize::MAX)?.is_empty() {}
        Ok((self.split, self.total))
    }
}

pub(crate) fn cut_off() -> Error {
    Error::Input {
        what: "archive",
        source: io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off"),
    }
}

/// The next bytes, all of them kept inline.
pub(crate) struct Inline<'a, R> {
    pub(crate) tap: &'a mut Tap<R>,
    pub(crate) left: u64,
}

impl<R: Read> Read for Inline<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if limit == 0 {
            return Ok(0);
        }
        let bytes = self.tap.inline(limit).map_err(io::Error::other)?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer[..bytes.len()].copy_from_slice(bytes);
        self.left -= bytes.len() as u64;
        Ok(bytes.len())
    }
}
