//! The archive's bytes on their way in: all to the hash, all but bodies to the split stream.

use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::id::Digest;
use crate::split::SplitWriter;

/// A reader that hashes what it reads and tells bodies from the rest.
pub(crate) struct Tap<R> {
    source: Source<R>,
    split: SplitWriter,
}

/// The archive as it comes in.
struct Source<R> {
    reader: R,
    hash: Sha256,
    total: u64,
    limit: u64,
    /// Bytes of the reader's buffer that were passed on.
    taken: usize,
}

impl<R: BufRead> Source<R> {
    /// Passes on at most this many bytes; none at the end.
    fn take(&mut self, limit: usize) -> Result<&[u8]> {
        self.reader.consume(std::mem::take(&mut self.taken));
        while let Err(source) = self.reader.fill_buf() {
            if source.kind() != io::ErrorKind::Interrupted {
                return Err(fail(source));
            }
        }
        let buffer = self.reader.fill_buf().map_err(fail)?;
        let bytes = &buffer[..buffer.len().min(limit)];
        self.taken = bytes.len();
        self.total += bytes.len() as u64;
        if self.total > self.limit {
            return Err(Error::Limit {
                what: "size of an archive",
                limit: self.limit,
            });
        }
        self.hash.update(bytes);
        Ok(bytes)
    }
}

impl<R: BufRead> Tap<R> {
    pub(crate) fn new(reader: R, split: SplitWriter, limit: u64) -> Self {
        Self {
            source: Source {
                reader,
                hash: Sha256::new(),
                total: 0,
                limit,
                taken: 0,
            },
            split,
        }
    }

    /// Passes on at most this many bytes of a body; none at the end of the archive.
    pub(crate) fn body(&mut self, limit: usize) -> Result<&[u8]> {
        self.source.take(limit)
    }

    /// Notes that a body of this size follows, or has just passed.
    pub(crate) fn note_body(&mut self, size: u64) -> Result<()> {
        self.split.body(size)
    }

    /// Passes on at most this many bytes that are kept inline; none at the end of the archive.
    pub(crate) fn inline(&mut self, limit: usize) -> Result<&[u8]> {
        let bytes = self.source.take(limit)?;
        self.split.inline(bytes)?;
        Ok(bytes)
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

    /// Passes by everything that is left; tells the digest and the number of all bytes.
    pub(crate) fn finish(mut self) -> Result<(SplitWriter, Digest, u64)> {
        while !self.inline(usize::MAX)?.is_empty() {}
        let digest = Digest::from_bytes(self.source.hash.finalize().into());
        Ok((self.split, digest, self.source.total))
    }
}

fn fail(source: io::Error) -> Error {
    Error::Input {
        what: "archive",
        source,
    }
}

pub(crate) fn cut_off() -> Error {
    fail(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "it is cut off",
    ))
}

/// The next bytes, all of them kept inline.
pub(crate) struct Inline<'a, R> {
    pub(crate) tap: &'a mut Tap<R>,
    pub(crate) left: u64,
}

impl<R: BufRead> Read for Inline<'_, R> {
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
