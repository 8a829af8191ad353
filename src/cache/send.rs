//! The parts of an artifact on their way to a cache.
//!
//! A registry asks for no bytes of a blob that it has, and does not notice that its disk spoilt them. So what
//! is to take the place of such a one must have another digest: a frame that decoders skip goes before it.
//! Source: RFC 8878, 3.1.2.

use std::collections::BTreeMap;
use std::io::{self, Write};

use aws_lc_rs::rand;
use racker_store::StageDir;

use super::STATEMENT;
use super::place::Place;
use super::signed::Signed;
use crate::oci::outgoing::Hashing;
use crate::oci::{Artifact, Error, Part, Progress, Result, deposit, each, stream};

/// What such a frame begins with, and how many bytes are in it.
const SKIPPED: [u8; 8] = [0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0];
/// Parts that are read at once.
const PARALLEL: usize = 6;

/// Uploads parts, unless they are there.
pub(super) struct Sender<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) stage: &'a StageDir,
    pub(super) progress: &'a dyn Progress,
    /// Whether each is to be another than it was ever before.
    pub(super) anew: bool,
}

impl Sender<'_> {
    /// Uploads what `write` writes, which is packed by zstd.
    pub(super) fn part(
        &self,
        media_type: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<Part> {
        self.send(media_type, |out| {
            if self.anew {
                let frame = [SKIPPED, salt()?].concat();
                let written = out.write_all(&frame);
                written.map_err(|error| Error::io(media_type, error))?;
            }
            write(out)
        })
    }

    /// Uploads a statement.
    pub(super) fn statement(&self, mut signed: Signed) -> Result<Part> {
        if self.anew {
            signed.alter(salt()?);
        }
        self.send(STATEMENT, |out| {
            let written = out.write_all(signed.text().as_bytes());
            written.map_err(|error| Error::io(STATEMENT, error))
        })
    }

    fn send(
        &self,
        media_type: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<Part> {
        let stage = Some(self.stage.path());
        let (repository, progress) = (&self.place.repository, self.progress);
        let (blob, _) = deposit(repository, stage, progress, media_type, write)?;
        Ok(Part {
            media_type: media_type.to_owned(),
            blob,
            annotations: BTreeMap::new(),
        })
    }
}

/// Whether the registry gives other bytes for a part of an artifact than it was given. That it has none is
/// another thing.
pub(super) fn is_spoilt(place: &Place<'_>, artifact: &Artifact) -> Result<bool> {
    let parts = &artifact.parts;
    let spoilt = each(parts.len(), PARALLEL, |index| {
        let blob = &parts[index].blob;
        let mut bytes = Hashing::new(io::sink());
        let read = io::copy(&mut place.repository.blob(blob), &mut bytes);
        match read.map_err(|error| stream::error(&blob.digest.to_string(), error)) {
            Ok(_) => Ok(bytes.finish().0 != blob.digest),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) if super::is_lasting(&error) => Err(error),
            Err(_) => Ok(true),
        }
    })?;
    Ok(spoilt.into_iter().any(|spoilt| spoilt))
}

fn salt() -> Result<[u8; 8]> {
    let mut salt = [0; 8];
    let filled = rand::fill(&mut salt);
    filled.map_err(|_| Error::io("random bytes", io::ErrorKind::Other.into()))?;
    Ok(salt)
}
