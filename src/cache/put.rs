//! What a step led to, into a cache.

use std::path::PathBuf;

use racker_store::{Realisation, Store};

use super::claim::StepClaim;
use super::pack::{self, Body};
use super::place::Place;
use super::send::{Sender, is_spoilt};
use super::signed::{Signed, Verdict};
use super::step::{KIND, LAYER, OBJECTS, PACK, PARALLEL, tag};
use super::{Cache, SecretKey, Trouble, log, read_statement};
use crate::oci::{Artifact, Error, Progress, Result, each, is_there};

/// What is put.
#[derive(Debug, Clone)]
struct Outcome {
    claim: StepClaim,
    log: Option<PathBuf>,
    /// Whether it was made just now.
    made: bool,
}

impl Cache<'_> {
    /// Puts a step's result where results are put, unless somebody trusted did; says whether it did.
    /// Where it was `made`, nobody could use what is there: it is looked whether that is complete, and as
    /// it was put where it was of no use.
    pub fn put_step(
        &self,
        store: &Store,
        realisation: &Realisation,
        id: &str,
        made: bool,
        progress: &dyn Progress,
    ) -> bool {
        let (Some(parent), Some(layer)) = (realisation.parent, realisation.layer) else {
            return false;
        };
        let outcome = Outcome {
            claim: StepClaim {
                key: realisation.key,
                parent,
                tree: realisation.tree,
                layer,
            },
            log: realisation.log.as_deref().map(|id| store.log_path(id)),
            made,
        };
        let what = format!("step {id}");
        let put = self.with_target(&what, progress, |place, key| {
            self.put(store, place, key, &outcome, progress)
        });
        put == Some(true)
    }

    fn put(
        &self,
        store: &Store,
        place: &Place<'_>,
        key: &SecretKey,
        outcome: &Outcome,
        progress: &dyn Progress,
    ) -> Result<bool, Trouble> {
        let claim = outcome.claim;
        let tag = tag(claim.key);
        let useless = self.useless().contains(&(place.name.clone(), claim.key));
        let there = Artifact::get(&place.repository, &tag)?;
        let known = there.as_ref().and_then(|it| read_statement(place, it).ok());
        let mut signed = Signed::new(claim.text());
        // What somebody else wrote who came to the same.
        let mut kept = None;
        if let (Some(there), Some(known)) = (&there, known) {
            let trusted = known.verdict(&self.trusted) == Verdict::Trusted;
            let same = known.claim == signed.claim;
            if trusted && (!same || !outcome.made || !useless && is_whole(place, there)?) {
                return Ok(false);
            }
            if same {
                // Others came to the same: it is theirs and ours.
                signed = known;
                kept = log::part(there).filter(|_| !trusted).cloned();
            }
        }
        signed.sign(key);
        let mut anew = false;
        if let Some(there) = there.as_ref().filter(|_| useless) {
            anew = is_spoilt(place, there)?;
        }
        let stage = store
            .stage()
            .map_err(|error| Error::store("the cache", error))?;
        let sender = Sender {
            place,
            stage: &stage,
            progress,
            anew,
        };
        let mut artifact = send(store, &sender, claim, signed)?;
        let log = match (kept, &outcome.log) {
            (None, Some(path)) => log::send(&sender, path, claim.key, key)?,
            (kept, _) => kept,
        };
        artifact.parts.extend(log);
        artifact.put(&place.repository, &tag)?;
        Ok(true)
    }
}

/// Whether the registry has all parts of an artifact.
fn is_whole(place: &Place<'_>, artifact: &Artifact) -> Result<bool> {
    let parts = &artifact.parts;
    let there = each(parts.len(), PARALLEL, |index| {
        is_there(&place.repository, &parts[index].blob, None)
    })?;
    Ok(there.into_iter().all(|there| there))
}

/// Uploads what is not there yet; what the manifest is to name.
fn send(store: &Store, sender: &Sender<'_>, claim: StepClaim, signed: Signed) -> Result<Artifact> {
    let failed = |error| Error::store("the cache", error);
    let layer = store.layer(claim.layer).map_err(failed)?;
    let below = store.tree(claim.parent).map_err(failed)?;
    let bodies = pack::bodies(&layer, &below);
    let mut rest = &bodies[..];
    let packs: Vec<&[Body]> = pack::counts(&bodies)
        .into_iter()
        .map(|count| {
            let (pack, after) = rest.split_at(count);
            rest = after;
            pack
        })
        .collect();
    let text = zstd::bulk::compress(&layer.encode(), 3);
    let text = text.map_err(|error| Error::io("a layer", error))?;
    let layer = sender.part(LAYER, |out| {
        let written = out.write_all(&text);
        written.map_err(|error| Error::io("a layer", error))
    })?;
    let mut parts = vec![sender.statement(signed)?, layer];
    parts.extend(each(packs.len(), PARALLEL, |index| {
        let pack = packs[index];
        let mut part = sender.part(PACK, |out| pack::write(store, pack, out))?;
        let count = pack.len().to_string();
        part.annotations.insert(OBJECTS.to_owned(), count);
        Ok(part)
    })?);
    Ok(Artifact {
        kind: KIND.to_owned(),
        parts,
    })
}
