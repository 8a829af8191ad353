//! File bodies: `objects/ab/cdef...`, named by BLAKE3, root's, 0444, without any attribute.
//!
//! A body is written to a file without a name and then linked into place. Finding the name taken
//! means that the bytes are there already. Nothing is synced here; see [`Store::sync`].

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{At as _, Error, Result};
use crate::id::ObjectId;
use crate::store::{Store, place};
use crate::unnamed::{link_open, unnamed};

/// Bodies up to this many bytes are held in memory, and written only if the store lacks them.
pub(crate) const SMALL: usize = 1 << 20;

const MODE: Mode = Mode::from_raw_mode(0o444);

/// An object on its way in.
#[derive(Debug)]
pub(crate) struct NewObject<'a> {
    store: &'a Store,
    file: File,
    /// Name in `stage/` where the file system knows no files without one.
    stage: Option<PathBuf>,
    hash: blake3::Hasher,
}

impl Store {
    /// Keeps these bytes; tells their name and number.
    pub fn put_object(&self, mut reader: impl Read) -> Result<(ObjectId, u64)> {
        let mut part = Vec::new();
        if read_part(&mut reader, &mut part)? < SMALL {
            return Ok((self.put_bytes(&part)?, part.len() as u64));
        }
        let mut new = self.new_object()?;
        loop {
            new.write(&part)?;
            if read_part(&mut reader, &mut part)? == 0 {
                return new.finish();
            }
        }
    }

    /// Keeps these bytes.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<ObjectId> {
        let id = ObjectId::of(bytes);
        if !self.freshen_whole(id, bytes.len() as u64)? {
            let mut new = self.new_object()?;
            new.append(bytes)?;
            new.link(id, bytes.len() as u64)?;
        }
        Ok(id)
    }

    /// Keeps these bytes, which must be the object of this name: others are not kept.
    pub fn receive_bytes(&self, id: ObjectId, bytes: &[u8]) -> Result<()> {
        if ObjectId::of(bytes) != id {
            return Err(other_bytes(id));
        }
        let mut new = self.new_object()?;
        new.append(bytes)?;
        new.link(id, bytes.len() as u64)
    }

    /// [`Store::receive_bytes`] of the next `size` bytes.
    pub fn receive_object(&self, id: ObjectId, size: u64, reader: impl Read) -> Result<()> {
        let mut reader = reader.take(size);
        let mut part = Vec::new();
        let mut new = self.new_object()?;
        while read_part(&mut reader, &mut part)? > 0 {
            new.write(&part)?;
        }
        if new.hash.finalize().as_bytes() != id.as_bytes() {
            return Err(other_bytes(id));
        }
        new.link(id, size)
    }

    /// Whether the object is there with all its bytes; if so it stays as long as this store is open.
    pub fn keep_object(&self, id: ObjectId, size: u64) -> Result<bool> {
        self.freshen_whole(id, size)
    }

    /// The bytes of an object.
    pub fn open_object(&self, id: ObjectId) -> Result<File> {
        let path = self.object_path(id);
        match self.found(&path, |path| File::open(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::missing("object", id))
            }
            result => result.at("open", &path),
        }
    }

    /// Whether there is an object of this name.
    pub fn has_object(&self, id: ObjectId) -> bool {
        rustix::fs::access(self.object_path(id), rustix::fs::Access::EXISTS).is_ok()
    }

    /// Whether the object is there with all its bytes; after a power cut one that was never synced
    /// may be shorter.
    pub(crate) fn has_whole(&self, id: ObjectId, size: u64) -> bool {
        rustix::fs::lstat(self.object_path(id)).is_ok_and(|stat| is_whole(&stat, size))
    }

    /// Whether the object is there with all its bytes, and if so makes it as young as the lease.
    pub(crate) fn freshen_whole(&self, id: ObjectId, size: u64) -> Result<bool> {
        let path = self.object_path(id);
        match rustix::fs::lstat(&path) {
            Ok(stat) if is_whole(&stat, size) => self.freshen_file(&path, &stat),
            _ => Ok(false),
        }
    }

    pub(crate) fn object_path(&self, id: ObjectId) -> PathBuf {
        let mut path = self.objects();
        path.push(object_name(id));
        path
    }

    pub(crate) fn new_object(&self) -> Result<NewObject<'_>> {
        self.lease()?;
        let objects = self.objects();
        let nameless = unnamed(&objects, MODE.as_raw_mode());
        let (file, stage) = match nameless.at("write an object in", &objects)? {
            Some(file) => (file, None),
            None => {
                let stage = self.stage_name();
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
                let file = rustix::fs::open(&stage, flags, MODE).at("create", &stage)?;
                (file.into(), Some(stage))
            }
        };
        // Asking is cheaper than setting, which only an odd umask makes necessary.
        let stat = rustix::fs::fstat(&file).at("write an object in", &objects)?;
        if Mode::from_raw_mode(stat.st_mode) != MODE {
            rustix::fs::fchmod(&file, MODE).at("write an object in", &objects)?;
        }
        Ok(NewObject {
            store: self,
            file,
            stage,
            hash: blake3::Hasher::new(),
        })
    }

    /// Makes an open file the object of this name.
    pub(crate) fn link_file(&self, file: &File, id: ObjectId, size: u64) -> Result<()> {
        self.link(id, size, |path| link_open(file, path))
    }

    /// Gives an object its name; one that is taken by a whole object is success.
    fn link(
        &self,
        id: ObjectId,
        size: u64,
        link: impl Fn(&Path) -> rustix::io::Result<()>,
    ) -> Result<()> {
        self.lease()?;
        let path = self.object_path(id);
        match link(&path) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.freshen_whole(id, size)? => return Ok(()),
            Err(Errno::EXIST | Errno::NOENT) => {
                let stage = self.stage_name();
                link(&stage).at("create", &stage)?;
                place(&stage, &path)?;
            }
            Err(error) => return Err(error).at("create", &path),
        }
        self.put_in();
        Ok(())
    }
}

impl NewObject<'_> {
    /// Takes in the next bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.append(bytes)
    }

    /// Names the object by what was written.
    pub(crate) fn finish(self) -> Result<(ObjectId, u64)> {
        let id = ObjectId::from_bytes(*self.hash.finalize().as_bytes());
        let size = self.hash.count();
        self.link(id, size)?;
        Ok((id, size))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.at("write an object in", self.store.objects())
    }

    fn link(&self, id: ObjectId, size: u64) -> Result<()> {
        match &self.stage {
            Some(stage) => self.store.link(id, size, |path| {
                rustix::fs::linkat(CWD, stage, CWD, path, AtFlags::empty())
            }),
            None => self.store.link_file(&self.file, id, size),
        }
    }
}

impl Drop for NewObject<'_> {
    fn drop(&mut self) {
        if let Some(stage) = &self.stage {
            let _ = fs::remove_file(stage);
        }
    }
}

/// Whether this is a plain file of that size: a link may lead to what nobody keeps.
fn is_whole(stat: &rustix::fs::Stat, size: u64) -> bool {
    let plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    plain && stat.st_size as u64 == size
}

fn other_bytes(id: ObjectId) -> Error {
    Error::damaged("object", id, "other bytes came")
}

/// Reads up to [`SMALL`] bytes, fewer only at the end; tells how many.
fn read_part(reader: &mut impl Read, part: &mut Vec<u8>) -> Result<usize> {
    part.clear();
    let mut limited = reader.take(SMALL as u64);
    limited.read_to_end(part).map_err(|source| Error::Input {
        what: "bytes of an object",
        source,
    })
}

/// `ab/cdef...`
pub(crate) fn object_name(id: ObjectId) -> String {
    let mut name = id.hex();
    name.insert(2, '/');
    name
}
