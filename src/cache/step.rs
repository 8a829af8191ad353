//! What a step led to, from a cache and into one.

use std::io::Read as _;
use std::time::Instant;

use racker_store::{Layer, LayerId, Realisation, StageDir, StepKey, Store, Tree, TreeId};

use super::claim::StepClaim;
use super::pack::{self, Body};
use super::place::Place;
use super::signed::{Signed, Verdict};
use super::{Cache, STATEMENT, SecretKey, Trouble, read_statement};
use crate::oci::{Artifact, Error, Part, Progress, Result, deposit, each, is_there, read_blob};

const KIND: &str = "application/vnd.racker.step.v1";
const LAYER: &str = "application/vnd.racker.layer.v1+zstd";
const PACK: &str = "application/vnd.racker.pack.v1+zstd";
/// How many bodies are in a pack.
const OBJECTS: &str = "racker.objects";

/// Bytes of a layer's manifest as it travels, and as it is.
const PACKED_MAX: u64 = 64 << 20;
const LAYER_MAX: u64 = 512 << 20;
/// Packs under way at once.
const PARALLEL: usize = 6;

/// A step whose result is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its key.
    pub key: StepKey,
    /// Its id, for messages.
    pub id: &'a str,
    /// The tree that it starts from, which the store has.
    pub parent: TreeId,
    /// The same.
    pub below: &'a Tree,
}

/// What a step led to elsewhere. The store has everything that is in the tree.
#[derive(Debug)]
pub struct Found {
    /// The tree.
    pub tree: Tree,
    /// The cache's name.
    pub place: String,
    /// How long it took to get it.
    pub milliseconds: u64,
}

/// The tag of a step's artifact.
fn tag(key: StepKey) -> String {
    format!("step-{key}")
}

impl Cache<'_> {
    /// Looks for a step's result.
    pub fn step(
        &self,
        store: &Store,
        wanted: Wanted<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Found>> {
        let start = Instant::now();
        let what = format!("step {}", wanted.id);
        let found = self.first(&what, progress, |place| {
            self.fetch(store, place, wanted, progress)
        })?;
        Ok(found.map(|(tree, place)| Found {
            tree,
            place: place.to_owned(),
            milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        }))
    }

    fn fetch(
        &self,
        store: &Store,
        place: &Place<'_>,
        wanted: Wanted<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Tree>, Trouble> {
        let Some(artifact) = Artifact::get(&place.repository, &tag(wanted.key))? else {
            return Ok(None);
        };
        let signed = self.statement(place, &artifact)?;
        let claim = StepClaim::parse(&signed.claim)
            .filter(|claim| claim.key == wanted.key && claim.parent == wanted.parent);
        let Some(claim) = claim else {
            return Err(Trouble::Wrong(
                "its statement is about something else".into(),
            ));
        };
        let layer = layer(place, &artifact, claim)?;
        let applied = layer.apply(wanted.below);
        let tree = applied.map_err(|error| Trouble::Wrong(error.to_string()))?;
        let bodies = pack::bodies(&layer, wanted.below);
        receive(store, place, &artifact, &bodies, wanted.id, progress)?;
        Ok(Some(tree))
    }

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

/// The layer that the claim names.
fn layer(place: &Place<'_>, artifact: &Artifact, claim: StepClaim) -> Result<Layer, Trouble> {
    let wrong = |reason: &str| Trouble::Wrong(reason.to_owned());
    let part = artifact.all(LAYER).next();
    let part = part.ok_or_else(|| wrong("it has no layer"))?;
    let mut stream = place.repository.blob(&part.blob);
    let packed = read_blob(&mut stream, &part.blob, "the layer", PACKED_MAX)?;
    let mut text = Vec::new();
    let unpacked = zstd::Decoder::new(&*packed)
        .and_then(|decoder| decoder.take(LAYER_MAX).read_to_end(&mut text));
    unpacked.map_err(|error| Trouble::Wrong(format!("its layer: {error}")))?;
    if blake3::hash(&text).as_bytes() != LayerId::as_bytes(&claim.layer) {
        return Err(wrong("its layer is another than the one that was signed"));
    }
    let layer = Layer::decode(&text).map_err(|error| Trouble::Wrong(error.to_string()))?;
    if layer.base == claim.parent && layer.result == claim.tree {
        Ok(layer)
    } else {
        Err(wrong("its layer is between other trees"))
    }
}

/// Has the bodies in the store, fetching the packs that hold one which is not there.
fn receive(
    store: &Store,
    place: &Place<'_>,
    artifact: &Artifact,
    bodies: &[Body],
    item: &str,
    progress: &dyn Progress,
) -> Result<(), Trouble> {
    let failed = |error| Error::store("the cache", error);
    let mut marked = Vec::with_capacity(bodies.len());
    for body in bodies {
        let there = store.keep_object(body.0, body.1).map_err(failed)?;
        marked.push((*body, !there));
    }
    let mut rest = &marked[..];
    let mut packs = Vec::new();
    for part in artifact.all(PACK) {
        let count = part.annotations.get(OBJECTS);
        let count: Option<usize> = count.and_then(|count| count.parse().ok());
        let count = count.filter(|count| *count <= rest.len());
        let Some((pack, after)) = count.map(|count| rest.split_at(count)) else {
            return Err(Trouble::Wrong(
                "its packs are others than its layer needs".into(),
            ));
        };
        rest = after;
        if pack.iter().any(|(_, missing)| *missing) {
            packs.push((part.blob, pack));
        }
    }
    if !rest.is_empty() {
        return Err(Trouble::Wrong("it lacks files of its layer".into()));
    }
    let total = packs.iter().map(|(blob, _)| blob.size).sum();
    progress.started(item, Some(total));
    let done = each(packs.len(), PARALLEL, |index| {
        let (blob, pack) = &packs[index];
        let what = format!("pack {}", blob.digest);
        let mut stream = place.repository.blob(blob);
        pack::read(store, pack, &mut stream, &what)?;
        progress.advanced(item, blob.size);
        Ok(())
    });
    progress.finished(item);
    Ok(done.map(drop)?)
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
        annotations: std::collections::BTreeMap::new(),
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
