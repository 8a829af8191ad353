//! A blob into a registry. Source: OCI distribution-spec, "Pushing blobs".
//!
//! ```text
//! POST uploads/ -> address     small: PUT address?digest=...            one request (monolithic)
//!                              large: PATCH address, PATCH ..., PUT     in pieces (chunked)
//! ```
//!
//! After a break in the middle the registry says how far it came, and the upload goes on there. A
//! registry that does not take pieces is sent the whole in one request.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::thread;

use reqwest::Url;

use super::error::{Error, Result};
use super::manifest::Blob;
use super::progress::Progress;
use super::registry::{Ask, Repository};
use super::request::{Method, Payload};
use super::response::Response;

/// Bytes of a piece, and the most that goes without pieces.
const PIECE: u64 = 8 << 20;
/// Bytes of a piece, however many a registry wants.
const PIECE_MAX: u64 = 64 << 20;
/// Pieces of one upload that may get it no further.
const STALLS: u32 = 5;
const BINARY: (&str, &str) = ("content-type", "application/octet-stream");

/// Whether the repository has the blob, or takes it over from `source`, another repository of the
/// same registry.
pub(crate) fn is_there(
    repository: &Repository<'_>,
    blob: &Blob,
    source: Option<&str>,
) -> Result<bool> {
    let what = blob.digest.to_string();
    let path = format!("blobs/{what}");
    let head = repository.ask(&Ask::new(Method::HEAD, &path, &what))?;
    if head.status() == 200 {
        return Ok(true);
    }
    if matches!(head.status(), 401 | 403) && !head.foreign {
        return Err(head.into_error(&what));
    }
    let Some(source) = source.filter(|source| *source != repository.repository()) else {
        return Ok(false);
    };
    let query = [("mount", what.as_str()), ("from", source)];
    let path = format!("blobs/uploads/?{}", encoded(&query)?);
    let mut ask = Ask::new(Method::POST, &path, &what);
    ask.body = Payload::Bytes(b"");
    // Whoever may not read the other repository, or a registry that cannot do it: not there.
    let Ok(answer) = repository.ask(&ask) else {
        return Ok(false);
    };
    if answer.status() == 202
        && let Some(address) = answer.location()
    {
        // It began an upload instead, which nobody goes on with.
        let _ = repository.ask(&Ask::new(Method::DELETE, address.as_str(), &what));
    }
    Ok(answer.status() == 201)
}

/// Uploads a blob that is in a file.
pub(crate) fn upload(
    repository: &Repository<'_>,
    blob: &Blob,
    file: &File,
    item: &str,
    progress: &dyn Progress,
) -> Result<()> {
    let mut upload = Upload {
        repository,
        blob,
        file,
        what: blob.digest.to_string(),
        whole: blob.size <= PIECE,
        piece: PIECE,
        told: 0,
        item,
        progress,
    };
    let retry = repository.client().retry();
    let mut failures = 0;
    loop {
        let error = match upload.attempt() {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !upload.whole && refuses_pieces(&error) {
            upload.whole = true;
            continue;
        }
        failures += 1;
        match retry.wait(failures).filter(|_| may_pass(&error)) {
            Some(wait) => thread::sleep(wait),
            None => return Err(error),
        }
    }
}

struct Upload<'a> {
    repository: &'a Repository<'a>,
    blob: &'a Blob,
    file: &'a File,
    what: String,
    /// Whether it goes in one request.
    whole: bool,
    /// Bytes of a piece here.
    piece: u64,
    /// Bytes that the progress knows of.
    told: u64,
    item: &'a str,
    progress: &'a dyn Progress,
}

impl Upload<'_> {
    fn attempt(&mut self) -> Result<()> {
        let mut ask = Ask::new(Method::POST, "blobs/uploads/", &self.what);
        ask.body = Payload::Bytes(b"");
        let begun = self.repository.ask(&ask)?;
        let least = begun
            .header("oci-chunk-min-length")
            .and_then(|it| it.parse().ok());
        self.piece = PIECE.max(least.unwrap_or(0)).min(PIECE_MAX);
        let mut address = self.address(begun, 202)?;
        let mut body = Payload::File(self.file, self.blob.size);
        if !self.whole {
            let (mut offset, mut stalls) = (0, 0);
            while offset < self.blob.size {
                let (next, end) = self.piece(address, offset)?;
                stalls += u32::from(end <= offset);
                if stalls > STALLS {
                    return Err(self.failed(end, "the registry takes nothing"));
                }
                (address, offset) = (next, end);
                self.tell(offset);
            }
            body = Payload::Bytes(b"");
        }
        let digest = self.what.clone();
        address.query_pairs_mut().append_pair("digest", &digest);
        let ask = Ask {
            headers: &[BINARY],
            body,
            once: true,
            ..Ask::new(Method::PUT, address.as_str(), &self.what)
        };
        let answer = self.repository.ask(&ask)?;
        if answer.status() != 201 {
            return Err(answer.into_error(&self.what));
        }
        self.tell(self.blob.size);
        Ok(())
    }

    /// Sends one piece; gives where the next one goes, and what it begins with.
    fn piece(&self, address: Url, offset: u64) -> Result<(Url, u64)> {
        let length = self.piece.min(self.blob.size - offset);
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
                let end = received(&answer).unwrap_or(end);
                return Ok((self.address(answer, 202)?, self.believable(end)?));
            }
            Ok(answer) => answer.into_error(&self.what),
            Err(error) => error,
        };
        if !may_pass(&error) {
            return Err(error);
        }
        // How much of it arrived only the registry knows.
        let ask = Ask::new(Method::GET, address.as_str(), &self.what);
        let answer = self.repository.ask(&ask)?;
        match (answer.status(), received(&answer)) {
            (204, Some(end)) => Ok((self.address(answer, 204)?, self.believable(end)?)),
            _ => Err(error),
        }
    }

    fn believable(&self, end: u64) -> Result<u64> {
        if end <= self.blob.size {
            return Ok(end);
        }
        Err(self.failed(end, "the registry has more than was sent"))
    }

    fn failed(&self, received: u64, reason: &str) -> Error {
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

    fn tell(&mut self, offset: u64) {
        if offset > self.told {
            self.progress.advanced(self.item, offset - self.told);
            self.told = offset;
        }
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

fn encoded(pairs: &[(&str, &str)]) -> Result<String> {
    let url = Url::parse_with_params("query:", pairs).map_err(|error| Error::Url {
        url: "query:".into(),
        reason: error.to_string(),
    })?;
    Ok(url.query().unwrap_or_default().to_owned())
}

/// Whether an error says that the registry wants no pieces, or not these.
fn refuses_pieces(error: &Error) -> bool {
    matches!(
        error,
        Error::Status {
            status: 400..=499 | 501,
            ..
        } | Error::NotFound { .. }
    )
}

fn may_pass(error: &Error) -> bool {
    match error {
        Error::Status { status, .. } => super::retry::Retry::is_transient(*status),
        Error::Unreachable { reason, .. } => !super::http::about_certificates(reason),
        Error::RateLimited { .. } | Error::Transfer { .. } => true,
        _ => false,
    }
}
