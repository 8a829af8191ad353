//! A blob in pieces. Source: OCI distribution-spec, "Pushing a blob in chunks".

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use reqwest::Url;

use super::ahead::Ahead;
use super::error::{Error, Result};
use super::registry::{Ask, Repository};
use super::request::{Method, Payload};
use super::response::Response;

/// Bytes of a piece, and the most that goes without pieces.
pub(super) const PIECE: u64 = 8 << 20;
/// Bytes of a piece, however many a registry wants.
const PIECE_MAX: u64 = 64 << 20;
pub(super) const BINARY: (&str, &str) = ("content-type", "application/octet-stream");

/// Where pieces come from and go to.
pub(super) struct Pieces<'a> {
    pub(super) repository: &'a Repository<'a>,
    pub(super) file: &'a File,
    /// What errors call it.
    pub(super) what: String,
}

impl Pieces<'_> {
    /// Begins an upload, of which nothing went out so far.
    pub(super) fn begin(&self) -> Result<Ahead> {
        let mut ask = Ask::new(Method::POST, "blobs/uploads/", &self.what);
        ask.body = Payload::Bytes(b"");
        let begun = self.repository.ask(&ask)?;
        let least = begun
            .header("oci-chunk-min-length")
            .and_then(|it| it.parse().ok());
        Ok(Ahead {
            piece: PIECE.max(least.unwrap_or(0)).min(PIECE_MAX),
            address: self.address(begun, 202)?,
            offset: 0,
        })
    }

    /// Sends one piece; gives where the next one goes, and what it begins with.
    pub(super) fn send(&self, address: Url, offset: u64, length: u64) -> Result<(Url, u64)> {
        let mut bytes = vec![0; length as usize];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| Error::io(&self.what, error))?;
        let end = offset + length;
        let range = format!("{offset}-{}", end - 1);
        let ask = Ask {
            headers: &[BINARY, ("content-range", &range)],
            body: Payload::Bytes(&bytes),
            once: true,
            ..Ask::new(Method::PATCH, address.as_str(), &self.what)
        };
        let error = match self.repository.ask(&ask) {
            Ok(answer) if answer.status() == 202 => {
                // One that says nothing has taken all of it.
                let received = received(&answer).unwrap_or(end);
                return Ok((self.address(answer, 202)?, self.believable(received, end)?));
            }
            Ok(answer) => answer.into_error(&self.what),
            Err(error) => error,
        };
        if !may_pass(&error) || self.repository.client().retry().is_single() {
            return Err(error);
        }
        // How much of it arrived only the registry knows.
        let ask = Ask::new(Method::GET, address.as_str(), &self.what);
        let answer = self.repository.ask(&ask)?;
        match (answer.status(), received(&answer)) {
            (204, Some(received)) => {
                Ok((self.address(answer, 204)?, self.believable(received, end)?))
            }
            _ => Err(error),
        }
    }

    fn believable(&self, received: u64, sent: u64) -> Result<u64> {
        if received <= sent {
            return Ok(received);
        }
        Err(self.failed(received, "the registry has more than was sent"))
    }

    pub(super) fn failed(&self, received: u64, reason: &str) -> Error {
        Error::Transfer {
            what: self.what.clone(),
            received,
            reason: reason.to_owned(),
        }
    }

    /// Where an upload goes on.
    fn address(&self, answer: Response, status: u16) -> Result<Url> {
        if answer.status() != status {
            return Err(answer.into_error(&self.what));
        }
        answer.location().ok_or_else(|| Error::Status {
            url: self.what.clone(),
            status,
            reason: "it does not say where the upload goes on".into(),
        })
    }
}

/// Bytes that the registry has, from `Range: 0-END`.
fn received(answer: &Response) -> Option<u64> {
    let range = answer.header("range")?;
    let (start, end) = range.trim_start_matches("bytes=").split_once('-')?;
    let end: u64 = end.parse().ok()?;
    // Nothing at all is `0-0` by convention, which cannot be told from one byte.
    (start == "0").then(|| if end == 0 { 0 } else { end.saturating_add(1) })
}

/// Whether it may go well the next time.
pub(super) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Status { status, .. } => super::retry::Retry::is_transient(*status),
        Error::Unreachable { reason, .. } => !super::unreachable::about_certificates(reason),
        Error::RateLimited { .. } | Error::Transfer { .. } => true,
        _ => false,
    }
}
