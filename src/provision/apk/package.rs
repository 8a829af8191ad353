//! A package file of version 2: gzip members one behind the other, which together are one tar.
//!
//! ```text
//! signature   .SIGN.RSA.KEY                optional
//! control     .PKGINFO, scripts            its SHA-1 is the package's identity: Q1 and base64
//! data        the files                    its SHA-256 is `datahash` in .PKGINFO
//! ```
//!
//! Source: apk-v2(5).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::provision::pacman::PackageInfo;
use crate::provision::{Error, Result};

/// The longest signature or control segment that is believed, unpacked.
const LIMIT: u64 = 16 << 20;

/// A package file whose parts belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApkFile {
    /// How an index tells it: `Q1...`.
    pub identity: String,
    /// What it says of itself.
    pub info: PackageInfo,
}

impl ApkFile {
    /// Reads a file and holds its data against its control segment.
    pub fn read(path: &Path) -> Result<ApkFile> {
        let file = File::open(path).map_err(Error::io(path))?;
        parse(BufReader::with_capacity(128 << 10, file)).map_err(|error| Error::BadPackage {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }
}

fn parse(source: impl BufRead) -> io::Result<ApkFile> {
    let mut source = Hashing {
        inner: source,
        sha1: Sha1::new(),
        sha256: Sha256::new(),
    };
    if source.fill_buf()?.starts_with(b"ADB") {
        return Err(io::Error::other(
            "it has version 3 of the format, only 2 is known",
        ));
    }
    let mut info = control(&member(&mut source)?)?;
    if info.is_none() {
        source.restart();
        info = control(&member(&mut source)?)?;
    }
    let info = info.ok_or_else(|| io::Error::other("no .PKGINFO"))?;
    let sha1 = base64::engine::general_purpose::STANDARD.encode(source.sha1.clone().finalize());
    source.restart();
    io::copy(&mut source, &mut io::sink())?;
    let data: [u8; 32] = source.sha256.clone().finalize().into();
    let data = racker_store::Digest::from_bytes(data).hex();
    if info.get("datahash") != Some(&data) {
        return Err(io::Error::other(
            "its data is not what its control segment says",
        ));
    }
    for field in ["pkgname", "pkgver", "arch"] {
        let bad = |it: &str| it.is_empty() || it.contains('/') || it.starts_with('.');
        if info.get(field).is_none_or(bad) {
            return Err(io::Error::other(format!(
                "its .PKGINFO has no usable {field}"
            )));
        }
    }
    let identity = format!("Q1{sha1}");
    Ok(ApkFile { identity, info })
}

/// Unpacks the next member.
fn member(source: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let unpacked = flate2::bufread::GzDecoder::new(source);
    unpacked.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::other("its control segment is too long"));
    }
    Ok(bytes)
}

/// The `.PKGINFO` of a part of a tar, if it is in it.
fn control(part: &[u8]) -> io::Result<Option<PackageInfo>> {
    for entry in tar::Archive::new(part).entries()? {
        let mut entry = entry?;
        if *entry.path_bytes() == *b".PKGINFO" {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            return Ok(Some(PackageInfo::parse(&String::from_utf8_lossy(&text))));
        }
    }
    Ok(None)
}

/// A reader that hashes what is consumed, and not what is merely looked at.
struct Hashing<R> {
    inner: R,
    sha1: Sha1,
    sha256: Sha256,
}

impl<R> Hashing<R> {
    fn restart(&mut self) {
        self.sha1 = Sha1::new();
        self.sha256 = Sha256::new();
    }
}

impl<R: BufRead> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Hashing<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // What is buffered is given again without a read.
        if let Ok(buffer) = self.inner.fill_buf() {
            let consumed = &buffer[..count.min(buffer.len())];
            self.sha1.update(consumed);
            self.sha256.update(consumed);
        }
        self.inner.consume(count);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(files: &[(&str, &[u8])], end: bool) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, content) in files {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *content).unwrap();
            let bytes = builder.into_inner().unwrap();
            // Without the end of an archive: another member follows.
            tar.extend(&bytes[..bytes.len() - 1024]);
        }
        if end {
            tar.extend([0; 1024]);
        }
        let level = flate2::Compression::fast();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    }

    /// A package, signed by nobody; its control segment too.
    pub(in super::super) fn make(info: &str) -> (Vec<u8>, Vec<u8>) {
        let data = gzip(&[("usr/share/a", b"xyz")], true);
        let datahash = racker_store::Digest::of(&data).hex();
        let info = format!("{info}datahash = {datahash}\n");
        let control = gzip(
            &[(".PKGINFO", info.as_bytes()), (".post-install", b"#!")],
            false,
        );
        let signature = gzip(&[(".SIGN.RSA.a@b.rsa.pub", b"sig")], false);
        ([&signature[..], &control, &data].concat(), control)
    }

    const INFO: &str = "# Generated by a test\npkgname = a\npkgver = 1.2-r3\narch = x86_64\n";

    #[test]
    fn a_package_is_told_by_its_control_segment() {
        let (bytes, control) = make(INFO);
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha1::digest(&control));
        let read = parse(&bytes[..]).unwrap();
        assert_eq!(read.identity, format!("Q1{hash}"));
        assert_eq!(read.info.get("pkgver"), Some("1.2-r3"));
        // In small pieces it is the same.
        let slow = BufReader::with_capacity(7, &bytes[..]);
        assert_eq!(parse(slow).unwrap(), read);
        // Without a signature, too.
        let start = bytes.windows(control.len()).position(|it| it == control);
        assert_eq!(parse(&bytes[start.unwrap()..]).unwrap(), read);
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let (bytes, _) = make(INFO);
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length]).is_err(), "{length}");
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        let error = parse(&changed[..]).unwrap_err().to_string();
        assert!(error.contains("its data is not"), "{error}");
        let error = parse(&b"ADBd..."[..]).unwrap_err().to_string();
        assert!(error.contains("version 3"), "{error}");
        assert!(parse(&make("pkgname = ../a\npkgver = 1\narch = x\n").0[..]).is_err());
    }
}
