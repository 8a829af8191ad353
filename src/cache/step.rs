//! What a step led to, from a cache.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use racker_store::{Layer, LayerId, StepKey, Store, Tree, TreeId};

use super::claim::StepClaim;
use super::pack::{self, Body, Reader};
use super::place::Place;
use super::{Cache, Trouble, log};
use crate::oci::{Artifact, Error, Progress, Result, each, read_blob};

pub(super) const KIND: &str = "application/vnd.racker.step.v1";
pub(super) const LAYER: &str = "application/vnd.racker.layer.v1+zstd";
pub(super) const PACK: &str = "application/vnd.racker.pack.v1+zstd";
/// How many bodies are in a pack.
pub(super) const OBJECTS: &str = "racker.objects";

/// Bytes of a layer's manifest as it travels, and as it is.
const PACKED_MAX: u64 = 64 << 20;
const LAYER_MAX: u64 = 512 << 20;
/// Packs under way at once.
pub(super) const PARALLEL: usize = 6;

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

/// What a step is said to lead to.
#[derive(Debug, Clone)]
pub struct Peeked {
    /// The tree.
    pub tree: TreeId,
    /// The cache's name.
    pub place: String,
}

/// What a step led to elsewhere. The store has everything that is in the tree.
#[derive(Debug)]
pub struct Found {
    /// The tree.
    pub tree: Tree,
    /// What it wrote, where that is known.
    pub log: Option<Vec<u8>>,
    /// The cache's name.
    pub place: String,
    /// How long it took to get it.
    pub milliseconds: u64,
}

/// A tree, and what the step wrote, where that is known.
type Fetched = (Tree, Option<Vec<u8>>);

/// The tag of a step's artifact.
pub(super) fn tag(key: StepKey) -> String {
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
            let fetched = self.fetch(store, place, wanted, progress);
            if matches!(&fetched, Err(trouble) if trouble.is_particular()) {
                let useless = (place.name.clone(), wanted.key);
                self.useless().insert(useless);
            }
            fetched
        })?;
        Ok(found.map(|((tree, log), place)| Found {
            tree,
            log,
            place: place.to_owned(),
            milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        }))
    }

    /// What somebody trusted says that a step leads to. Nothing but that is fetched.
    pub fn peek(
        &self,
        key: StepKey,
        parent: TreeId,
        id: &str,
        progress: &dyn Progress,
    ) -> Result<Option<Peeked>> {
        let what = format!("step {id}");
        let found = self.first(&what, progress, |place| self.claim(place, key, parent))?;
        Ok(found.map(|((_, claim), place)| Peeked {
            tree: claim.tree,
            place: place.to_owned(),
        }))
    }

    /// A step's artifact, and what somebody trusted says of it.
    fn claim(
        &self,
        place: &Place<'_>,
        key: StepKey,
        parent: TreeId,
    ) -> Result<Option<(Artifact, StepClaim)>, Trouble> {
        let Some(artifact) = Artifact::get(&place.repository, &tag(key))? else {
            return Ok(None);
        };
        let signed = self.statement(place, &artifact)?;
        let claim = StepClaim::parse(&signed.claim)
            .filter(|claim| claim.key == key && claim.parent == parent);
        match claim {
            Some(claim) => Ok(Some((artifact, claim))),
            None => Err(Trouble::Wrong(
                "its statement is about something else".into(),
            )),
        }
    }

    fn fetch(
        &self,
        store: &Store,
        place: &Place<'_>,
        wanted: Wanted<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Fetched>, Trouble> {
        let Some((artifact, claim)) = self.claim(place, wanted.key, wanted.parent)? else {
            return Ok(None);
        };
        let layer = layer(place, &artifact, claim)?;
        let applied = layer.apply(wanted.below);
        let tree = applied.map_err(|error| Trouble::Wrong(error.to_string()))?;
        let bodies = pack::bodies(&layer, wanted.below);
        let log = std::thread::scope(|scope| {
            let log = scope.spawn(|| log::receive(place, &artifact, wanted.key, &self.trusted));
            receive(store, place, &artifact, &bodies, wanted.id, progress)?;
            Ok::<_, Trouble>(
                log.join()
                    .unwrap_or_else(|it| std::panic::resume_unwind(it)),
            )
        })?;
        // The result is good without it.
        let log = log.unwrap_or_else(|trouble| {
            let what = format!("the log of step {}", wanted.id);
            self.tell(place, &what, trouble, progress);
            None
        });
        Ok(Some((tree, log)))
    }
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
    let readers: Mutex<Vec<Reader>> = Mutex::default();
    let lock = || readers.lock().unwrap_or_else(PoisonError::into_inner);
    let done = each(packs.len(), PARALLEL, |index| {
        let (blob, pack) = &packs[index];
        let what = format!("pack {}", blob.digest);
        let mut stream = place.repository.blob(blob);
        let mut reader = lock().pop().unwrap_or_default();
        reader.read(store, pack, &mut stream, &what)?;
        lock().push(reader);
        progress.advanced(item, blob.size);
        Ok(())
    });
    progress.finished(item);
    Ok(done.map(drop)?)
}
