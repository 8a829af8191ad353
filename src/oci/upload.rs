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
use std::io;
use std::path::Path;
use std::thread;

use reqwest::Url;

use super::ahead::Ahead;
use super::error::{Error, Result};
use super::manifest::Blob;
use super::pieces::{BINARY, PIECE, Pieces, may_pass};
use super::progress::Progress;
use super::registry::{Ask, Repository};
use super::request::{Method, Payload};

/// Pieces of one upload that may get it no further.
const STALLS: u32 = 5;

/// Whether the repository has the blob, or takes it over from `source`, another repository of the
/// same registry.
pub(crate) fn is_there(
    repository: &Repository<'_>,
    blob: &Blob,
    source: Option<&str>,
) -> Result<bool> {
    let what = named(repository, blob);
    let digest = blob.digest.to_string();
    let path = format!("blobs/{digest}");
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
    let query = [("mount", digest.as_str()), ("from", source)];
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

/// What errors call a blob.
fn named(repository: &Repository<'_>, blob: &Blob) -> String {
    format!("{}@{}", repository.repository(), blob.digest)
}

/// A file without a name for a blob whose digest is not known yet: in `stage`, or in the system's
/// directory for temporary files.
pub(crate) fn unnamed(stage: Option<&Path>) -> io::Result<File> {
    match stage {
        Some(stage) => tempfile::tempfile_in(stage),
        None => tempfile::tempfile(),
    }
}

/// Uploads a blob that is in a file, the rest of it where some went [ahead](super::ahead).
pub(crate) fn upload(
    repository: &Repository<'_>,
    blob: &Blob,
    file: &File,
    ahead: Option<Ahead>,
    item: &str,
    progress: &dyn Progress,
) -> Result<()> {
    let mut upload = Upload {
        pieces: Pieces {
            repository,
            file,
            what: named(repository, blob),
        },
        blob,
        whole: ahead.is_none() && blob.size <= PIECE,
        // The progress knows of it.
        told: ahead.as_ref().map_or(0, |it| it.offset),
        ahead,
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
    pieces: Pieces<'a>,
    blob: &'a Blob,
    /// What went out already.
    ahead: Option<Ahead>,
    /// Whether it goes in one request.
    whole: bool,
    /// Bytes that the progress knows of.
    told: u64,
    item: &'a str,
    progress: &'a dyn Progress,
}

impl Upload<'_> {
    fn attempt(&mut self) -> Result<()> {
        let Ahead {
            mut address,
            mut offset,
            piece,
        } = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.pieces.begin()?,
        };
        let mut body = Payload::File(self.pieces.file, self.blob.size);
        if !self.whole {
            let mut stalls = 0;
            self.tell(offset);
            while offset < self.blob.size {
                let length = piece.min(self.blob.size - offset);
                let (next, end) = self.pieces.send(address, offset, length)?;
                stalls += u32::from(end <= offset);
                if stalls > STALLS {
                    return Err(self.pieces.failed(end, "the registry takes nothing"));
                }
                (address, offset) = (next, end);
                self.tell(offset);
            }
            body = Payload::Bytes(b"");
        }
        let digest = self.blob.digest.to_string();
        address.query_pairs_mut().append_pair("digest", &digest);
        let ask = Ask {
            headers: &[BINARY],
            body,
            work: self.blob.size,
            once: true,
            ..Ask::new(Method::PUT, address.as_str(), &self.pieces.what)
        };
        let answer = self.pieces.repository.ask(&ask)?;
        if !answer.is_success() {
            return Err(answer.into_error(&self.pieces.what));
        }
        self.tell(self.blob.size);
        Ok(())
    }

    fn tell(&mut self, offset: u64) {
        if offset > self.told {
            self.progress.advanced(self.item, offset - self.told);
            self.told = offset;
        }
    }
}

fn encoded(pairs: &[(&str, &str)]) -> Result<String> {
    let url = Url::parse_with_params("query:", pairs).map_err(|error| Error::Url {
        url: "query:".into(),
        reason: error.to_string(),
    })?;
    Ok(url.query().unwrap_or_default().to_owned())
}

/// Whether an error says that the registry wants no pieces, or not these. One that finds a piece too large (413)
/// does not take the whole.
fn refuses_pieces(error: &Error) -> bool {
    matches!(
        error,
        Error::Status {
            status: 400..=412 | 414..=499 | 501,
            ..
        } | Error::NotFound { .. }
    )
}
