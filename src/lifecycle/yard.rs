//! All containers of a store.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use racker_store::{Access, Store};
use rustix::fs::{FlockOperation, flock};

use super::Error;
use super::config::Config;
use super::kept::Kept;
use super::name;

/// The containers of one store.
#[derive(Debug, Clone)]
pub struct Yard {
    directory: PathBuf,
}

impl Yard {
    /// That of `store`. A store that cannot be written has it below `/run`.
    pub fn of(store: &Store) -> Self {
        let directory = match store.access() {
            Access::ReadWrite => store.containers(),
            Access::ReadOnly => {
                let path = store.root().as_os_str().as_encoded_bytes();
                let name = &blake3::hash(path).to_hex()[..16];
                PathBuf::from(format!("/run/racker/containers-{name}"))
            }
        };
        Self { directory }
    }

    /// Where they are kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a container, which does not run yet. Where no name is given it gets one.
    ///
    /// Errors: the name is taken.
    pub fn create(&self, mut config: Config) -> Result<Kept, Error> {
        let given = (!config.name.is_empty()).then(|| config.name.clone());
        if let Some(name) = &given {
            name::check(name)?;
        }
        let _turn = self.turn()?;
        let all = self.all()?;
        config.name = match given {
            Some(name) => {
                free(&all, &name, &config.id)?;
                name
            }
            None => (0..=u32::MAX)
                .map(|round| name::random(&config.id, round))
                .find(|name| all.iter().all(|it| it.config.name != *name))
                .unwrap_or_default(),
        };
        Kept::create(self.directory.join(config.short_id()), config)
    }

    /// Gives a container another name.
    pub fn rename(&self, kept: &mut Kept, name: &str) -> Result<(), Error> {
        name::check(name)?;
        let _turn = self.turn()?;
        free(&self.all()?, name, &kept.config.id)?;
        name.clone_into(&mut kept.config.name);
        kept.save_config()
    }

    /// Every container, the newest first. A damaged one is no reason not to see the others; it is
    /// told by [`Yard::find`].
    pub fn all(&self) -> Result<Vec<Kept>, Error> {
        let mut all = Vec::new();
        for directory in self.directories()? {
            match Kept::open(directory) {
                Err(Error::Damaged { .. }) => {}
                other => all.extend(other?),
            }
        }
        all.sort_by_key(|kept| std::cmp::Reverse(kept.config.created));
        Ok(all)
    }

    fn directories(&self) -> Result<Vec<PathBuf>, Error> {
        let read = || format!("read {}", self.directory.display());
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Error::io(read()))?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io(read()))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                all.push(entry.path());
            }
        }
        Ok(all)
    }

    /// The container of this name, or whose id this is the beginning of.
    pub fn find(&self, text: &str) -> Result<Kept, Error> {
        let mut all = self.all()?;
        if let Some(place) = all.iter().position(|it| it.config.name == text) {
            return Ok(all.swap_remove(place));
        }
        let mut found = all
            .into_iter()
            .filter(|it| !text.is_empty() && it.config.id.starts_with(text));
        match (found.next(), found.next()) {
            (Some(kept), None) => Ok(kept),
            (Some(_), Some(_)) => Err(Error::Ambiguous(text.to_owned())),
            (None, _) => match self.damaged(text)? {
                Some((_, error)) => Err(error),
                None => Err(Error::NoSuch(text.to_owned())),
            },
        }
    }

    /// The directory of a container that cannot be read, by its id, and what is wrong with it.
    fn damaged(&self, text: &str) -> Result<Option<(PathBuf, Error)>, Error> {
        let short = &text[..text.len().min(12)];
        for directory in self.directories()? {
            let name = directory.file_name().unwrap_or_default();
            if !short.is_empty()
                && name.to_string_lossy().starts_with(short)
                && let Err(error @ Error::Damaged { .. }) = Kept::open(directory.clone())
            {
                return Ok(Some((directory, error)));
            }
        }
        Ok(None)
    }

    /// Removes what is left of a container that cannot be read; whether there is one of this id.
    pub fn remove_damaged(&self, id: &str) -> Result<bool, Error> {
        let Some((directory, _)) = self.damaged(id)? else {
            return Ok(false);
        };
        fs::remove_dir_all(&directory)
            .map_err(Error::io(format!("remove {}", directory.display())))?;
        Ok(true)
    }

    /// The one with this short id, as the supervisor is told.
    pub(super) fn by_short_id(&self, id: &str) -> Result<Kept, Error> {
        Kept::open(self.directory.join(id))?.ok_or_else(|| Error::NoSuch(id.to_owned()))
    }

    /// Removes a container that does not run.
    ///
    /// Errors: it runs.
    pub fn remove(&self, kept: &Kept) -> Result<(), Error> {
        let _held = kept.hold()?;
        // Without this it is none, whatever is left of it.
        let first = fs::remove_file(kept.path("config.json"));
        first
            .and_then(|()| fs::remove_dir_all(kept.directory()))
            .map_err(Error::io(format!("remove {}", kept.directory().display())))
    }

    /// Waits until nobody else changes which containers there are.
    fn turn(&self) -> Result<File, Error> {
        fs::create_dir_all(&self.directory)
            .map_err(Error::io(format!("create {}", self.directory.display())))?;
        let path = self.directory.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io(format!("open {}", path.display())))?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
            .map_err(Error::io(format!("lock {}", path.display())))?;
        Ok(file)
    }
}

fn free(all: &[Kept], name: &str, id: &str) -> Result<(), Error> {
    match all
        .iter()
        .find(|it| it.config.name == name && it.config.id != id)
    {
        Some(other) => Err(Error::NameTaken {
            name: name.to_owned(),
            by: other.config.id.clone(),
        }),
        None => Ok(()),
    }
}
