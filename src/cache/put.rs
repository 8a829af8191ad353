//! What a step led to, into a cache.

use std::collections::BTreeMap;

use racker_store::{Realisation, StageDir, Store};

use super::claim::StepClaim;
use super::pack::{self, Body};
use super::place::Place;
use super::signed::{Signed, Verdict};
use super::step::{KIND, LAYER, OBJECTS, PACK, PARALLEL, tag};
use super::{Cache, STATEMENT, SecretKey, Trouble, read_statement};
use crate::oci::{Artifact, Error, Part, Progress, Result, deposit, each, is_there};

impl Cache<'_> {
    /// Puts a step's result where results are put, unless somebody trusted did; says whether it did.
    /// Where it was `made`, nobody could use what is there: it is looked whether that is complete.
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
        let claim = StepClaim {
            key: realisation.key,
            parent,
            tree: realisation.tree,
            layer,
        };
        let what = format!("step {id}");
        let put = self.with_target(&what, progress, |place, key| {
            self.put(store, place, key, claim, made, progress)
        });
        put == Some(true)
    }

    fn put(
        &self,
        store: &Store,
        place: &Place<'_>,
        key: &SecretKey,
        claim: StepClaim,
        made: bool,
        progress: &dyn Progress,
    ) -> Result<bool, Trouble> {
        let tag = tag(claim.key);
        let mut signed = Signed::new(claim.text());
        if let Some(there) = Artifact::get(&place.repository, &tag)?
            && let Ok(known) = read_statement(place, &there)
        {
            let trusted = known.verdict(&self.trusted) == Verdict::Trusted;
            let same = known.claim == signed.claim;
            if trusted && (!same || !made || is_whole(place, &there)?) {
                return Ok(false);
            }
            if same {
                // Others came to the same: it is theirs and ours.
                signed = known;
            }
        }
        signed.sign(key);
        let stage = store
            .stage()
            .map_err(|error| Error::store("the cache", error))?;
        let artifact = send(store, place, &stage, claim, &signed, progress)?;
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
fn send(
    store: &Store,
    place: &Place<'_>,
    stage: &StageDir,
    claim: StepClaim,
    signed: &Signed,
    progress: &dyn Progress,
) -> Result<Artifact> {
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
    let part = |media_type: &str, blob| Part {
        media_type: media_type.to_owned(),
        blob,
        annotations: BTreeMap::new(),
    };
    let document = |media_type: &str, bytes: &[u8]| -> Result<Part> {
        let (blob, _) = deposit(
            &place.repository,
            Some(stage.path()),
            progress,
            media_type,
            |out| {
                out.write_all(bytes)
                    .map_err(|error| Error::io(media_type, error))
            },
        )?;
        Ok(part(media_type, blob))
    };
    let text = zstd::bulk::compress(&layer.encode(), 3);
    let text = text.map_err(|error| Error::io("a layer", error))?;
    let mut parts = vec![
        document(STATEMENT, signed.text().as_bytes())?,
        document(LAYER, &text)?,
    ];
    parts.extend(each(packs.len(), PARALLEL, |index| {
        let pack = packs[index];
        let (blob, _) = deposit(
            &place.repository,
            Some(stage.path()),
            progress,
            "a pack",
            |out| pack::write(store, pack, out),
        )?;
        let mut part = part(PACK, blob);
        let count = pack.len().to_string();
        part.annotations.insert(OBJECTS.to_owned(), count);
        Ok(part)
    })?);
    Ok(Artifact {
        kind: KIND.to_owned(),
        parts,
    })
}
