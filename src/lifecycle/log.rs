//! What a container wrote: one JSON document a line, as docker's `json-file` driver has it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Longest piece of a line that is kept together.
const PIECE: usize = 16 << 10;

/// A piece of what was written: up to and with the end of a line, or the longest that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The text; bytes that are no UTF-8 are replaced.
    pub log: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// When, RFC 3339 with nanoseconds.
    pub time: String,
}

/// A log that is written.
#[derive(Debug, Clone)]
pub struct Log(Arc<Mutex<File>>);

impl Log {
    /// Opens the one at `path`, to write behind what is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// What takes one of the streams.
    pub fn stream(&self, name: &'static str) -> Stream {
        Stream {
            log: self.clone(),
            name,
            pending: Vec::new(),
        }
    }

    fn put(&self, stream: &str, piece: &[u8]) -> io::Result<()> {
        let entry = Entry {
            log: String::from_utf8_lossy(piece).into_owned(),
            stream: stream.to_owned(),
            time: format!("{:.9}", jiff::Timestamp::now()),
        };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
    }
}

/// One stream into a log. What has no end of line yet is kept back until it is dropped.
#[derive(Debug)]
pub struct Stream {
    log: Log,
    name: &'static str,
    pending: Vec<u8>,
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend(bytes);
        let mut begin = 0;
        while begin < self.pending.len() {
            let rest = &self.pending[begin..];
            let end = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1).min(PIECE),
                None if rest.len() >= PIECE => PIECE,
                None => break,
            };
            self.log.put(self.name, &rest[..end])?;
            begin += end;
        }
        self.pending.drain(..begin);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            let _ = self.log.put(self.name, &self.pending);
        }
    }
}

/// Writes to the first, and to the second as long as that takes it.
#[derive(Debug)]
pub struct Tee<A, B>(pub A, pub B);

impl<A: Write, B: Write> Write for Tee<A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        let _ = self.1.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Reads a log from where it was left off.
#[derive(Debug)]
pub struct Reader {
    file: BufReader<File>,
    line: String,
}

impl Reader {
    /// From the beginning.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufReader::new(File::open(path)?),
            line: String::new(),
        })
    }

    /// The next entry; none where there is no whole one yet.
    pub fn entry(&mut self) -> io::Result<Option<Entry>> {
        loop {
            self.file.read_line(&mut self.line)?;
            if !self.line.ends_with('\n') {
                return Ok(None);
            }
            let line = std::mem::take(&mut self.line);
            // A line that a full disk cut off is left out.
            if let Ok(entry) = serde_json::from_str(&line) {
                return Ok(Some(entry));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_by_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = Log::open(&path).unwrap();
        let mut out = log.stream("stdout");
        out.write_all(b"a\nb").unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.entry().unwrap().unwrap().log, "a\n");
        assert!(reader.entry().unwrap().is_none());
        out.write_all(b"c\n").unwrap();
        log.stream("stderr").write_all(b"e").unwrap();
        drop(out);
        assert_eq!(reader.entry().unwrap().unwrap().log, "bc\n");
        let last = reader.entry().unwrap().unwrap();
        assert_eq!((last.log.as_str(), last.stream.as_str()), ("e", "stderr"));
    }

    #[test]
    fn long_lines_are_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = Log::open(&path).unwrap();
        log.stream("stdout").write_all(&vec![b'x'; 40_000]).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        let mut lengths = Vec::new();
        while let Some(entry) = reader.entry().unwrap() {
            lengths.push(entry.log.len());
        }
        assert_eq!(lengths, [PIECE, PIECE, 40_000 - 2 * PIECE]);
    }
}
