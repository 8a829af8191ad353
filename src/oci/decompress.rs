//! Decompression chosen by the data's first bytes; media types are not believed.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

/// Output that no ratio is asked of: small things may compress as well as they like.
const FREE: u64 = 1 << 30;
/// Output per input byte above which data is taken for an attack. Deflate cannot exceed 1032.
const RATIO: u64 = 512;

/// How data is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard, of one or several frames.
    Zstd,
    /// xz, of one or several streams.
    Xz,
    /// bzip2, of one or several streams.
    Bzip2,
}

impl Compression {
    /// The longest prefix that [`Compression::sniff`] looks at.
    pub const MAGIC: usize = 6;

    /// Tells the compression by the first bytes.
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Self::Xz,
            // The digits of pi, with which its first block begins.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Self::Bzip2,
            _ => Self::None,
        }
    }
}

/// A reader of the plain bytes of a stream in any known compression.
///
/// Fails with [`io::ErrorKind::InvalidData`] where the output is out of all proportion.
pub struct Decompress<'a> {
    inner: Box<dyn Read + 'a>,
    compression: Compression,
    consumed: Rc<Cell<u64>>,
    produced: u64,
}

impl<'a> Decompress<'a> {
    /// Looks at the first bytes of `source` and sets up the right decoder.
    pub fn new(mut source: impl Read + 'a) -> io::Result<Self> {
        let mut head = [0; Compression::MAGIC];
        let mut length = 0;
        while length < head.len() {
            match source.read(&mut head[length..]) {
                Ok(0) => break,
                Ok(n) => length += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let compression = Compression::sniff(&head[..length]);
        let consumed = Rc::new(Cell::new(length as u64));
        let rest = Counted {
            inner: source,
            count: Rc::clone(&consumed),
        };
        let source = io::Cursor::new(head).take(length as u64).chain(rest);
        let buffered = BufReader::with_capacity(64 * 1024, source);
        let inner: Box<dyn Read + 'a> = match compression {
            Compression::None => Box::new(buffered),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
            Compression::Zstd => Box::new(zstd_decoder(buffered)?),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered)),
            Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_stream(
                buffered,
                liblzma::stream::Stream::new_stream_decoder(
                    XZ_MEMORY,
                    liblzma::stream::CONCATENATED,
                )?,
            )),
        };
        Ok(Self {
            inner,
            compression,
            consumed,
            produced: 0,
        })
    }

    /// What was found.
    pub fn compression(&self) -> Compression {
        self.compression
    }
}

/// Memory that an xz stream may ask for (`xz -9` needs 65 MiB).
const XZ_MEMORY: u64 = 100 << 20;
/// Window that a zstd frame may ask for, as a power of two (`zstd -19` needs 23, `--ultra` 27).
const ZSTD_WINDOW_LOG: u32 = 27;

fn zstd_decoder<B: io::BufRead>(source: B) -> io::Result<zstd::stream::read::Decoder<'static, B>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

impl std::fmt::Debug for Decompress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompress")
            .field("compression", &self.compression)
            .field("produced", &self.produced)
            .finish_non_exhaustive()
    }
}

impl Read for Decompress<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.produced += n as u64;
        if self.produced > FREE && self.produced / RATIO > self.consumed.get() {
            let text = format!(
                "{} bytes out of {} are out of all proportion",
                self.produced,
                self.consumed.get()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(n)
    }
}

struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(data: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zst(data: &[u8]) -> Vec<u8> {
        zstd::encode_all(data, 1).unwrap()
    }

    fn bz2(data: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn plain(data: Vec<u8>) -> (Compression, io::Result<Vec<u8>>) {
        let mut reader = Decompress::new(io::Cursor::new(data)).unwrap();
        let compression = reader.compression();
        let mut out = Vec::new();
        let result = reader.read_to_end(&mut out).map(|_| out);
        (compression, result)
    }

    #[test]
    fn every_compression_in_one_and_two_parts() {
        for (pack, expected) in [
            (gzip as fn(&[u8]) -> Vec<u8>, Compression::Gzip),
            (zst, Compression::Zstd),
            (xz, Compression::Xz),
            (bz2, Compression::Bzip2),
            (<[u8]>::to_vec, Compression::None),
        ] {
            let two = [pack(b"one "), pack(b"two")].concat();
            let (compression, out) = plain(two);
            assert_eq!(
                (compression, out.unwrap().as_slice()),
                (expected, &b"one two"[..])
            );
        }
    }

    #[test]
    fn short_and_empty_input_is_plain() {
        for data in [&b""[..], b"a", b"\x1f"] {
            assert_eq!(plain(data.to_vec()).1.unwrap(), data);
        }
    }

    #[test]
    fn truncation_is_an_error() {
        for pack in [gzip, zst, xz, bz2] {
            let mut data = pack(&[7; 5000]);
            data.truncate(data.len() - 5);
            assert!(plain(data).1.is_err());
        }
    }

    #[test]
    fn a_leading_skippable_frame_is_zstd() {
        let mut data = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        data.extend(zst(b"body"));
        assert_eq!(plain(data).1.unwrap(), b"body");
    }

    #[test]
    fn a_bomb_is_stopped() {
        let frame = zst(&vec![0; 64 << 20]);
        let mut reader = Decompress::new(io::Cursor::new(frame.repeat(40))).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
