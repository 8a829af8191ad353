//! What a step wrote while it was made.
//!
//! It is for people and follows from nothing, so it is signed by itself, in an annotation of the part. A log
//! that is not as it should be is told, and done without.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use racker_store::StepKey;

use super::claim::LogClaim;
use super::place::Place;
use super::send::Sender;
use super::signed::{Signed, Verdict};
use super::{PublicKey, SecretKey, Trouble};
use crate::oci::{Artifact, Error, Part, Result, read_blob};

const LOG: &str = "application/vnd.racker.log.v1+zstd";
/// The claim about a log, with its signatures.
const STATEMENT: &str = "racker.statement";
/// Bytes of a log as it travels, and as it is. A longer one stays where it was written.
const PACKED_MAX: u64 = 16 << 20;
const LOG_MAX: u64 = 64 << 20;
const LEVEL: i32 = 3;

/// The log of an artifact, if it has one.
pub(super) fn part(artifact: &Artifact) -> Option<&Part> {
    artifact.all(LOG).next()
}

/// Uploads the log of a step, if there is one that can travel.
pub(super) fn send(
    sender: &Sender<'_>,
    path: &Path,
    step: StepKey,
    key: &SecretKey,
) -> Result<Option<Part>> {
    let failed = |error| Error::io(path.display(), error);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    if file.metadata().map_err(failed)?.len() > LOG_MAX {
        return Ok(None);
    }
    let mut part = sender.part(LOG, |out| {
        let copied = zstd::stream::copy_encode(file.take(LOG_MAX), out, LEVEL);
        copied.map_err(failed)
    })?;
    if part.blob.size > PACKED_MAX {
        return Ok(None);
    }
    let log = part.blob.digest;
    let mut signed = Signed::new(LogClaim { key: step, log }.text());
    signed.sign(key);
    let annotations = &mut part.annotations;
    annotations.insert(STATEMENT.to_owned(), signed.text());
    Ok(Some(part))
}

/// Fetches the log of a step, if the artifact has one.
pub(super) fn receive(
    place: &Place<'_>,
    artifact: &Artifact,
    step: StepKey,
    trusted: &[PublicKey],
) -> Result<Option<Vec<u8>>, Trouble> {
    let Some(part) = part(artifact) else {
        return Ok(None);
    };
    let log = part.blob.digest;
    let claim = LogClaim { key: step, log }.text();
    let signed = part.annotations.get(STATEMENT);
    let signed = signed.and_then(|text| Signed::parse(text.as_bytes()));
    if !signed.is_some_and(|it| it.claim == claim && it.verdict(trusted) == Verdict::Trusted) {
        return Err(Trouble::Wrong("nobody who is trusted signed it".into()));
    }
    let mut stream = place.repository.blob(&part.blob);
    let packed = read_blob(&mut stream, &part.blob, "the log", PACKED_MAX)?;
    let mut text = Vec::new();
    let unpacked = zstd::Decoder::new(&*packed)
        .and_then(|decoder| decoder.take(LOG_MAX).read_to_end(&mut text));
    unpacked.map_err(|error| Trouble::Wrong(error.to_string()))?;
    Ok(Some(text))
}
