//! Files of a repository, compressed as it pleases.

use std::io::{self, BufReader, Read};

/// Bytes that are unpacked at most: ten times what the largest distribution has.
const LIMIT: u64 = 4 << 30;

/// Undoes a compression that is known by the file's first bytes.
pub(super) fn unpack<'a>(reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut reader = BufReader::with_capacity(128 << 10, reader);
    let front = io::BufRead::fill_buf(&mut reader)?;
    let is = |magic: &[u8]| front.starts_with(magic);
    Ok(if is(b"\x1f\x8b") {
        Box::new(flate2::bufread::MultiGzDecoder::new(reader).take(LIMIT))
    } else if is(b"\xfd7zXZ\0") {
        Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(reader).take(LIMIT))
    } else if is(b"\x28\xb5\x2f\xfd") {
        Box::new(zstd::Decoder::with_buffer(reader)?.take(LIMIT))
    } else if is(b"<") || is(b"\xef\xbb\xbf<") {
        Box::new(reader.take(LIMIT))
    } else {
        return Err(io::Error::other("neither XML nor gzip, xz or zstd"));
    })
}
