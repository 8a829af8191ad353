//! Compression that gives the same bytes on every machine.
//!
//! Data is cut into chunks, and each one becomes a gzip member or a Zstandard frame of its own; a
//! sequence of them is one stream to every reader (RFC 1952, 2.2; RFC 8878, 3). So chunks can be
//! compressed at the same time, and what comes out depends on the data and the encoder alone, not
//! on the number of cores. A new version of a compressing library may give other bytes: the name of
//! an [`Encoding`] has a number, which is raised then, and a test holds the bytes against it.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, sync_channel};

use libdeflater::{CompressionLvl, Compressor};

/// Bytes of data in one member or frame.
const CHUNK: usize = 4 << 20;
/// Level of libdeflate: a twentieth larger than what 3 gives, in two thirds of the time.
const GZIP_LEVEL: i32 = 1;
const ZSTD_LEVEL: i32 = 3;

/// How layers are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// gzip, which everything reads.
    #[default]
    Gzip,
    /// Zstandard: smaller, and several times faster to read; older tools refuse it.
    Zstd,
    /// No compression.
    None,
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "none" => Ok(Self::None),
            _ => Err("expected gzip, zstd or none".to_owned()),
        }
    }
}

impl Encoding {
    /// Its name, with a number that its bytes belong to, and those of the archives that racker makes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip-2",
            Self::Zstd => "zstd-2",
            Self::None => "none-2",
        }
    }

    /// Source: OCI image-spec, layer.md.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Self::None => "application/vnd.oci.image.layer.v1.tar",
        }
    }

    /// Compresses a chunk into `out`, of which it says how much it took. `out` only ever grows, so
    /// that it can be used again without being cleared.
    fn compress(self, chunk: &mut Vec<u8>, out: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::None => {
                std::mem::swap(chunk, out);
                Ok(out.len())
            }
            Self::Zstd => {
                grow(out, zstd::zstd_safe::compress_bound(chunk.len()));
                zstd::bulk::compress_to_buffer(chunk, out, ZSTD_LEVEL)
            }
            Self::Gzip => {
                let level = CompressionLvl::new(GZIP_LEVEL).unwrap_or_default();
                let mut compressor = Compressor::new(level);
                grow(out, compressor.gzip_compress_bound(chunk.len()));
                compressor
                    .gzip_compress(chunk, out)
                    .map_err(io::Error::other)
            }
        }
    }
}

fn grow(out: &mut Vec<u8>, size: usize) {
    if out.len() < size {
        out.resize(size, 0);
    }
}

/// A chunk and what becomes of it; both buffers are used again.
#[derive(Default)]
struct Piece {
    chunk: Vec<u8>,
    packed: Vec<u8>,
}

/// Compresses what is written to it.
pub(crate) struct Encoder<W> {
    encoding: Encoding,
    piece: Piece,
    /// Chunks under way, in order.
    waiting: VecDeque<Receiver<(Piece, io::Result<usize>)>>,
    spare: Vec<Piece>,
    most: usize,
    out: W,
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(encoding: Encoding, out: W) -> Self {
        Self {
            encoding,
            piece: Piece::default(),
            waiting: VecDeque::new(),
            spare: Vec::new(),
            most: rayon::current_num_threads() + 1,
            out,
        }
    }

    /// Ends the stream; no data at all is one empty member or frame.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.ship()?;
        while !self.waiting.is_empty() {
            self.drain()?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    /// Gives the chunk to a thread.
    fn ship(&mut self) -> io::Result<()> {
        let next = self.spare.pop().unwrap_or_default();
        let mut piece = std::mem::replace(&mut self.piece, next);
        let encoding = self.encoding;
        let (sender, receiver) = sync_channel(1);
        rayon::spawn(move || {
            let size = encoding.compress(&mut piece.chunk, &mut piece.packed);
            // Nobody waits any more where writing failed.
            let _ = sender.send((piece, size));
        });
        self.waiting.push_back(receiver);
        if self.waiting.len() > self.most {
            self.drain()?;
        }
        Ok(())
    }

    /// Writes the first chunk that is under way.
    fn drain(&mut self) -> io::Result<()> {
        if let Some(first) = self.waiting.pop_front() {
            let (mut piece, size) = first.recv().map_err(io::Error::other)?;
            self.out.write_all(&piece.packed[..size?])?;
            piece.chunk.clear();
            self.spare.push(piece);
        }
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &mut self.piece.chunk;
        chunk.reserve_exact(CHUNK - chunk.len());
        let taken = bytes.len().min(CHUNK - chunk.len());
        chunk.extend_from_slice(&bytes[..taken]);
        if chunk.len() == CHUNK {
            self.ship()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::oci::Decompress;
    use crate::oci::manifest::sha256;

    fn encoded(encoding: Encoding, data: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(encoding, Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// Text of a few words in an order that does not repeat.
    fn data(size: usize) -> Vec<u8> {
        let words = ["layer", "tree", "manifest", "digest", "upper", "\n"];
        let mut state: u64 = 1;
        let mut out = Vec::with_capacity(size + 16);
        while out.len() < size {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            out.extend_from_slice(words[(state >> 33) as usize % words.len()].as_bytes());
            out.push((state >> 56) as u8);
        }
        out.truncate(size);
        out
    }

    #[test]
    fn what_comes_out_goes_in() {
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::None] {
            for size in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 7] {
                let data = data(size);
                let encoded = encoded(encoding, &data);
                let mut back = Vec::new();
                let mut decoder = Decompress::new(&*encoded).unwrap();
                decoder.read_to_end(&mut back).unwrap();
                assert!(back == data, "{encoding:?} {size}");
            }
        }
    }

    /// Other bytes here mean that the encoding needs another number in its name.
    #[test]
    fn bytes_belong_to_the_name() {
        let data = data(CHUNK + CHUNK / 2);
        for (encoding, digest) in [
            (
                Encoding::Gzip,
                "4de206f3d54cd0e28a1ddfdb385e0058290e8952b2a789fadbdac272cd6dc34c",
            ),
            (
                Encoding::Zstd,
                "d8c2e6e7a1fb75598baefd6fea80b79f228ef51200376c3939d2fb9bd51640d8",
            ),
        ] {
            let encoded = encoded(encoding, &data);
            assert_eq!(sha256(&encoded).hex(), digest, "{}", encoding.name());
        }
    }
}
