//! Blobs on their way in: `partial/<digest>`, the bytes that came so far.
//!
//! They are believed by nobody: whoever goes on with them hashes them again. Nothing is synced. A
//! file that nobody has locked and that is a week old is swept.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{At as _, Result};
use crate::id::Digest;
use crate::store::{Store, list};

/// How long bytes are kept that nobody goes on with.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The bytes so far of a blob, locked for as long as this lives.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Store {
    /// The bytes so far of a blob, none if it is new; `None` if another process is fetching it.
    pub fn partial(&self, digest: &Digest) -> Result<Option<Partial>> {
        self.writable()?;
        let path = self.partial_path(digest);
        let open = || {
            let mut options = File::options();
            options.read(true).append(true).create(true).open(&path)
        };
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = self.root().join("partial");
                fs::create_dir_all(&directory).at("create", &directory)?;
                open()
            }
            result => result,
        };
        let file = file.at("open", &path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
            result => result.at("lock", &path)?,
        }
        let size = file.metadata().at("read", &path)?.len();
        Ok(Some(Partial { path, file, size }))
    }

    /// Forgets the bytes so far of a blob; says whether there were any.
    pub fn forget_partial(&self, digest: &Digest) -> Result<bool> {
        let path = self.partial_path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            result => result.at("remove", &path).map(|()| true),
        }
    }

    /// Removes what nobody has gone on with for long; says how many files.
    pub(crate) fn sweep_partial(&self) -> Result<usize> {
        let mut swept = 0;
        for path in list(&self.root().join("partial"))? {
            if is_old(&path) && fs::remove_file(&path).is_ok() {
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.root().join("partial").join(digest.hex())
    }
}

fn is_old(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let time = file.metadata().and_then(|metadata| metadata.modified());
    let age = time.ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > KEPT)
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

impl Partial {
    /// Bytes that came so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads them, from their beginning.
    pub fn reader(&self) -> Result<impl Read + Send + use<>> {
        let file = File::open(&self.path).at("open", &self.path)?;
        Ok(BufReader::with_capacity(128 << 10, file).take(self.size))
    }

    /// Takes in the next bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at("write", &self.path)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew.
    pub fn clear(&mut self) -> Result<()> {
        self.file.set_len(0).at("empty", &self.path)?;
        self.size = 0;
        Ok(())
    }
}
