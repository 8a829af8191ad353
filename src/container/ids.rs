//! Blocks of 64 K user and group ids, one for each container alive.
//!
//! A block is held by a lock on a file of its own, which also carries the [`crate::container::guard`]
//! record of its container. The lock ends with its last holder, so a block is free exactly when
//! both racker and the guard are gone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::Error;
use crate::sys::IdMap;

/// Ids in a block.
const COUNT: u32 = 65536;
/// The first id of the first block, as systemd-nspawn's own allocation has it.
const FIRST: u32 = 524_288;
/// Blocks up to systemd-nspawn's last id, 1878982656.
const BLOCKS: u32 = 1024;

/// A locked block.
#[derive(Debug)]
pub(super) struct IdBlock {
    /// Where it lies.
    pub(super) map: IdMap,
    /// The locked file.
    pub(super) file: File,
}

impl IdBlock {
    /// Locks a free block in `directory`: the one that begins with the id `wish`, if that is free.
    pub(super) fn acquire(directory: &Path, wish: Option<u32>) -> Result<Self, Error> {
        fs::create_dir_all(directory)
            .map_err(Error::io(format!("create {}", directory.display())))?;
        let wish = wish
            .and_then(|base| base.checked_sub(FIRST))
            .map(|offset| offset / COUNT)
            .filter(|number| *number < BLOCKS);
        for number in wish.into_iter().chain(0..BLOCKS) {
            let path = directory.join(number.to_string());
            if let Some(file) =
                lock(&path).map_err(Error::io(format!("lock {}", path.display())))?
            {
                let map = IdMap {
                    base: FIRST + number * COUNT,
                    count: COUNT,
                };
                return Ok(Self { map, file });
            }
        }
        Err(Error::NoIds {
            directory: directory.to_owned(),
        })
    }
}

/// Opens and locks the block file at `path`; `None` where another process holds it.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match rustix::io::retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
