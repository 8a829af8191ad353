//! Files with holes: reading the map, and putting the zeros back.

use std::io::{self, Read};

use super::header::{BLOCK, Header, sparse_pairs};
use super::pax::{Pax, decimal};

/// Pieces in one file at most.
const MAX_PIECES: usize = 1 << 20;

/// Where the bytes in the archive belong in the file.
#[derive(Debug, Default)]
pub(crate) struct Map {
    /// Offset and length of each piece, in order.
    pub(crate) pieces: Vec<(u64, u64)>,
    /// Size of the whole file.
    pub(crate) size: u64,
}

type Parsed<T> = Result<T, &'static str>;

impl Map {
    /// The map in an old GNU header; `next` gives the blocks behind it.
    pub(crate) fn gnu(
        header: &Header,
        mut next: impl FnMut() -> Parsed<[u8; BLOCK]>,
    ) -> Parsed<Self> {
        let (mut pieces, mut more, size) = header.sparse()?;
        while more {
            let block = next()?;
            sparse_pairs(&block[..504], &mut pieces)?;
            more = block[504] != 0;
            if pieces.len() > MAX_PIECES {
                return Err("a sparse map is too long");
            }
        }
        Self { pieces, size }.check()
    }

    /// The map of the PAX formats 0.0 and 0.1, which is in the extended header.
    pub(crate) fn pax(pax: &Pax) -> Parsed<Option<Self>> {
        let Some(size) = pax.number("GNU.sparse.size")? else {
            return Ok(None);
        };
        let numbers: Vec<u64> = match pax.get("GNU.sparse.map") {
            Some(map) => map
                .split(|byte| *byte == b',')
                .map(decimal)
                .collect::<Parsed<_>>()?,
            None => pax
                .sparse
                .iter()
                .map(|(_, value)| decimal(value))
                .collect::<Parsed<_>>()?,
        };
        Self {
            pieces: pairs(&numbers)?,
            size,
        }
        .check()
        .map(Some)
    }

    /// The map of the PAX format 1.0, which stands before the bytes; tells also how long it is.
    pub(crate) fn leading(
        size: u64,
        mut next: impl FnMut() -> Parsed<[u8; BLOCK]>,
    ) -> Parsed<(Self, u64)> {
        let mut text = Vec::new();
        let mut numbers = Vec::new();
        let mut wanted = 1;
        let mut blocks = 0;
        while numbers.len() < wanted {
            text.extend_from_slice(&next()?);
            blocks += 1;
            let mut start = 0;
            while let Some(length) = text[start..].iter().position(|byte| *byte == b'\n') {
                if numbers.len() == wanted {
                    break;
                }
                let number = decimal(&text[start..start + length])?;
                start += length + 1;
                numbers.push(number);
                if numbers.len() == 1 {
                    let count = usize::try_from(number).unwrap_or(usize::MAX);
                    if count > MAX_PIECES {
                        return Err("a sparse map is too long");
                    }
                    wanted = 1 + 2 * count;
                }
            }
            text.drain(..start);
            if text.len() > 2 * BLOCK {
                return Err("a sparse map is malformed");
            }
        }
        let map = Self {
            pieces: pairs(&numbers[1..])?,
            size,
        }
        .check()?;
        Ok((map, blocks * BLOCK as u64))
    }

    /// Bytes of the file that are in the archive.
    pub(crate) fn stored(&self) -> u64 {
        self.pieces.iter().map(|(_, length)| length).sum()
    }

    fn check(self) -> Parsed<Self> {
        let mut end = 0;
        for (offset, length) in &self.pieces {
            if *offset < end {
                return Err("pieces of a sparse file overlap");
            }
            end = offset
                .checked_add(*length)
                .ok_or("a sparse file is too large")?;
        }
        if end > self.size {
            Err("a piece of a sparse file lies behind its end")
        } else {
            Ok(self)
        }
    }
}

fn pairs(numbers: &[u64]) -> Parsed<Vec<(u64, u64)>> {
    match numbers.as_chunks::<2>() {
        (pairs, []) if pairs.len() <= MAX_PIECES => {
            Ok(pairs.iter().map(|[a, b]| (*a, *b)).collect())
        }
        _ => Err("a sparse map is malformed"),
    }
}

/// The whole file, zeros and all.
pub(crate) struct Expanded<R> {
    map: Map,
    stored: R,
    at: u64,
    piece: usize,
}

impl<R: Read> Expanded<R> {
    pub(crate) fn new(map: Map, stored: R) -> Self {
        Self {
            map,
            stored,
            at: 0,
            piece: 0,
        }
    }
}

impl<R: Read> Read for Expanded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self
            .map
            .pieces
            .get(self.piece)
            .is_some_and(|(offset, length)| self.at >= offset + length)
        {
            self.piece += 1;
        }
        let (start, end) = self
            .map
            .pieces
            .get(self.piece)
            .map_or((self.map.size, self.map.size), |(at, length)| {
                (*at, at + length)
            });
        let limit = |until: u64| {
            usize::try_from(until - self.at)
                .unwrap_or(usize::MAX)
                .min(buffer.len())
        };
        let count = if self.at < start {
            let count = limit(start);
            buffer[..count].fill(0);
            count
        } else {
            let count = limit(end);
            self.stored.read(&mut buffer[..count])?
        };
        self.at += count as u64;
        Ok(count)
    }
}
