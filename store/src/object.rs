//! File bodies: `objects/ab/cdef...`, named by BLAKE3, root's, 0444, without any attribute.
//!
//! A body is written to a file without a name and then linked into place. Finding the name taken
//! means that the bytes are there already. Nothing is synced here; see [`Store::sync`].

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{At as _, Error, Result};
use crate::id::ObjectId;
use crate::store::{Store, place};

/// An object on its way in.
#[derive(Debug)]
pub(crate) struct NewObject {
    file: File,
    /// Name in `stage/` where the file system knows no files without one.
    stage: Option<PathBuf>,
}

impl Drop for NewObject {
    fn drop(&mut self) {
        if let Some(stage) = &self.stage {
            let _ = fs::remove_file(stage);
        }
    }
}

impl Store {
    /// Keeps these bytes; tells their name and number.
    pub fn put_object(&self, mut reader: impl Read) -> Result<(ObjectId, u64)> {
        let new = self.new_object()?;
        let mut hash = blake3::Hasher::new();
        let mut buffer = vec![0; 256 << 10];
        let mut size = 0;
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(|source| Error::Input {
                    what: "bytes of an object",
                    source,
                })?,
            };
            hash.update(&buffer[..count]);
            (&new.file)
                .write_all(&buffer[..count])
                .at("write an object in", self.objects())?;
            size += count as u64;
        }
        let id = ObjectId::from_bytes(*hash.finalize().as_bytes());
        self.link_object(new, id, size)?;
        Ok((id, size))
    }

    /// Keeps these bytes.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<ObjectId> {
        let id = ObjectId::of(bytes);
        if !self.has_whole(id, bytes.len() as u64) {
            let new = self.new_object()?;
            (&new.file)
                .write_all(bytes)
                .at("write an object in", self.objects())?;
            self.link_object(new, id, bytes.len() as u64)?;
        }
        Ok(id)
    }

    /// The bytes of an object.
    pub fn open_object(&self, id: ObjectId) -> Result<File> {
        let path = self.object_path(id);
        match File::open(&path) {
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
        rustix::fs::stat(self.object_path(id)).is_ok_and(|stat| stat.st_size as u64 == size)
    }

    pub(crate) fn object_path(&self, id: ObjectId) -> PathBuf {
        let mut path = self.objects();
        path.push(object_name(id));
        path
    }

    pub(crate) fn new_object(&self) -> Result<NewObject> {
        self.writable()?;
        let objects = self.objects();
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let (file, stage) = match rustix::fs::open(&objects, flags, Mode::from_raw_mode(0o444)) {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let stage = self.stage_name();
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
                (
                    rustix::fs::open(&stage, flags, Mode::from_raw_mode(0o444))
                        .at("create", &stage)?,
                    Some(stage),
                )
            }
            Err(error) => return Err(error).at("write an object in", &objects),
        };
        rustix::fs::fchmod(&file, Mode::from_raw_mode(0o444)).at("write an object in", &objects)?;
        Ok(NewObject {
            file: file.into(),
            stage,
        })
    }

    pub(crate) fn link_object(&self, new: NewObject, id: ObjectId, size: u64) -> Result<()> {
        if let Some(stage) = &new.stage {
            return self.link(stage, id, size, AtFlags::empty());
        }
        let source = format!("/proc/self/fd/{}", new.file.as_raw_fd());
        self.link(Path::new(&source), id, size, AtFlags::SYMLINK_FOLLOW)
    }

    /// Links a file into the objects; a name that is taken by a whole object is success.
    pub(crate) fn link(
        &self,
        source: &Path,
        id: ObjectId,
        size: u64,
        flags: AtFlags,
    ) -> Result<()> {
        let path = self.object_path(id);
        let link = |path: &Path| rustix::fs::linkat(CWD, source, CWD, path, flags);
        match link(&path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if self.has_whole(id, size) => Ok(()),
            Err(Errno::EXIST | Errno::NOENT) => {
                let stage = self.stage_name();
                link(&stage).at("create", &stage)?;
                place(&stage, &path)
            }
            Err(error) => Err(error).at("create", &path),
        }
    }
}

impl NewObject {
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// `ab/cdef...`
pub(crate) fn object_name(id: ObjectId) -> String {
    let mut name = id.hex();
    name.insert(2, '/');
    name
}
