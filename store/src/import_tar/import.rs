//! The loop over the entries.

use std::io::BufRead;

use super::header::BLOCK;
use super::pax::Pax;
use super::pool::Pool;
use super::record::{Record, padding, refuse};
use super::sparse::{Expanded, Map};
use super::tap::{Inline, Tap, cut_off};
use crate::changeset::Changeset;
use crate::error::{Error, Result};
use crate::id::{Digest, ObjectId};
use crate::object::SMALL;
use crate::path::{components, join, normal, split};
use crate::store::Store;
use crate::tree::{Content, Inode, InodeId};

/// Holes of a sparse file count this little against the limit on bytes, but they count.
const SPARSE_LIMIT: u64 = 64 << 30;

/// What an archive may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of the whole archive.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            bytes: 128 << 30,
        }
    }
}

/// An archive that was taken in.
#[derive(Debug, Clone)]
pub struct ImportedTar {
    /// What it says.
    pub changeset: Changeset,
    /// SHA-256 of all of its bytes.
    pub diff_id: Digest,
    /// Number of its bytes.
    pub size: u64,
}

impl Store {
    /// Takes in a tar archive. Its bodies become objects, the rest is kept so that
    /// [`Store::export_tar`] gives back the very same bytes.
    pub fn import_tar(&self, reader: impl BufRead, limits: &Limits) -> Result<ImportedTar> {
        let split = self.new_split()?;
        let (batches, queue) = Pool::queue();
        std::thread::scope(|scope| {
            let mut import = Import {
                store: self,
                tap: Tap::new(reader, split, limits.bytes),
                pool: Pool::start(scope, batches, &queue, self),
                changeset: Changeset::default(),
                bodies: Vec::new(),
                pending: Vec::new(),
            };
            import.run(limits)?;
            let Import {
                tap,
                pool,
                mut changeset,
                mut bodies,
                pending,
                ..
            } = import;
            let (split, diff_id, size) = tap.finish()?;
            for (number, id) in pool.finish()? {
                bodies[number] = Some(id);
            }
            for (inode, number) in pending {
                if let Content::File { object, .. } = &mut changeset.inode_mut(inode).content {
                    *object = bodies[number];
                }
            }
            let bodies: Vec<ObjectId> = bodies.into_iter().flatten().collect();
            split.finish(self, &diff_id, &bodies, &changeset, size)?;
            Ok(ImportedTar {
                changeset,
                diff_id,
                size,
            })
        })
    }
}

struct Import<'scope, R> {
    store: &'scope Store,
    tap: Tap<R>,
    pool: Pool<'scope>,
    changeset: Changeset,
    /// Objects of the bodies in the archive's order, as far as they are known.
    bodies: Vec<Option<ObjectId>>,
    /// Files that wait for the object of a body.
    pending: Vec<(InodeId, usize)>,
}

impl<R: BufRead> Import<'_, R> {
    fn run(&mut self, limits: &Limits) -> Result<()> {
        let mut global = Pax::default();
        let mut entries = 0;
        while let Some(record) = Record::next(&mut self.tap, &mut global)? {
            entries += 1;
            if entries > limits.entries {
                return Err(Error::Limit {
                    what: "entries of an archive",
                    limit: limits.entries,
                });
            }
            self.entry(&record).map_err(|error| match error {
                Error::Path { reason, .. } => refuse(&record.path, reason),
                error => error,
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, record: &Record) -> Result<()> {
        if self.mark(record)? {
            return self
                .tap
                .skip(record.size.saturating_add(padding(record.size)));
        }
        let kind = match record.header.kind() {
            b'0' | 0 | b'7' if record.path.ends_with(b"/") => b'5',
            0 | b'7' => b'0',
            kind => kind,
        };
        if matches!(kind, b'0' | b'S') {
            return self.file(record, kind);
        }
        let device = || {
            record
                .header
                .device()
                .map_err(|reason| refuse(&record.path, reason))
        };
        let content = match kind {
            b'1' | b'5' | b'D' => None,
            b'2' => Some(Content::Symlink(record.link.as_slice().into())),
            b'3' => {
                let (major, minor) = device()?;
                Some(Content::CharDevice { major, minor })
            }
            b'4' => {
                let (major, minor) = device()?;
                Some(Content::BlockDevice { major, minor })
            }
            b'6' => Some(Content::Fifo),
            b'V' => {
                return self
                    .tap
                    .skip(record.size.saturating_add(padding(record.size)));
            }
            _ => return Err(refuse(&record.path, "the kind of entry is unknown")),
        };
        match content {
            Some(content) => {
                self.changeset.file(
                    &record.path,
                    Inode {
                        metadata: record.metadata()?,
                        content,
                    },
                )?;
            }
            None if kind == b'1' => self.changeset.link(&record.path, &record.link)?,
            None => self.changeset.directory(&record.path, record.metadata()?)?,
        }
        self.tap
            .skip(record.size.saturating_add(padding(record.size)))
    }

    /// Whiteouts and other names that begin with `.wh.`; false if the entry is none of them.
    fn mark(&mut self, record: &Record) -> Result<bool> {
        let mut names = components(&record.path).rev();
        let Some(last) = names.next() else {
            return Ok(false);
        };
        if components(&record.path)
            .any(|name| name.starts_with(b".wh..wh.") && name != b".wh..wh..opq")
        {
            return Ok(true);
        }
        if names.any(|name| name.starts_with(b".wh.")) {
            return Err(Error::path(&record.path, "lies below a whiteout"));
        }
        let Some(hidden) = last.strip_prefix(b".wh.") else {
            return Ok(false);
        };
        let path = normal(&record.path)?;
        let parent = split(&path).0;
        if hidden == b".wh..opq" {
            self.changeset.opaque(parent)?;
        } else if matches!(hidden, b"" | b"." | b"..") {
            return Err(Error::path(&record.path, "is a whiteout of nothing"));
        } else {
            self.changeset.whiteout(&join(parent, hidden))?;
        }
        Ok(true)
    }

    fn file(&mut self, record: &Record, kind: u8) -> Result<()> {
        let metadata = record.metadata()?;
        if let Some((map, leading)) = self.sparse_map(record, kind)? {
            let stored = record.size.saturating_sub(leading);
            if map.stored() > stored {
                return Err(refuse(
                    &record.path,
                    "a sparse map has more bytes than the entry",
                ));
            }
            if map.size > SPARSE_LIMIT {
                return Err(Error::Limit {
                    what: "size of a sparse file",
                    limit: SPARSE_LIMIT,
                });
            }
            let mut inline = Inline {
                tap: &mut self.tap,
                left: stored,
            };
            let content = if map.size == 0 {
                Content::EMPTY
            } else {
                let (object, size) = self.store.put_object(Expanded::new(map, &mut inline))?;
                Content::File {
                    object: Some(object),
                    size,
                }
            };
            let left = inline.left;
            self.tap.skip(left + padding(record.size))?;
            self.changeset
                .file(&record.path, Inode { metadata, content })?;
            return Ok(());
        }
        let size = record.size;
        let id = self.changeset.file(
            &record.path,
            Inode {
                metadata,
                content: Content::File { object: None, size },
            },
        )?;
        if size > 0 {
            self.tap.note_body(size)?;
            self.pending.push((id, self.bodies.len()));
            if size <= SMALL as u64 {
                self.small(size as usize)?;
            } else {
                self.large(size)?;
            }
        }
        self.tap.skip(padding(size))
    }

    fn small(&mut self, size: usize) -> Result<()> {
        let tap = &mut self.tap;
        self.pool.put(self.bodies.len(), size, |body| {
            let end = body.len() + size;
            while body.len() < end {
                let bytes = tap.body(end - body.len())?;
                if bytes.is_empty() {
                    return Err(cut_off());
                }
                body.extend_from_slice(bytes);
            }
            Ok(())
        })?;
        self.bodies.push(None);
        Ok(())
    }

    fn large(&mut self, size: u64) -> Result<()> {
        let mut new = self.store.new_object()?;
        let mut left = size;
        while left > 0 {
            let bytes = self.tap.body(usize::try_from(left).unwrap_or(usize::MAX))?;
            if bytes.is_empty() {
                return Err(cut_off());
            }
            new.write(bytes)?;
            left -= bytes.len() as u64;
        }
        self.bodies.push(Some(new.finish()?.0));
        Ok(())
    }

    /// The map of a file with holes, and how many bytes before the body it took.
    fn sparse_map(&mut self, record: &Record, kind: u8) -> Result<Option<(Map, u64)>> {
        let fail = |reason| refuse(&record.path, reason);
        let tap = &mut self.tap;
        let mut next = || {
            let mut block = [0; BLOCK];
            match tap.inline_exact(&mut block) {
                Ok(BLOCK) => Ok(block),
                _ => Err("the archive is cut off in a sparse map"),
            }
        };
        if kind == b'S' {
            // The blocks behind the header are not part of the entry's size.
            return Ok(Some((Map::gnu(&record.header, next).map_err(fail)?, 0)));
        }
        if record.pax.get("GNU.sparse.major") == Some(b"1") {
            let size = record.pax.number("GNU.sparse.realsize").map_err(fail)?;
            let size = size.ok_or_else(|| fail("a sparse file has no size"))?;
            return Map::leading(size, &mut next).map(Some).map_err(fail);
        }
        Ok(Map::pax(&record.pax).map_err(fail)?.map(|map| (map, 0)))
    }
}
