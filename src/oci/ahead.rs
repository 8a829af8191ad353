//! What of a blob goes out before its digest is known: packing and uploading at the same time.
//!
//! That is for a repository that does not exist yet. Any other may have the blob, which only its digest
//! tells, and nothing would have to be sent.

use std::fs::File;
use std::sync::mpsc::Receiver;

use reqwest::Url;

use super::error::Result;
use super::pieces::{PIECE, Pieces};
use super::progress::Progress;
use super::registry::{Ask, Repository};
use super::request::Method;

/// An upload that was begun.
pub(crate) struct Ahead {
    /// Where it goes on.
    pub(super) address: Url,
    /// Bytes that the registry has.
    pub(super) offset: u64,
    /// Bytes of a piece here.
    pub(super) piece: u64,
}

/// Whether there is nothing at all in the repository, since the registry does not know it.
pub(crate) fn is_new(repository: &Repository<'_>) -> bool {
    let ask = Ask::new(Method::GET, "tags/list?n=1", "tags");
    repository
        .ask(&ask)
        .is_ok_and(|answer| answer.status() == 404)
}

/// Sends what is in the file while it grows, if the repository is new; `lengths` gives its bytes so far.
/// None where that did not go well, or there was less than a piece: then it goes out as any other does.
pub(crate) fn ahead(
    repository: &Repository<'_>,
    file: &File,
    lengths: &Receiver<u64>,
    is_new: impl FnOnce() -> bool,
    item: &str,
    progress: &dyn Progress,
) -> Option<Ahead> {
    let first = lengths.iter().find(|length| *length >= PIECE)?;
    if !is_new() {
        return None;
    }
    let what = item.to_owned();
    let pieces = Pieces {
        repository,
        file,
        what,
    };
    let tell = |bytes| progress.advanced(item, bytes);
    growing(&pieces, first, lengths, &tell).ok()
}

fn growing(
    pieces: &Pieces<'_>,
    mut length: u64,
    lengths: &Receiver<u64>,
    tell: &dyn Fn(u64),
) -> Result<Ahead> {
    let mut ahead = pieces.begin()?;
    loop {
        while length - ahead.offset >= ahead.piece {
            let before = ahead.offset;
            (ahead.address, ahead.offset) = pieces.send(ahead.address, before, ahead.piece)?;
            if ahead.offset <= before {
                return Err(pieces.failed(before, "the registry takes nothing"));
            }
            tell(ahead.offset - before);
        }
        match lengths.recv() {
            Ok(more) => length = more,
            Err(_) => return Ok(ahead),
        }
    }
}
