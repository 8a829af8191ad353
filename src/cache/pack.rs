//! The bytes of files on their way: many small ones together, each large one alone.
//!
//! ```text
//! pack = zstd(body body body ...)
//! ```
//!
//! Which bodies there are, in which order, follows from a layer and the tree below it, which both
//! sides have: see [`bodies`]. So a pack needs no index; a manifest only says how many are in each.
//!
//! Small bodies come in the order of their paths, and where a pack ends is decided by what is in it:
//! two layers that are much alike have most packs in common, and a registry keeps those once.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use racker_store::{Change, Content, Layer, NodeRef, ObjectId, Store, Tree};

use crate::oci::{self, Error, Result};

/// The name and number of the bytes of a file.
pub(super) type Body = (ObjectId, u64);

/// From this many bytes on, bodies are not small.
const LARGE: u64 = 1 << 20;
/// A pack does not end before this many bytes.
const LEAST: u64 = 1 << 20;
/// A pack ends when it has this many bytes.
const MOST: u64 = 7 << 20;
/// After one body of so many, a pack ends.
const ONE_IN: u8 = 128;
/// Packs of one layer.
pub(super) const PACKS: usize = 3000;
const LEVEL: i32 = 3;
/// Packs of up to so many bytes are held in memory.
const WHOLE: u64 = 9 << 20;

/// The bodies that a layer needs and the tree below it does not have, each once: the small ones in the
/// order of the layer, then the large ones likewise.
pub(super) fn bodies(layer: &Layer, below: &Tree) -> Vec<Body> {
    let body = |content: &Content| match content {
        Content::File {
            object: Some(object),
            size,
        } => Some((*object, *size)),
        _ => None,
    };
    let mut known: HashSet<Body> = below
        .entries()
        .filter_map(|(_, node)| match node {
            NodeRef::Inode(_, inode) => body(&inode.content),
            NodeRef::Directory(_) => None,
        })
        .collect();
    let all = layer.changes.iter().filter_map(|(_, change)| match change {
        Change::Inode(inode) => body(&inode.content),
        _ => None,
    });
    let new: Vec<Body> = all.filter(|body| known.insert(*body)).collect();
    let (small, large): (Vec<_>, Vec<_>) = new.into_iter().partition(|(_, size)| *size < LARGE);
    [small, large].concat()
}

/// How many of the bodies go into each pack.
pub(super) fn counts(bodies: &[Body]) -> Vec<usize> {
    let mut counts = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for (place, (id, size)) in bodies.iter().enumerate() {
        count += 1;
        bytes += size;
        let next = bodies.get(place + 1);
        let ends = next.is_none_or(|(_, next)| *next >= LARGE)
            || bytes >= MOST
            || (bytes >= LEAST && id.as_bytes()[0] % ONE_IN == 0);
        if ends {
            counts.push(count);
            (count, bytes) = (0, 0);
        }
    }
    let together = counts.len().div_ceil(PACKS).max(1);
    let groups = counts.chunks(together);
    groups.map(|group| group.iter().sum()).collect()
}

/// Writes a pack of these bodies.
pub(super) fn write(store: &Store, bodies: &[Body], out: &mut dyn Write) -> Result<()> {
    let failed = |error| Error::io("a pack", error);
    let mut encoder = zstd::Encoder::new(out, LEVEL).map_err(failed)?;
    for (id, size) in bodies {
        let object = store.open_object(*id);
        let object = object.map_err(|error| Error::store(id, error))?;
        let copied = io::copy(&mut object.take(*size), &mut encoder).map_err(failed)?;
        if copied != *size {
            return Err(Error::refused(id, "the object is cut off"));
        }
    }
    encoder.finish().map_err(failed)?;
    Ok(())
}

/// Reads packs and keeps those of their bodies that are missing; each is what its name says. What one
/// pack was read into, the next one is.
#[derive(Default)]
pub(super) struct Reader {
    packed: Vec<u8>,
    bodies: Vec<u8>,
    decoder: zstd::bulk::Decompressor<'static>,
}

impl Reader {
    /// Reads one pack; of each body, whether it is missing.
    pub(super) fn read(
        &mut self,
        store: &Store,
        bodies: &[(Body, bool)],
        pack: &mut dyn Read,
        what: &str,
    ) -> Result<()> {
        let bytes: u64 = bodies.iter().map(|((_, size), _)| size).sum();
        if bytes > WHOLE {
            return stream(store, bodies, pack, what);
        }
        let failed = |error| oci::stream::error(what, error);
        let refused = |reason: String| Error::refused(what, reason);
        self.packed.clear();
        // What is packed is hardly larger than what is in it.
        let limit = zstd::zstd_safe::compress_bound(bytes as usize) as u64;
        let mut pack = pack.take(limit + 1);
        pack.read_to_end(&mut self.packed).map_err(failed)?;
        self.bodies.clear();
        self.bodies.reserve(bytes as usize);
        let unpacked = (self.decoder).decompress_to_buffer(&self.packed, &mut self.bodies);
        let unpacked = unpacked.map_err(|error| refused(error.to_string()))? as u64;
        if unpacked != bytes {
            return Err(refused(format!(
                "there are {unpacked} bytes in it, not {bytes}"
            )));
        }
        let mut rest = &self.bodies[..];
        for ((id, size), missing) in bodies {
            let (body, after) = rest.split_at(*size as usize);
            rest = after;
            if *missing {
                let received = store.receive_bytes(*id, body);
                received.map_err(|error| not_received(what, error))?;
            }
        }
        Ok(())
    }
}

/// Reads a pack that is too large to be held in memory.
fn stream(store: &Store, bodies: &[(Body, bool)], pack: &mut dyn Read, what: &str) -> Result<()> {
    let failed = |error| oci::stream::error(what, error);
    let mut decoder = zstd::Decoder::new(pack).map_err(failed)?;
    for ((id, size), missing) in bodies {
        if *missing {
            let received = store.receive_object(*id, *size, &mut decoder);
            received.map_err(|error| not_received(what, error))?;
        } else {
            let mut body = (&mut decoder).take(*size);
            io::copy(&mut body, &mut io::sink()).map_err(failed)?;
        }
    }
    match decoder.read(&mut [0]).map_err(failed)? {
        0 => Ok(()),
        _ => Err(Error::refused(
            what,
            "there is more in it than there should be",
        )),
    }
}

/// Whether it is the store that failed, or what came.
fn not_received(what: &str, error: racker_store::Error) -> Error {
    match error {
        racker_store::Error::Input { source, .. } => oci::stream::error(what, source),
        racker_store::Error::Damaged { .. } => Error::refused(what, error),
        other => Error::store(what, other),
    }
}

#[cfg(test)]
mod tests {
    use racker_store::{Access, Inode, Metadata, diff};

    use super::*;

    fn body(number: u32, size: u64) -> Body {
        (ObjectId::of(&number.to_le_bytes()), size)
    }

    #[test]
    fn packs_of_like_layers_are_alike() {
        let one: Vec<Body> = (0..3000).map(|number| body(number, 20_000)).collect();
        let mut two = one.clone();
        two.splice(1000..1000, (5000..5020).map(|number| body(number, 20_000)));
        let packs = |bodies: &[Body]| -> HashSet<Vec<Body>> {
            let mut rest = bodies;
            let cut = |count: usize| {
                let (pack, after) = rest.split_at(count);
                rest = after;
                pack.to_vec()
            };
            counts(bodies).into_iter().map(cut).collect()
        };
        let (one, two) = (packs(&one), packs(&two));
        assert!(one.len() > 15, "{}", one.len());
        let new = two.difference(&one).count();
        assert!(new <= 4, "{new} of {}", two.len());
    }

    #[test]
    fn large_bodies_are_alone_and_every_body_is_somewhere() {
        let sizes = [10, LARGE - 1, 10, LARGE, LARGE, 9 * LARGE];
        let bodies: Vec<Body> = (0..).zip(sizes).map(|(n, size)| body(n, size)).collect();
        let counts_of = counts(&bodies);
        assert_eq!(counts_of.iter().sum::<usize>(), bodies.len());
        assert!(counts_of.ends_with(&[1, 1, 1]), "{counts_of:?}");
        assert_eq!(counts(&[]), Vec::<usize>::new());
        let many: Vec<Body> = (0..7000).map(|number| body(number, LARGE)).collect();
        let counts = counts(&many);
        assert!(counts.len() <= PACKS);
        assert_eq!(counts.iter().sum::<usize>(), many.len());
    }

    #[test]
    fn a_pack_gives_back_what_is_missing_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let open = |name: &str| Store::open(&directory.path().join(name), Access::ReadWrite);
        let (from, to) = (open("from").unwrap(), open("to").unwrap());
        let large = vec![7; 3 << 20];
        let texts: [&[u8]; 3] = [b"one", b"two", &large];
        let mut tree = Tree::default();
        for (name, text) in ["a", "b", "c"].iter().zip(texts) {
            let object = Some(from.put_bytes(text).unwrap());
            let size = text.len() as u64;
            let inode = Inode {
                metadata: Metadata::new(0o644),
                content: Content::File { object, size },
            };
            tree.insert(name.as_bytes(), inode).unwrap();
        }
        let bodies = bodies(&diff(&Tree::default(), &tree), &Tree::default());
        assert_eq!(bodies.len(), 3);
        assert!(super::bodies(&diff(&tree, &tree), &tree).is_empty());
        let mut pack = Vec::new();
        write(&from, &bodies, &mut pack).unwrap();
        let marked: Vec<_> = bodies.iter().map(|it| (*it, it != &bodies[1])).collect();
        Reader::default()
            .read(&to, &marked, &mut &*pack, "p")
            .unwrap();
        let there = bodies.iter().map(|(id, _)| to.has_object(*id));
        assert_eq!(there.collect::<Vec<_>>(), [true, false, true]);
        // Other bytes, fewer, more.
        let all: Vec<_> = bodies.iter().map(|it| (*it, true)).collect();
        let swapped: Vec<Body> = bodies.iter().rev().copied().collect();
        let mut other = Vec::new();
        write(&from, &swapped, &mut other).unwrap();
        let fresh = open("fresh").unwrap();
        let mut reader = Reader::default();
        for mut wrong in [&other[..], &pack[..pack.len() / 2], b"nothing", b""] {
            assert!(stream(&fresh, &all, &mut wrong.by_ref(), "p").is_err());
            assert!(reader.read(&fresh, &all, &mut wrong, "p").is_err());
        }
        assert!(reader.read(&fresh, &all[..2], &mut &*pack, "p").is_err());
        assert!(stream(&fresh, &all[..2], &mut &*pack, "p").is_err());
        stream(&fresh, &all, &mut &*pack, "p").unwrap();
        assert!(bodies.iter().all(|(id, _)| fresh.has_object(*id)));
        drop(fresh);
        assert!(open("fresh").unwrap().verify().unwrap().is_empty());
    }
}
