//! One entry: header, records, padding.

use std::io::{self, Write};

use crate::tree::{Metadata, Time};

const BLOCK: usize = 512;
/// The largest numbers that fields of 8 and of 12 characters hold, in octal and with a NUL.
const MAX_8: u64 = 0o7_777_777;
const MAX_12: u64 = 0o77_777_777_777;

/// What stands in an entry's header.
pub(super) struct Entry<'a> {
    pub(super) path: &'a [u8],
    pub(super) kind: u8,
    pub(super) link: &'a [u8],
    pub(super) metadata: &'a Metadata,
    pub(super) size: u64,
    pub(super) device: (u32, u32),
}

impl Entry<'_> {
    /// Writes everything up to the entry's bytes.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let records = self.records();
        if !records.is_empty() {
            let mut header = Header::new(b"PaxHeaders/entry", b'x', b"");
            header.number(100..108, 0o644);
            header.number(124..136, records.len() as u64);
            header.write(out)?;
            out.write_all(&records)?;
            pad(out, records.len() as u64)?;
        }
        let metadata = self.metadata;
        let mut header = Header::new(self.path, self.kind, self.link);
        header.number(100..108, u64::from(metadata.mode));
        header.number(108..116, u64::from(metadata.uid));
        header.number(116..124, u64::from(metadata.gid));
        header.number(124..136, self.size);
        header.number(136..148, u64::try_from(metadata.mtime.seconds).unwrap_or(0));
        header.number(329..337, u64::from(self.device.0));
        header.number(337..345, u64::from(self.device.1));
        header.write(out)
    }

    /// Records for what the header cannot hold, sorted by keyword.
    fn records(&self) -> Vec<u8> {
        let metadata = self.metadata;
        let mut out = Vec::new();
        for (name, value) in &metadata.xattrs {
            record(&mut out, &[b"SCHILY.xattr.", &**name].concat(), value);
        }
        number(&mut out, b"gid", u64::from(metadata.gid), MAX_8);
        if self.link.len() > 100 {
            record(&mut out, b"linkpath", self.link);
        }
        let Time {
            seconds,
            nanoseconds,
        } = metadata.mtime;
        if nanoseconds > 0 || u64::try_from(seconds).map_or(true, |it| it > MAX_12) {
            record(&mut out, b"mtime", time(seconds, nanoseconds).as_bytes());
        }
        if self.path.len() > 100 {
            record(&mut out, b"path", self.path);
        }
        number(&mut out, b"size", self.size, MAX_12);
        number(&mut out, b"uid", u64::from(metadata.uid), MAX_8);
        out
    }
}

/// A record for a number that is too large for its field.
fn number(out: &mut Vec<u8>, name: &[u8], value: u64, max: u64) {
    if value > max {
        record(out, name, value.to_string().as_bytes());
    }
}

/// Fills up the last block of an entry's bytes.
pub(super) fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let rest = (size % BLOCK as u64) as usize;
    if rest > 0 {
        out.write_all(&[0; BLOCK][rest..])?;
    }
    Ok(())
}

/// Ends the archive.
pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

struct Header([u8; BLOCK]);

impl Header {
    fn new(path: &[u8], kind: u8, link: &[u8]) -> Self {
        let mut header = Self([0; BLOCK]);
        header.text(0, 100, path);
        header.0[156] = kind;
        header.text(157, 100, link);
        header.0[257..265].copy_from_slice(b"ustar\x0000");
        header.number(329..337, 0);
        header.number(337..345, 0);
        for field in [100..108, 108..116, 116..124, 124..136, 136..148] {
            header.number(field, 0);
        }
        header
    }

    /// The text, or as much of it as there is room for: the whole is in a record then.
    fn text(&mut self, at: usize, room: usize, text: &[u8]) {
        let length = text.len().min(room);
        self.0[at..at + length].copy_from_slice(&text[..length]);
    }

    /// Octal digits and a NUL; zero for what does not fit, which is in a record then.
    fn number(&mut self, field: std::ops::Range<usize>, value: u64) {
        let digits = field.len() - 1;
        let text = format!("{value:0digits$o}");
        let text = if text.len() > digits {
            "0".repeat(digits)
        } else {
            text
        };
        self.0[field.start..field.end - 1].copy_from_slice(text.as_bytes());
    }

    fn write(mut self, out: &mut impl Write) -> io::Result<()> {
        self.0[148..156].fill(b' ');
        let sum: u32 = self.0.iter().map(|byte| u32::from(*byte)).sum();
        self.0[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.write_all(&self.0)
    }
}

/// `LENGTH KEYWORD=VALUE\n`, where the length counts itself.
fn record(out: &mut Vec<u8>, keyword: &[u8], value: &[u8]) {
    let rest = keyword.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} ").as_bytes());
    out.extend_from_slice(keyword);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A decimal number; its fraction counts upwards, also below zero in the tree.
fn time(seconds: i64, nanoseconds: u32) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    let (whole, fraction) = (total / 1_000_000_000, total % 1_000_000_000);
    let text = format!("{sign}{whole}.{fraction:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_records_count_themselves() {
        let made = |keyword: &[u8], length: usize| {
            let mut out = Vec::new();
            record(&mut out, keyword, &vec![b'x'; length]);
            let text = String::from_utf8(out).unwrap();
            let announced: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(announced, text.len(), "{text}");
        };
        for length in 0..300 {
            made(b"path", length);
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(1, 0), "1");
        assert_eq!(time(1, 500_000_000), "1.5");
        assert_eq!(time(-1, 500_000_000), "-0.5");
        assert_eq!(time(-3, 0), "-3");
    }
}
