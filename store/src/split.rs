//! Split streams: an archive as its headers and references to its bodies.
//!
//! ```text
//! layers/sha256-<diff id>.split
//!   frames, compressed with zstd:    u32 length, bytes   inline
//!                                    u64 size            then a body of this size, if not 0
//!   object ids of the bodies, 32 bytes each, in order
//!   the changeset as text, compressed with zstd
//!   trailer of 48 bytes: u64 bytes of frames, of ids, of the changeset; u64 size of the archive;
//!                        "racker-split 1\n" and a zero byte
//! ```
//!
//! Numbers are little-endian. The trailer stands at the end because the ids are known last, so
//! that writing needs no more memory than reading.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Take, Write};
use std::path::PathBuf;

use crate::changeset::Changeset;
use crate::error::{At as _, Error, Result};
use crate::id::{Digest, ObjectId};
use crate::object::object_name;
use crate::store::{Access, Store, place};

const MAGIC: &[u8; 16] = b"racker-split 1\n\0";
const TRAILER: usize = 48;
/// Inline bytes that are gathered into one frame.
const FRAME: usize = 64 << 10;

/// A split stream in the making.
pub(crate) struct SplitWriter {
    stage: PathBuf,
    frames: zstd::Encoder<'static, BufWriter<File>>,
    pending: Vec<u8>,
}

impl Drop for SplitWriter {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.stage);
    }
}

impl SplitWriter {
    /// Bytes that stand in the archive as they are.
    pub(crate) fn inline(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= FRAME {
            self.frame(0)
        } else {
            Ok(())
        }
    }

    /// A body, which stands in the archive at this place.
    pub(crate) fn body(&mut self, size: u64) -> Result<()> {
        self.frame(size)
    }

    fn frame(&mut self, size: u64) -> Result<()> {
        let mut write = || {
            self.frames
                .write_all(&(self.pending.len() as u32).to_le_bytes())?;
            self.frames.write_all(&self.pending)?;
            self.frames.write_all(&size.to_le_bytes())
        };
        write().at("write", &self.stage)?;
        self.pending.clear();
        Ok(())
    }

    /// Completes the stream and gives it its name.
    pub(crate) fn finish(
        mut self,
        store: &Store,
        diff_id: &Digest,
        bodies: &[ObjectId],
        changeset: &Changeset,
        size: u64,
    ) -> Result<()> {
        self.frame(0)?;
        let write = |this: &mut Self| {
            this.frames.do_finish()?;
            let file = this.frames.get_mut();
            let frames = file.stream_position()?;
            for body in bodies {
                file.write_all(body.as_bytes())?;
            }
            let changeset = zstd::bulk::compress(&changeset.encode(), 1)?;
            file.write_all(&changeset)?;
            for number in [
                frames,
                bodies.len() as u64 * 32,
                changeset.len() as u64,
                size,
            ] {
                file.write_all(&number.to_le_bytes())?;
            }
            file.write_all(MAGIC)?;
            file.flush()
        };
        write(&mut self).at("write", &self.stage)?;
        place(&self.stage, &store.split_path(diff_id))?;
        store.put_in();
        Ok(())
    }
}

/// Where the parts of a split stream are.
struct Trailer {
    frames: u64,
    ids: u64,
    changeset: u64,
    size: u64,
}

impl Trailer {
    fn parse(bytes: &[u8], length: u64) -> Option<Self> {
        let (numbers, magic) = bytes.split_at_checked(TRAILER - MAGIC.len())?;
        let (numbers, []) = numbers.as_chunks::<8>() else {
            return None;
        };
        let [frames, ids, changeset, size] = *numbers else {
            return None;
        };
        let [frames, ids, changeset, size] = [frames, ids, changeset, size].map(u64::from_le_bytes);
        let sum = frames
            .checked_add(ids)?
            .checked_add(changeset)?
            .checked_add(TRAILER as u64)?;
        (magic == MAGIC && sum == length && ids % 32 == 0).then_some(Self {
            frames,
            ids,
            changeset,
            size,
        })
    }
}

impl Store {
    pub(crate) fn new_split(&self) -> Result<SplitWriter> {
        self.lease()?;
        let stage = self.stage_name();
        let open = || {
            let file = BufWriter::with_capacity(
                128 << 10,
                File::options().write(true).create_new(true).open(&stage)?,
            );
            zstd::Encoder::new(file, 1)
        };
        let frames = open().at("create", &stage)?;
        Ok(SplitWriter {
            stage,
            frames,
            pending: Vec::with_capacity(FRAME * 2),
        })
    }

    pub(crate) fn split_path(&self, diff_id: &Digest) -> PathBuf {
        self.root()
            .join("layers")
            .join(format!("sha256-{}.split", diff_id.hex()))
    }

    /// What an archive said that was taken in before. Its objects stay as long as this store is open.
    pub fn imported(&self, diff_id: &Digest) -> Result<Option<Changeset>> {
        if self.access() == Access::ReadWrite && !self.freshen(&self.split_path(diff_id))? {
            return Ok(None);
        }
        self.changeset(diff_id)
    }

    /// What an archive said that is there.
    pub(crate) fn changeset(&self, diff_id: &Digest) -> Result<Option<Changeset>> {
        let Some(bytes) = self.read(&self.split_path(diff_id))? else {
            return Ok(None);
        };
        let damaged =
            |reason: &dyn ToString| Error::damaged("archive", diff_id, reason.to_string());
        let at = bytes
            .len()
            .checked_sub(TRAILER)
            .ok_or_else(|| damaged(&"it is cut off"))?;
        let trailer = Trailer::parse(&bytes[at..], bytes.len() as u64)
            .ok_or_else(|| damaged(&"it has a bad trailer"))?;
        let text = zstd::stream::decode_all(&bytes[at - trailer.changeset as usize..at])
            .map_err(|error| damaged(&error))?;
        Changeset::decode(&text).map(Some)
    }

    /// The exact bytes of an archive that was taken in.
    pub fn export_tar(&self, diff_id: &Digest) -> Result<TarReader> {
        let path = self.split_path(diff_id);
        let mut file = match self.found(&path, |path| File::open(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::missing("archive", diff_id));
            }
            result => result.at("open", &path)?,
        };
        let damaged = || Error::damaged("archive", diff_id, "it has a bad trailer");
        let length = file.metadata().at("read", &path)?.len();
        let mut bytes = [0; TRAILER];
        let mut read = |at: u64, bytes: &mut [u8]| {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(bytes)
        };
        read(
            length.checked_sub(TRAILER as u64).ok_or_else(damaged)?,
            &mut bytes,
        )
        .at("read", &path)?;
        let trailer = Trailer::parse(&bytes, length).ok_or_else(damaged)?;
        let mut ids = vec![0; trailer.ids as usize];
        read(trailer.frames, &mut ids).at("read", &path)?;
        let bodies: Vec<ObjectId> = ids
            .as_chunks::<32>()
            .0
            .iter()
            .copied()
            .map(ObjectId::from_bytes)
            .collect();
        file.rewind().at("read", &path)?;
        let frames = zstd::Decoder::with_buffer(BufReader::new(file.take(trailer.frames)))
            .at("read", &path)?;
        Ok(TarReader {
            frames,
            objects: self.objects(),
            bodies: bodies.into_iter(),
            size: trailer.size,
            in_frame: false,
            inline: 0,
            body: None,
            left: 0,
        })
    }

    /// Object ids of an archive's bodies, to check that all are there.
    pub(crate) fn split_bodies(&self, diff_id: &Digest) -> Result<Vec<ObjectId>> {
        Ok(self.export_tar(diff_id)?.bodies.collect())
    }
}

/// The bytes of an archive that was taken in.
pub struct TarReader {
    frames: zstd::Decoder<'static, BufReader<Take<File>>>,
    objects: PathBuf,
    bodies: std::vec::IntoIter<ObjectId>,
    size: u64,
    /// Whether the size of the frame's body is still to come.
    in_frame: bool,
    /// Inline bytes left of the frame.
    inline: u64,
    body: Option<File>,
    /// Bytes left of the body.
    left: u64,
}

impl std::fmt::Debug for TarReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TarReader")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl TarReader {
    /// Number of all bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads the next number of the frames; none at their end.
    fn number<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        if self.frames.read(&mut bytes[..1])? == 0 {
            return Ok(None);
        }
        self.frames.read_exact(&mut bytes[1..])?;
        Ok(Some(bytes))
    }

    /// Goes on to the next bytes; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if !self.in_frame {
            let Some(length) = self.number()? else {
                return Ok(false);
            };
            self.inline = u64::from(u32::from_le_bytes(length));
            self.in_frame = true;
            return Ok(true);
        }
        self.left = u64::from_le_bytes(self.number()?.ok_or(io::ErrorKind::UnexpectedEof)?);
        self.in_frame = false;
        if self.left > 0 {
            let id = self
                .bodies
                .next()
                .ok_or_else(|| io::Error::other("more bodies than objects"))?;
            self.body = Some(File::open(self.objects.join(object_name(id)))?);
        }
        Ok(true)
    }
}

impl Read for TarReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.inline == 0 && self.left == 0 {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let left = if self.inline > 0 {
            &mut self.inline
        } else {
            &mut self.left
        };
        let limit = usize::try_from(*left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = match &mut self.body {
            Some(body) if !self.in_frame => body.read(&mut buffer[..limit])?,
            _ => self.frames.read(&mut buffer[..limit])?,
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= count as u64;
        Ok(count)
    }
}
