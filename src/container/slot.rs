//! A container's place on the host: its id, cgroup, block of ids and run directory, under guard.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::cgroup::{self, Cgroup};
use super::guard::{self, Guard, Record};
use super::ids::IdBlock;
use crate::sys::IdMap;

/// Where racker keeps what runs, below `/run`.
pub const RUN_DIRECTORY: &str = "/run/racker";

/// A place on the host that one container holds. Ending it, or dropping it, leaves nothing.
#[derive(Debug)]
pub struct Slot {
    // Ends before the block, so that the block's lock outlives what it stands for.
    guard: Guard,
    cgroup: Cgroup,
    block: IdBlock,
    id: String,
    directory: PathBuf,
    record: Record,
}

impl Slot {
    /// Takes a place, first clearing those whose holders died.
    pub fn acquire() -> Result<Self, Error> {
        require_root()?;
        let run = Path::new(RUN_DIRECTORY);
        let blocks = run.join("blocks");
        guard::sweep(&blocks).map_err(Error::io("clear up after an earlier container"))?;
        let block = IdBlock::acquire(&blocks)?;
        // Its holder may have died since.
        guard::clear(&block.file).map_err(Error::io("clear up after an earlier container"))?;
        let id = random_id().map_err(Error::io("read random bytes"))?;
        let directory = run.join(&id);
        let name = format!("racker-{id}");
        let record = Record {
            cgroup: name.clone(),
            remove: vec![directory.clone()],
        };
        record
            .save(&block.file)
            .map_err(Error::io("write the container's record"))?;
        // Before there is anything that it would have to clear up.
        let guard = cgroup::hierarchy()
            .and_then(|hierarchy| Guard::start(hierarchy, &block.file))
            .map_err(Error::io("start the guard process"))?;
        fs::create_dir(&directory).map_err(Error::io(format!("create {}", directory.display())))?;
        let cgroup = Cgroup::create(&name).map_err(Error::io(format!("create cgroup {name}")))?;
        Ok(Self {
            guard,
            cgroup,
            block,
            id,
            directory,
            record,
        })
    }

    /// Has `directory` removed at the end as well.
    pub fn also_remove(&mut self, directory: &Path) -> Result<(), Error> {
        self.record.remove.push(directory.to_owned());
        self.record
            .save(&self.block.file)
            .map_err(Error::io("write the container's record"))
    }

    /// Twelve hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The run directory, removed at the end.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its block of ids.
    pub fn ids(&self) -> IdMap {
        self.block.map
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Kills what runs in it; the rest stays, so that the upper can be read.
    pub fn kill(&self) -> Result<(), Error> {
        self.cgroup
            .kill(Duration::from_secs(30))
            .map_err(Error::io("kill the container"))
    }

    /// Ends the container and waits until nothing of it is left.
    pub fn release(mut self) -> Result<(), Error> {
        self.guard
            .finish()
            .map_err(Error::io("wait for the guard process"))
    }
}

/// Refuses anybody but root, before any work is done for nothing.
pub fn require_root() -> Result<(), Error> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(Error::NotRoot)
    }
}

fn random_id() -> std::io::Result<String> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes))[4..].to_owned())
}
