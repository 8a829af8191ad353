//! A container's place on the host: its id, cgroup, block of ids and run directory, under guard.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::Error;
use super::cgroup::{self, Cgroup};
use super::guard::{self, Guard, Record};
use super::ids::IdBlock;
use super::limits::Limits;
use super::machine::{self, Placeholder};
use crate::sys::IdMap;

/// Where racker keeps what runs, below `/run`.
pub const RUN_DIRECTORY: &str = "/run/racker";

/// What a container wants of its place, beside there being one.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Its id, twelve hexadecimal digits that nobody else has; random where none is given.
    pub id: Option<String>,
    /// The first id of the block it had before; another where that is taken.
    pub base: Option<u32>,
    /// Whether it has the host's ids instead of a block's: no user namespace.
    pub identity: bool,
    /// Where its changes are kept; in a directory that ends with it where none is given.
    pub writable: Option<PathBuf>,
    /// What else ends with it.
    pub remove: Vec<PathBuf>,
    /// What ends with it unless others use it: see [`guard::USERS`].
    pub remove_unused: Vec<PathBuf>,
    /// What it may take of the machine.
    pub limits: Limits,
    /// The name by which the host's machined is to know it, if it is to.
    pub machine: Option<String>,
}

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
    identity: bool,
    /// `cgroup.procs` of its groups in version 1 hierarchies.
    legacy: Vec<File>,
    /// What is in its group until it is.
    first: Mutex<Option<Placeholder>>,
}

impl Slot {
    /// Takes a place, first clearing those whose holders died.
    pub fn acquire() -> Result<Self, Error> {
        Self::acquire_as(Wish::default())
    }

    /// Takes a place as wished.
    pub fn acquire_as(wish: Wish) -> Result<Self, Error> {
        require_root()?;
        let run = Path::new(RUN_DIRECTORY);
        let blocks = run.join("blocks");
        guard::sweep(&blocks).map_err(Error::io("clear up after an earlier container"))?;
        let block = IdBlock::acquire(&blocks, wish.base)?;
        // Its holder may have died since.
        guard::clear(&block.file).map_err(Error::io("clear up after an earlier container"))?;
        let id = match wish.id {
            Some(id) => id,
            None => random_id().map_err(Error::io("read random bytes"))?[..12].to_owned(),
        };
        let directory = run.join(&id);
        let name = cgroup::name(&id, wish.machine.is_some());
        let groups = wish
            .limits
            .legacy_groups(&name)
            .map_err(Error::io("limit the container"))?;
        // The host's systemd makes and removes those of its units itself.
        let unit = wish.machine.is_some();
        let legacy = if unit { Vec::new() } else { groups.clone() };
        let record = Record {
            cgroup: name.clone(),
            unit,
            remove: [vec![directory.clone()], wish.remove].concat(),
            remove_unused: wish.remove_unused,
            legacy,
        };
        record
            .save(&block.file)
            .map_err(Error::io("write the container's record"))?;
        // Before there is anything that it would have to clear up.
        let guard = cgroup::hierarchy()
            .and_then(|hierarchy| Guard::start(hierarchy, &block.file))
            .map_err(Error::io("start the guard process"))?;
        fs::create_dir(&directory).map_err(Error::io(format!("create {}", directory.display())))?;
        let made =
            |cgroup: io::Result<Cgroup>| cgroup.map_err(Error::io(format!("create cgroup {name}")));
        let open = |path: PathBuf| File::options().write(true).open(path);
        let opened = |procs: io::Result<Vec<PathBuf>>| {
            let files = procs.and_then(|it| it.into_iter().map(open).collect());
            files.map_err(Error::io("limit the container"))
        };
        let (cgroup, legacy, first) = if let Some(machine) = &wish.machine {
            let first = machine::start(&id, machine, &wish.limits)?;
            let cgroup = cgroup::hierarchy().map(|it| Cgroup::existing(it, name.clone()));
            let procs = groups.iter().map(|it| it.join("cgroup.procs")).collect();
            let cgroup = made(cgroup)?;
            let checked = wish.limits.check_unit(&cgroup).map(|()| procs);
            (cgroup, opened(checked)?, Some(first))
        } else {
            let cgroup = made(Cgroup::create(&name))?;
            let legacy = opened(wish.limits.set(&cgroup, &record.legacy))?;
            (cgroup, legacy, None)
        };
        Ok(Self {
            guard,
            cgroup,
            block,
            id,
            directory,
            record,
            identity: wish.identity,
            legacy,
            first: Mutex::new(first),
        })
    }

    /// Says that something of the container is in its group.
    pub(super) fn occupied(&self) {
        if let Ok(mut first) = self.first.lock() {
            first.take();
        }
    }

    /// `cgroup.procs` of all its groups, open for writing.
    pub(super) fn procs(&self) -> io::Result<Vec<OwnedFd>> {
        self.with_legacy(self.cgroup.procs()?)
    }

    /// The same of a group of its own for a helper, which ends with the container.
    pub(super) fn procs_beside(&self, name: &str) -> io::Result<Vec<OwnedFd>> {
        self.with_legacy(self.cgroup.child(name)?.procs()?)
    }

    fn with_legacy(&self, procs: OwnedFd) -> io::Result<Vec<OwnedFd>> {
        let mut all = vec![procs];
        for file in &self.legacy {
            all.push(file.try_clone()?.into());
        }
        Ok(all)
    }

    /// Has `directory` removed at the end as well.
    pub fn also_remove(&mut self, directory: &Path) -> Result<(), Error> {
        self.record.remove.push(directory.to_owned());
        self.record
            .save(&self.block.file)
            .map_err(Error::io("write the container's record"))
    }

    /// Has `directory` stay at the end after all.
    pub fn keep(&mut self, directory: &Path) -> Result<(), Error> {
        self.record.remove.retain(|it| it != directory);
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

    /// Its ids on the host.
    pub fn ids(&self) -> IdMap {
        if self.identity {
            IdMap::IDENTITY
        } else {
            self.block.map
        }
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

/// 64 random hexadecimal digits.
pub fn random_id() -> io::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
