//! A header with everything that stands before it and speaks of it.

use std::io::BufRead;

use super::header::{BLOCK, Header};
use super::pax::Pax;
use super::tap::{Tap, cut_off};
use crate::error::{Error, Result};
use crate::tree::{Metadata, Time, Xattrs};

/// Longest extended header or long name.
const MAX_EXTENSION: u64 = 1 << 20;
/// Keys that shift the archive or rename entries have no business in a header for all of them.
const NOT_GLOBAL: [&str; 5] = [
    "size",
    "path",
    "linkpath",
    "GNU.sparse.size",
    "GNU.sparse.major",
];

/// One entry's header.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    /// Bytes of its body in the archive.
    pub(crate) size: u64,
    pub(crate) pax: Pax,
}

impl Record {
    /// Reads on up to the header of the next entry; none at the end of the archive.
    pub(crate) fn next<R: BufRead>(tap: &mut Tap<R>, global: &mut Pax) -> Result<Option<Self>> {
        let mut pax = None;
        let mut long_path = None;
        let mut long_link = None;
        loop {
            let mut block = [0; BLOCK];
            match tap.inline_exact(&mut block)? {
                0 if pax.is_none() && long_path.is_none() && long_link.is_none() => {
                    return Ok(None);
                }
                BLOCK => {}
                _ => return Err(cut_off()),
            }
            if block == [0; BLOCK] {
                return Ok(None);
            }
            let fail = |reason: &'static str| refuse(&block[..100], reason);
            let header = Header::new(&block).map_err(fail)?;
            match header.kind() {
                b'x' | b'X' => {
                    let bytes = extension(tap, &header)?;
                    let records = pax.get_or_insert_with(|| global.clone());
                    records.read(&bytes).map_err(fail)?;
                }
                b'g' => {
                    let bytes = extension(tap, &header)?;
                    global.read(&bytes).map_err(fail)?;
                    if NOT_GLOBAL.iter().any(|key| global.get(key).is_some()) {
                        return Err(fail("a global header speaks of single entries"));
                    }
                }
                b'L' => long_path = Some(until_nul(extension(tap, &header)?)),
                b'K' => long_link = Some(until_nul(extension(tap, &header)?)),
                _ => {
                    let pax = pax.unwrap_or_else(|| global.clone());
                    let size = match pax.number("size").map_err(fail)? {
                        Some(size) => size,
                        None => header.size().map_err(fail)?,
                    };
                    let named = |key: &str| pax.get(key).map(<[u8]>::to_vec);
                    let path = named("GNU.sparse.name")
                        .or_else(|| named("path"))
                        .or(long_path);
                    let path = path.unwrap_or_else(|| header.path());
                    let link = named("linkpath")
                        .or(long_link)
                        .unwrap_or_else(|| header.link());
                    return Ok(Some(Self {
                        header,
                        path,
                        link,
                        size,
                        pax,
                    }));
                }
            }
        }
    }

    /// Mode, owner, time and attributes.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let fail = |reason| refuse(&self.path, reason);
        let id = |key, other: Result<i64, &'static str>| -> Result<u32, &'static str> {
            let id = match self.pax.number(key)? {
                Some(id) => u32::try_from(id),
                None => u32::try_from(other?),
            };
            id.ok()
                .filter(|id| *id != u32::MAX)
                .ok_or("an owner is out of range")
        };
        let mtime: Time = match self.pax.time("mtime").map_err(fail)? {
            Some(time) => time,
            None => self.header.mtime().map_err(fail)?,
        };
        let mut xattrs = Xattrs::new();
        self.pax.xattrs(&mut xattrs)?;
        Ok(Metadata {
            mode: self.header.mode().map_err(fail)?,
            uid: id("uid", self.header.uid()).map_err(fail)?,
            gid: id("gid", self.header.gid()).map_err(fail)?,
            mtime,
            xattrs,
        })
    }
}

/// Bytes that fill up the last block of a body.
pub(crate) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

pub(crate) fn refuse(path: &[u8], reason: &str) -> Error {
    let name = path.split(|byte| *byte == 0).next().unwrap_or_default();
    Error::Archive {
        entry: crate::path::display(name),
        reason: reason.into(),
    }
}

fn extension<R: BufRead>(tap: &mut Tap<R>, header: &Header) -> Result<Vec<u8>> {
    let size = header
        .size()
        .map_err(|reason| refuse(&header.path(), reason))?;
    if size > MAX_EXTENSION {
        return Err(Error::Limit {
            what: "size of an extended header",
            limit: MAX_EXTENSION,
        });
    }
    let mut bytes = vec![0; size as usize];
    if tap.inline_exact(&mut bytes)? != bytes.len() {
        return Err(cut_off());
    }
    tap.skip(padding(size))?;
    Ok(bytes)
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(
        bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(bytes.len()),
    );
    bytes
}
