//! A container as it is kept in the store: one directory.
//!
//! ```text
//! config.json   what it was asked to be
//! state.json    how it is, written by its supervisor alone
//! lock          locked by the supervisor as long as there is one; holds the last exit code
//! tree          the tree it runs on, for the garbage collector
//! image.json    the image that it was made from, as it was then
//! log           what it wrote
//! agent attach  sockets
//! upper/ work/  what it changed
//! ```
//!
//! Whether a container runs is asked of its lock and of nothing else: a supervisor that was killed
//! left a state that says otherwise.
//!
//! Nothing here is synced by itself, for most containers end with the command that made them. One that is
//! to stay is made durable before it is reported, and again with its next name. Of others a power cut may
//! leave files that are empty, which count as missing.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use racker_store::Image;
use rustix::fs::{FlockOperation, flock, syncfs};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::config::Config;
use super::state::{Phase, State, Status, machine};
use crate::container::cgroup::{self, Cgroup};
use crate::files::{keep_document, read_document, write_document};

/// A container that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    directory: PathBuf,
    /// What it was asked to be.
    pub config: Config,
}

/// The right to run a container. Its end is the container's.
#[derive(Debug)]
pub struct Held(File);

impl Kept {
    /// Writes down a new one; its directory must not exist.
    pub(super) fn create(
        directory: PathBuf,
        config: Config,
        image: Option<&Image>,
    ) -> Result<Self, Error> {
        fs::create_dir(&directory).map_err(Error::io(format!("create {}", directory.display())))?;
        let kept = Self { directory, config };
        File::create_new(kept.path("lock")).map_err(Error::io("create the container's lock"))?;
        fs::write(kept.path("tree"), kept.config.tree.to_string())
            .map_err(Error::io("write the container's tree"))?;
        if let Some(image) = image {
            write(&kept.path("image.json"), image)?;
        }
        kept.save_state(&State::default())?;
        // With this it is one.
        write(&kept.path("config.json"), &kept.config)?;
        Ok(kept)
    }

    /// Has it, with all that was written before, outlive a power cut.
    pub fn make_durable(&self) -> Result<(), Error> {
        let synced = File::open(&self.directory).and_then(|it| Ok(syncfs(it)?));
        synced.map_err(Error::io(format!("sync {}", self.directory.display())))
    }

    /// Reads the one in `directory`; none where it is being made or removed.
    pub(super) fn open(directory: PathBuf) -> Result<Option<Self>, Error> {
        let config = read(&directory.join("config.json"))?;
        Ok(config.map(|config| Self { directory, config }))
    }

    /// The image that it was made from, as it was then; none where that was not written down.
    pub fn image(&self) -> Result<Option<Image>, Error> {
        read(&self.path("image.json"))
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What leads to it from its name.
    pub(super) fn link(&self) -> PathBuf {
        link(
            self.directory.parent().unwrap_or(&self.directory),
            &self.config.name,
        )
    }

    /// Writes down for good what it is now to be.
    pub(super) fn save_config(&self) -> Result<(), Error> {
        let path = self.path("config.json");
        keep_document(&path, &self.config).map_err(Error::io(format!("write {}", path.display())))
    }

    /// How it is, as written down last.
    pub fn state(&self) -> Result<State, Error> {
        match read(&self.path("state.json")) {
            // The power failed while it was written, and the container is the same.
            Err(Error::Damaged { .. }) if self.config.machine != machine() => Ok(State::default()),
            state => Ok(state?.unwrap_or_default()),
        }
    }

    /// Writes down how it is.
    pub(super) fn save_state(&self, state: &State) -> Result<(), Error> {
        write(&self.path("state.json"), state)
    }

    /// Takes the right to run it, which keeps everybody else from doing so.
    ///
    /// Errors: it runs.
    pub fn hold(&self) -> Result<Held, Error> {
        let path = self.path("lock");
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::io(format!("open {}", path.display())))?;
        match retry(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(Held(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Running(self.config.name.clone())),
            Err(error) => Err(Error::io("lock the container")(error)),
        }
    }

    /// Makes what it changed belong to the ids from `to` on, where it belonged to those from `from`
    /// on, and remembers that.
    pub fn owned_by(&self, upper: &Path, from: u32, to: u32) -> Result<(), Error> {
        if from != to {
            if from != 0 {
                super::surroundings::shift(upper, from, to)?;
            }
            let mut state = self.state()?;
            state.base = to;
            self.save_state(&state)?;
        }
        Ok(())
    }

    /// Whether somebody supervises it.
    pub fn is_supervised(&self) -> bool {
        let Ok(file) = File::open(self.path("lock")) else {
            return false;
        };
        retry(|| flock(&file, FlockOperation::NonBlockingLockShared)).is_err()
    }

    /// Waits until nobody supervises it any more; its exit code.
    pub fn wait(&self) -> Result<u8, Error> {
        let path = self.path("lock");
        let mut file = File::open(&path).map_err(|_| Error::NoSuch(self.config.name.clone()))?;
        retry(|| flock(&file, FlockOperation::LockShared))
            .map_err(Error::io("wait for the container"))?;
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(Error::io(format!("read {}", path.display())))?;
        // Nobody wrote it down where the supervisor was killed.
        Ok(text.trim().parse().unwrap_or(137))
    }

    /// What it is, and what was written down of it.
    pub fn status(&self) -> Result<(Status, State), Error> {
        let supervised = self.is_supervised();
        let mut state = self.state()?;
        let status = match (supervised, state.phase) {
            (true, Phase::Running) if self.is_frozen() => Status::Paused,
            (true, Phase::Running) => Status::Running,
            (true, Phase::Exited) => Status::Restarting,
            (_, Phase::Created) => Status::Created,
            (false, Phase::Exited) => Status::Exited,
            (false, Phase::Running) => {
                // Its supervisor was killed, and so was it.
                state.phase = Phase::Exited;
                state.exit_code = 137;
                if state.finished < state.started {
                    let path = self.path("state.json");
                    let modified = fs::metadata(path).and_then(|it| it.modified());
                    let since = modified.ok().and_then(|it| it.elapsed().ok());
                    let since = since.map_or(0, |it| it.as_nanos() as i64);
                    state.finished = super::state::now() - since;
                }
                Status::Exited
            }
        };
        Ok((status, state))
    }

    /// The state of a container that runs.
    ///
    /// Errors: it does not.
    pub fn running(&self) -> Result<State, Error> {
        match self.status()? {
            (Status::Running, state) => Ok(state),
            (Status::Paused, _) => Err(Error::Paused(self.config.name.clone())),
            _ => Err(Error::NotRunning(self.config.name.clone())),
        }
    }

    /// Its control group, which there is while it runs.
    pub fn cgroup(&self) -> io::Result<Cgroup> {
        Ok(Cgroup::existing(cgroup::hierarchy()?, self.config.cgroup()))
    }

    fn is_frozen(&self) -> bool {
        let frozen = self
            .cgroup()
            .and_then(|cgroup| cgroup.read("cgroup.freeze"));
        frozen.is_ok_and(|text| text.trim() == "1")
    }
}

impl Held {
    /// Leaves the exit code for those who wait.
    pub(super) fn leave(&mut self, code: Option<u8>) -> io::Result<()> {
        self.0.rewind()?;
        self.0.set_len(0)?;
        match code {
            Some(code) => self.0.write_all(code.to_string().as_bytes()),
            None => Ok(()),
        }
    }
}

/// What leads from a name to its container, beside the containers' directories.
pub(super) fn link(yard: &Path, name: &str) -> PathBuf {
    yard.join(format!("{name}.name"))
}

fn retry<T>(call: impl FnMut() -> Result<T, rustix::io::Errno>) -> Result<T, rustix::io::Errno> {
    rustix::io::retry_on_intr(call)
}

/// Reads a document of racker's own; none where there is no such file, or an empty one.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if fs::metadata(path).is_ok_and(|it| it.len() == 0) {
        return Ok(None);
    }
    read_document(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Error::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        _ => Error::io(format!("read {}", path.display()))(error),
    })
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    write_document(path, value).map_err(Error::io(format!("write {}", path.display())))
}
