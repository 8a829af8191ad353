//! The front of a package file.
//!
//! ```text
//! lead               96 bytes, of which only the magic number counts
//! signature header   magic number, header, zeros up to a multiple of eight
//! header             magic number, header
//! payload
//! ```
//!
//! Source: "Package file format, v4" of rpm's documentation.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{Header, tag};

const LEAD: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
/// Most entries of a header, as rpm has it.
const MAX_ENTRIES: u32 = 0xffff;
/// Most bytes of a header's data; rpm allows 256 MiB.
const MAX_DATA: u32 = 64 << 20;

/// What a package file says of itself.
#[derive(Debug)]
pub(crate) struct PackageFile {
    header: Vec<u8>,
    /// Where the header begins and ends, in bytes from the file's start.
    pub(crate) range: (u64, u64),
    /// Whether it carries an OpenPGP signature. Nothing is said of whether that holds.
    pub(crate) signed: bool,
}

impl PackageFile {
    /// Reads the two headers.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::read(BufReader::new(File::open(path)?))
    }

    fn read(mut reader: impl Read) -> io::Result<Self> {
        let mut lead = [0; 96];
        reader.read_exact(&mut lead)?;
        if lead[..4] != LEAD {
            return Err(io::Error::other("no rpm package"));
        }
        let signature = header(&mut reader)?;
        let padding = (8 - signature.len() % 8) % 8;
        reader.read_exact(&mut [0; 8][..padding])?;
        let parsed = Header::parse(&signature).map_err(io::Error::other)?;
        let signed = tag::SIGNATURES.iter().any(|tag| parsed.has(*tag));
        let start = (96 + 8 + signature.len() + padding) as u64;
        let header = header(&mut reader)?;
        Header::parse(&header).map_err(io::Error::other)?;
        let range = (start, start + 8 + header.len() as u64);
        Ok(Self {
            header,
            range,
            signed,
        })
    }

    /// The package's header.
    pub(crate) fn header(&self) -> Result<Header<'_>, String> {
        Header::parse(&self.header)
    }
}

/// Reads a header with its magic number, and leaves that out.
fn header(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut front = [0; 16];
    reader.read_exact(&mut front)?;
    if front[..4] != MAGIC {
        return Err(io::Error::other("a header without its magic number"));
    }
    let number = |at: usize| {
        let bytes = [front[at], front[at + 1], front[at + 2], front[at + 3]];
        u32::from_be_bytes(bytes)
    };
    let (entries, data) = (number(8), number(12));
    if entries > MAX_ENTRIES || data > MAX_DATA {
        return Err(io::Error::other("a header that is too large"));
    }
    let length = u64::from(entries) * 16 + u64::from(data);
    let mut blob = front[8..].to_vec();
    reader.take(length).read_to_end(&mut blob)?;
    if blob.len() as u64 != length + 8 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(blob)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{Value, build};
    use super::*;

    /// The front of a package file.
    pub(crate) fn file(signature: &[(u32, Value<'_>)], header: &[(u32, Value<'_>)]) -> Vec<u8> {
        let mut bytes = LEAD.to_vec();
        bytes.resize(96, 0);
        let mut add = |header: Vec<u8>| {
            bytes.extend(MAGIC);
            bytes.extend([0; 4]);
            bytes.extend(header);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        };
        add(build(signature));
        add(build(header));
        bytes
    }

    const NAME: &[(u32, Value<'_>)] = &[(tag::NAME, Value::Strings(&["name"]))];

    #[test]
    fn headers_and_signatures_are_found() {
        for (tag, signed) in [(tag::SIGNATURES[0], true), (1004, false)] {
            let bytes = file(&[(tag, Value::Chars(b"12345"))], NAME);
            let package = PackageFile::read(&bytes[..]).unwrap();
            assert_eq!(package.signed, signed);
            let header = package.header().unwrap();
            assert_eq!(header.string(tag::NAME).unwrap(), Some(&b"name"[..]));
            assert_eq!(package.range.0 % 8, 0);
        }
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = file(&[(7, Value::Chars(b"123"))], NAME);
        let end = PackageFile::read(&bytes[..]).unwrap().range.1 as usize;
        for length in 0..end {
            assert!(PackageFile::read(&bytes[..length]).is_err(), "{length}");
        }
        for place in [0, 96, 96 + 12] {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0xff;
            assert!(PackageFile::read(&bytes[..]).is_err(), "{place}");
        }
    }
}
