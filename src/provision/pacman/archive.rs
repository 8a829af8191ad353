//! The tar archives of pacman, packages and databases, in the compressions that `makepkg` and
//! `repo-add` offer and people use.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

/// Entries of an archive that are looked at.
const ENTRIES: usize = 1 << 20;
/// Unpacked bytes of an archive that are read.
const BYTES: u64 = 512 << 20;
/// Memory that an xz stream may ask for (`xz -9` needs 65 MiB).
const XZ_MEMORY: u64 = 100 << 20;

/// A file in an archive.
pub(super) struct Entry<'a> {
    /// Its path, without `./` in front.
    pub(super) name: String,
    /// When it was last modified, in seconds since 1970.
    pub(super) mtime: i64,
    body: &'a mut dyn Read,
}

impl Entry<'_> {
    /// All of it as text; an error where it is longer than `limit` bytes.
    pub(super) fn text(&mut self, limit: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.body.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::other(format!("{} is too long", self.name)));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Shows every entry until `visit` has seen enough.
pub(super) fn walk(
    source: impl Read,
    mut visit: impl FnMut(&mut Entry<'_>) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(plain(source)?.take(BYTES));
    for (count, entry) in archive.entries()?.enumerate() {
        if count >= ENTRIES {
            return Err(io::Error::other("too many entries"));
        }
        let mut body = entry?;
        let path = body.path_bytes();
        let name = String::from_utf8_lossy(path.strip_prefix(b"./").unwrap_or(&path)).into_owned();
        let mtime = i64::try_from(body.header().mtime()?).unwrap_or(i64::MAX);
        drop(path);
        let mut entry = Entry {
            name,
            mtime,
            body: &mut body,
        };
        if visit(&mut entry)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The plain bytes of an archive; its first ones tell how it is compressed.
fn plain<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = BufReader::with_capacity(128 << 10, source);
    Ok(match source.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(source)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(source, stream))
        }
        _ => Box::new(source),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    /// An archive of some files, modified at 100 seconds.
    pub(in super::super) fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(100);
            builder
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(bytes: &[u8], limit: u64) -> io::Result<Vec<(String, i64, String)>> {
        let mut found = Vec::new();
        walk(bytes, |entry| {
            let text = entry.text(limit)?;
            found.push((entry.name.clone(), entry.mtime, text));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    #[test]
    fn every_compression_is_told_by_its_first_bytes() {
        let tar = tarball(&[("./a", "one"), ("b/c", "two")]);
        let bzip2 = {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let gzip = {
            let level = flate2::Compression::fast();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let xz = {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = zstd::encode_all(&tar[..], 1).unwrap();
        let expected = [("a", "one"), ("b/c", "two")]
            .map(|(name, text)| (name.to_owned(), 100, text.to_owned()));
        for packed in [bzip2, gzip, xz, zstd, tar] {
            assert_eq!(read(&packed, 3).unwrap(), expected);
            let cut = &packed[..packed.len() / 2];
            assert!(read(cut, 3).is_err() || read(cut, 3).unwrap().len() < 2);
        }
    }

    #[test]
    fn what_is_longer_than_its_limit_is_refused() {
        assert!(read(&tarball(&[("a", "four")]), 3).is_err());
        assert!(read(b"no archive at all", 3).is_err());
    }
}
