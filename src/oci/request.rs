//! What is asked of a server.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt as _;

pub(crate) use reqwest::Method;
use reqwest::blocking;

use super::certificates::Certificates;
use super::watch::Watch;

/// Bytes of a body that need not be watched.
pub(super) const SMALL: u64 = 64 << 10;

/// Bytes of a file that is read into memory as a whole.
const AT_ONCE: u64 = 8 << 20;

/// One request, without what redirects make of it.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub method: Method,
    pub url: &'a str,
    pub headers: &'a [(&'static str, &'a str)],
    pub authorization: Option<&'a str>,
    pub body: Payload<'a>,
    /// Bytes that the server has to go through before it can answer, beside the body.
    pub work: u64,
    /// Take any certificate, and plain HTTP after a redirect.
    pub insecure: bool,
    /// Certificates for the origin that is asked, and for no other.
    pub certificates: Option<&'a Certificates>,
}

impl<'a> Request<'a> {
    /// A GET with nothing special to it.
    pub(crate) fn get(url: &'a str) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: &[],
            authorization: None,
            body: Payload::Nothing,
            work: 0,
            insecure: false,
            certificates: None,
        }
    }
}

/// What a request carries. It can be sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// What no other origin may see than the one that is asked.
    Secret(&'a [u8]),
    /// A whole file, from its beginning.
    File(&'a File, u64),
}

impl Payload<'_> {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Bytes(bytes) | Self::Secret(bytes) => bytes.len() as u64,
            Self::File(_, size) => *size,
        }
    }

    /// The library's form of it; a `watch` sees how it is read, if it is not small.
    pub(super) fn body(&self, watch: Option<&Watch>) -> io::Result<Option<blocking::Body>> {
        let size = self.size();
        Ok(match self {
            Self::Nothing => None,
            Self::Bytes(bytes) | Self::Secret(bytes) => match watch {
                Some(watch) if size > SMALL => {
                    let reader = Cursor::new(bytes.to_vec());
                    Some(blocking::Body::sized(watch.over(reader), size))
                }
                _ => Some(blocking::Body::from(bytes.to_vec())),
            },
            // Of bytes in memory the library tells why they could not be sent.
            Self::File(file, _) if watch.is_none() && size <= AT_ONCE => {
                let mut bytes = vec![0; size as usize];
                file.read_exact_at(&mut bytes, 0)?;
                Some(blocking::Body::from(bytes))
            }
            Self::File(file, _) => {
                let reader = FromStart {
                    file: file.try_clone()?,
                    offset: 0,
                };
                Some(match watch {
                    Some(watch) => blocking::Body::sized(watch.over(reader), size),
                    None => blocking::Body::sized(reader, size),
                })
            }
        })
    }
}

/// A file read by offset, whatever others do with its position.
struct FromStart {
    file: File,
    offset: u64,
}

impl Read for FromStart {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(out, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}
