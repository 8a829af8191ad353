//! An answer, and what it means.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::blocking;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};

use super::error::{Error, Result};
use super::http::authority;
use super::retry::retry_after;
use super::unreachable::innermost;

/// An answer whose body has not been read.
#[derive(Debug)]
pub(crate) struct Response {
    pub(super) inner: blocking::Response,
    /// Whether another origin than the one asked gave this answer.
    pub foreign: bool,
    /// Whether racker could not say who asks.
    pub anonymous: bool,
    /// How long a small body may take.
    pub(super) patience: Duration,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    pub(crate) fn is_success(&self) -> bool {
        self.inner.status().is_success()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let values = HeaderMap::get_all(self.inner.headers(), name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect()
    }

    /// The length of the body, if it is told.
    pub(crate) fn length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// Where the answer points to: an upload's address.
    pub(crate) fn location(&self) -> Option<Url> {
        let location = self.header(LOCATION.as_str())?;
        self.inner.url().join(location).ok()
    }

    /// Where a list goes on. Source: RFC 8288, `rel="next"`.
    pub(crate) fn next_page(&self) -> Option<Url> {
        let link = self.header("link")?;
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.contains("rel=\"next\"") || parameters.contains("rel=next");
        self.inner.url().join(target).ok().filter(|_| is_next)
    }

    /// Host and port that gave this answer.
    pub(crate) fn host(&self) -> String {
        authority(self.inner.url())
    }

    /// Reads the body, which must not exceed `limit`, in a time that suits something small.
    pub(crate) fn body(self, what: &str, limit: u64) -> Result<Vec<u8>> {
        let end = Instant::now() + self.patience;
        let failed = |bytes: &[u8], reason: String| Error::Transfer {
            what: what.to_owned(),
            received: bytes.len() as u64,
            reason,
        };
        let promised = self.length();
        let mut reader = self.inner.take(limit + 1);
        let mut bytes = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(error) => return Err(failed(&bytes, innermost(&error))),
            }
            if Instant::now() > end {
                return Err(failed(&bytes, "it comes too slowly".to_owned()));
            }
        }
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge {
                what: what.to_owned(),
                limit,
            });
        }
        match promised {
            Some(promised) if promised > bytes.len() as u64 => {
                Err(failed(&bytes, "the connection was closed early".to_owned()))
            }
            _ => Ok(bytes),
        }
    }

    /// Itself, if the answer is a body or a part of one.
    pub(crate) fn expect(self, what: &str) -> Result<Self> {
        if matches!(self.status(), 200 | 206) {
            Ok(self)
        } else {
            Err(self.into_error(what))
        }
    }

    /// The error that this answer means.
    pub(crate) fn into_error(self, what: &str) -> Error {
        let (host, what) = (self.host(), what.to_owned());
        let after = self.header(RETRY_AFTER.as_str()).and_then(retry_after);
        match self.status() {
            401 | 403 => Error::Unauthorised {
                host,
                what,
                anonymous: self.anonymous,
                reason: self.reason(),
            },
            404 | 410 => Error::NotFound { host, what },
            429 => Error::RateLimited { host, after },
            status => Error::Status {
                url: what,
                status,
                reason: self.reason(),
            },
        }
    }

    /// The error that this answer to something that was sent means: 404 is about what that refers to.
    pub(crate) fn into_refusal(self, what: &str) -> Error {
        match self.status() {
            404 => Error::Status {
                url: what.to_owned(),
                status: 404,
                reason: self.reason(),
            },
            _ => self.into_error(what),
        }
    }

    /// What the body of an error answer says, by the registries' convention or as plain text.
    pub(crate) fn reason(self) -> String {
        let status = self.inner.status();
        let fallback = status.canonical_reason().unwrap_or("").to_lowercase();
        let Ok(body) = self.body("", 16 * 1024) else {
            return fallback;
        };
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = &document["errors"][0];
        let text = ["message", "code"]
            .iter()
            .find_map(|key| error[*key].as_str());
        let text = text.filter(|text| !text.is_empty()).unwrap_or(&fallback);
        text.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

impl Read for Response {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out)
    }
}
