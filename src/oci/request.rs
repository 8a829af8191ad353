//! What is asked of a server.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

pub(crate) use reqwest::Method;
use reqwest::blocking;

use super::certificates::Certificates;

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

    /// The library's form of it.
    pub(crate) fn body(&self) -> io::Result<Option<blocking::Body>> {
        Ok(match self {
            Self::Nothing => None,
            Self::Bytes(bytes) | Self::Secret(bytes) => Some(blocking::Body::from(bytes.to_vec())),
            // Of bytes in memory the library tells why they could not be sent.
            Self::File(file, size) if *size <= AT_ONCE => {
                let mut bytes = vec![0; *size as usize];
                file.read_exact_at(&mut bytes, 0)?;
                Some(blocking::Body::from(bytes))
            }
            Self::File(file, size) => {
                let reader = FromStart {
                    file: file.try_clone()?,
                    offset: 0,
                };
                Some(blocking::Body::sized(reader, *size))
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
