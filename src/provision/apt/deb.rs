//! A `.deb` file: an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::provision::{Error, Result};

const MAGIC: &[u8; 8] = b"!<arch>\n";
/// The largest control file that is believed.
const CONTROL_LIMIT: u64 = 1 << 20;

/// A package file that was found to be well formed.
#[derive(Debug)]
pub struct Deb {
    path: PathBuf,
    file: File,
    control: Member,
    data: Member,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    start: u64,
    size: u64,
}

impl Deb {
    /// Opens a file and finds its members.
    pub fn open(path: &Path) -> Result<Deb> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let bad = |reason: String| Error::BadPackage {
            path: path.to_owned(),
            reason,
        };
        let members = members(&mut file).map_err(|error| bad(error.to_string()))?;
        let find = |prefix: &str| {
            members
                .iter()
                .find(|member| member.name.starts_with(prefix))
                .cloned()
        };
        let control = find("control.tar").ok_or_else(|| bad("no control.tar".to_owned()))?;
        let data = find("data.tar").ok_or_else(|| bad("no data.tar".to_owned()))?;
        Ok(Deb {
            path: path.to_owned(),
            file,
            control,
            data,
        })
    }

    /// The control stanza, without the newline at its end.
    pub fn control(&self) -> Result<String> {
        let read = || -> io::Result<Option<String>> {
            let mut archive = tar::Archive::new(self.unpacked(&self.control)?);
            for entry in archive.entries()? {
                let entry = entry?;
                let name = entry.path_bytes();
                if matches!(&*name, b"./control" | b"control") {
                    drop(name);
                    let mut text = String::new();
                    entry.take(CONTROL_LIMIT).read_to_string(&mut text)?;
                    return Ok(Some(text.trim_end().to_owned()));
                }
            }
            Ok(None)
        };
        match read() {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(self.bad("no control file".to_owned())),
            Err(error) => Err(self.bad(error.to_string())),
        }
    }

    /// Writes the same package with nothing compressed, which a package manager that unpacks one
    /// package after the other reads several times faster.
    pub(crate) fn write_plain(&self, to: &Path) -> Result<()> {
        let write = || -> io::Result<()> {
            let mut out = File::create(to)?;
            out.write_all(MAGIC)?;
            append(&mut out, "debian-binary", &mut &b"2.0\n"[..])?;
            for (member, name) in [(&self.control, "control.tar"), (&self.data, "data.tar")] {
                // What cannot be unpacked here is left as it is.
                if Codec::of(&member.name).is_some() {
                    append(&mut out, name, &mut self.unpacked(member)?)?;
                } else {
                    append(&mut out, &member.name, &mut self.raw(member)?)?;
                }
            }
            Ok(())
        };
        write().map_err(|error| self.bad(format!("cannot unpack: {error}")))
    }

    fn bad(&self, reason: String) -> Error {
        Error::BadPackage {
            path: self.path.clone(),
            reason,
        }
    }

    fn raw(&self, member: &Member) -> io::Result<impl Read + use<>> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(member.start))?;
        Ok(file.take(member.size))
    }

    fn unpacked(&self, member: &Member) -> io::Result<Box<dyn Read>> {
        let raw = BufReader::with_capacity(128 << 10, self.raw(member)?);
        Ok(match Codec::of(&member.name) {
            Some(Codec::None) => Box::new(raw),
            Some(Codec::Gzip) => Box::new(flate2::bufread::GzDecoder::new(raw)),
            Some(Codec::Xz) => Box::new(liblzma::bufread::XzDecoder::new(raw)),
            Some(Codec::Zstd) => Box::new(zstd::Decoder::with_buffer(raw)?),
            None => return Err(io::Error::other(format!("`{}` is not known", member.name))),
        })
    }
}

enum Codec {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Codec {
    fn of(name: &str) -> Option<Codec> {
        match name.split_once(".tar")?.1 {
            "" => Some(Codec::None),
            ".gz" => Some(Codec::Gzip),
            ".xz" => Some(Codec::Xz),
            ".zst" => Some(Codec::Zstd),
            _ => None,
        }
    }
}

/// Lists an `ar` archive. A header is 60 bytes: name 16, date 12, uid 6, gid 6, mode 8, size 10, end 2.
fn members(file: &mut File) -> io::Result<Vec<Member>> {
    let mut magic = [0; 8];
    file.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(io::Error::other("no ar archive"));
    }
    let end = file.metadata()?.len();
    let mut members = Vec::new();
    let mut at = 8;
    while at < end {
        let mut header = [0; 60];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header)?;
        let field = |range: std::ops::Range<usize>| {
            std::str::from_utf8(&header[range])
                .map(str::trim_end)
                .unwrap_or_default()
        };
        let size: u64 = field(48..58)
            .parse()
            .map_err(|_| io::Error::other("a bad ar header"))?;
        let name = field(0..16).trim_end_matches('/').to_owned();
        let start = at + 60;
        if &header[58..] != b"`\n" || start.checked_add(size).is_none_or(|stop| stop > end) {
            return Err(io::Error::other("a bad ar header"));
        }
        members.push(Member { name, start, size });
        at = start + size + size % 2;
    }
    Ok(members)
}

/// Adds a member of unknown length: first the body, then the header before it.
fn append(out: &mut File, name: &str, body: &mut dyn Read) -> io::Result<()> {
    let start = out.stream_position()?;
    out.seek(SeekFrom::Start(start + 60))?;
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0_u64;
    loop {
        let count = body.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count])?;
        size += count as u64;
    }
    if size % 2 == 1 {
        out.write_all(b"\n")?;
    }
    if size > 9_999_999_999 {
        return Err(io::Error::other("too large for an ar archive"));
    }
    out.seek(SeekFrom::Start(start))?;
    writeln!(
        out,
        "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`",
        0, 0, 0, "100644"
    )?;
    out.seek(SeekFrom::End(0))?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes a package with the given control stanza.
    pub(in super::super) fn make(path: &Path, control: &str, codec: &str) {
        let tarball = |name: &str, content: &[u8]| {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content).unwrap();
            builder.into_inner().unwrap()
        };
        let pack = |bytes: Vec<u8>| match codec {
            "" => bytes,
            ".zst" => zstd::encode_all(&bytes[..], 1).unwrap(),
            ".gz" => {
                let level = flate2::Compression::fast();
                let mut out = Vec::new();
                flate2::bufread::GzEncoder::new(&bytes[..], level)
                    .read_to_end(&mut out)
                    .unwrap();
                out
            }
            _ => {
                let mut out = Vec::new();
                liblzma::bufread::XzEncoder::new(&bytes[..], 0)
                    .read_to_end(&mut out)
                    .unwrap();
                out
            }
        };
        let mut out = File::create(path).unwrap();
        out.write_all(MAGIC).unwrap();
        append(&mut out, "debian-binary", &mut &b"2.0\n"[..]).unwrap();
        let control = pack(tarball("./control", control.as_bytes()));
        append(&mut out, &format!("control.tar{codec}"), &mut &control[..]).unwrap();
        let data = pack(tarball("./usr/share/x", b"xyz"));
        append(&mut out, &format!("data.tar{codec}"), &mut &data[..]).unwrap();
    }

    #[test]
    fn every_compression_is_read_and_undone() {
        let directory = tempfile::tempdir().unwrap();
        let mut plain = Vec::new();
        for codec in ["", ".gz", ".xz", ".zst"] {
            let path = directory.path().join("a.deb");
            make(&path, "Package: a\nVersion: 1\n", codec);
            let deb = Deb::open(&path).unwrap();
            assert_eq!(deb.control().unwrap(), "Package: a\nVersion: 1");
            let to = directory.path().join("b.deb");
            deb.write_plain(&to).unwrap();
            assert_eq!(
                Deb::open(&to).unwrap().control().unwrap(),
                "Package: a\nVersion: 1"
            );
            plain.push(std::fs::read(&to).unwrap());
        }
        assert!(plain.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn damage_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.deb");
        make(&path, "Package: a\n", ".xz");
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let outcome =
                Deb::open(&path).and_then(|deb| deb.write_plain(&path.with_extension("o")));
            assert!(matches!(outcome, Err(Error::BadPackage { .. })), "{length}");
        }
    }
}
