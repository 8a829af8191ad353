//! The names of millions of objects.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest_hash::BuildDigestHasher;
use crate::id::ObjectId;

/// A set of objects that several threads fill at once: one part for each first byte of a name, as
/// the directories of `objects/` are.
///
/// Of a name it keeps the first nine bytes, so that a million of them stay near the processor. Two
/// objects that have those in common are needed both if one is: what is needed is never missing.
#[derive(Debug)]
pub(super) struct Objects {
    parts: Vec<Mutex<Part>>,
}

#[derive(Debug, Default)]
struct Part {
    names: HashSet<u64, BuildDigestHasher>,
    /// What the objects take on the disk.
    bytes: u64,
}

impl Default for Objects {
    fn default() -> Self {
        let parts = (0..256).map(|_| Mutex::default()).collect();
        Self { parts }
    }
}

impl Objects {
    fn part(&self, place: usize) -> MutexGuard<'_, Part> {
        let part = self.parts[place].lock();
        part.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contains(&self, id: ObjectId) -> bool {
        let (place, name) = name(id);
        self.part(place).names.contains(&name)
    }

    /// A way in for one thread.
    pub(super) fn inlet(&self) -> Inlet<'_> {
        Inlet {
            objects: self,
            waiting: vec![Vec::new(); self.parts.len()],
        }
    }

    /// What all of them take on the disk.
    pub(super) fn bytes(&mut self) -> u64 {
        self.parts.iter_mut().map(|part| inner(part).bytes).sum()
    }

    /// Takes in all of another set.
    pub(super) fn extend(&mut self, other: Self) {
        for (part, mut other) in self.parts.iter_mut().zip(other.parts) {
            let (part, other) = (inner(part), inner(&mut other));
            part.bytes += other.bytes;
            if part.names.is_empty() {
                std::mem::swap(&mut part.names, &mut other.names);
            } else {
                part.names.extend(&other.names);
            }
        }
    }
}

/// Where an object belongs, and what it is called there.
fn name(id: ObjectId) -> (usize, u64) {
    let [part, name @ ..] = *id.as_bytes();
    let name = name.first_chunk().copied().unwrap_or_default();
    (usize::from(part), u64::from_le_bytes(name))
}

/// Objects on their way into a set, gathered so that thousands go into a part while the processor
/// has that at hand. Those that still wait go in when it is dropped.
pub(super) struct Inlet<'a> {
    objects: &'a Objects,
    waiting: Vec<Vec<(u64, u64)>>,
}

impl Inlet<'_> {
    /// Takes in an object of so many bytes; those count once.
    pub(super) fn insert(&mut self, id: ObjectId, size: u64) {
        const MANY: usize = 4096;
        let (place, name) = name(id);
        let waiting = &mut self.waiting[place];
        waiting.push((name, size));
        if waiting.len() == MANY {
            self.settle(place);
        }
    }

    fn settle(&mut self, place: usize) {
        let mut part = self.objects.part(place);
        for (name, size) in self.waiting[place].drain(..) {
            if part.names.insert(name) {
                part.bytes += size.next_multiple_of(4096);
            }
        }
    }
}

impl Drop for Inlet<'_> {
    fn drop(&mut self) {
        for place in 0..self.waiting.len() {
            self.settle(place);
        }
    }
}

fn inner(part: &mut Mutex<Part>) -> &mut Part {
    part.get_mut().unwrap_or_else(PoisonError::into_inner)
}
