//! All containers of a store.
//!
//! ```text
//! 0123456789ab/               a container, by the first digits of its id
//! web.name -> 0123456789ab    what it is called
//! lock                        held by who makes, renames or removes one
//! ```
//!
//! A name counts where it leads to a container that calls itself so. What somebody left who was
//! killed in between leads nowhere, and is written over.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use racker_store::{Access, Image, Store};
use rustix::fs::{FlockOperation, flock};

use super::Error;
use super::config::Config;
use super::kept::{Kept, link};
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

    /// Makes a container of an image, which does not run yet. Where no name is given it gets one.
    ///
    /// Errors: the name is taken.
    pub fn create(&self, mut config: Config, image: Option<&Image>) -> Result<Kept, Error> {
        let given = (!config.name.is_empty()).then(|| config.name.clone());
        if let Some(name) = &given {
            name::check(name)?;
        }
        let _turn = self.turn()?;
        config.name = match given {
            Some(name) => {
                self.free(&name, &config.id)?;
                name
            }
            None => self.random_name(&config.id)?,
        };
        let directory = self.directory.join(config.short_id());
        self.lead(&config.name, config.short_id())?;
        Kept::create(directory, config, image)
    }

    /// Gives a container another name.
    pub fn rename(&self, kept: &mut Kept, name: &str) -> Result<(), Error> {
        name::check(name)?;
        let _turn = self.turn()?;
        self.free(name, &kept.config.id)?;
        self.lead(name, kept.config.short_id())?;
        let before = std::mem::replace(&mut kept.config.name, name.to_owned());
        kept.save_config()?;
        if before != name {
            let _ = fs::remove_file(link(&self.directory, &before));
        }
        Ok(())
    }

    /// The container of this name.
    fn named(&self, name: &str) -> Result<Option<Kept>, Error> {
        if name::check(name).is_err() {
            return Ok(None);
        }
        let link = link(&self.directory, name);
        let to = match fs::read_link(&link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::io(format!("read {}", link.display())))?,
        };
        let kept = Kept::open(self.directory.join(to))?;
        Ok(kept.filter(|it| it.config.name == name))
    }

    /// Errors: another container has the name.
    fn free(&self, name: &str, id: &str) -> Result<(), Error> {
        match self.named(name) {
            Ok(Some(other)) if other.config.id != id => Err(Error::NameTaken {
                name: name.to_owned(),
                by: other.config.id,
            }),
            // Nobody finds a damaged one by its name.
            Ok(_) | Err(Error::Damaged { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn random_name(&self, id: &str) -> Result<String, Error> {
        for round in 0.. {
            let name = name::random(id, round);
            match self.free(&name, id) {
                Err(Error::NameTaken { .. }) => {}
                other => return other.map(|()| name),
            }
        }
        Ok(String::new())
    }

    /// Has a name lead to a container.
    fn lead(&self, name: &str, short_id: &str) -> Result<(), Error> {
        let link = link(&self.directory, name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
        .and_then(|()| symlink(short_id, &link))
        .map_err(Error::io(format!("create {}", link.display())))
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
        if let Some(kept) = self.named(text)? {
            return Ok(kept);
        }
        // A directory is called by the first digits of an id.
        let short = text.get(..12).unwrap_or(text);
        let mut found = None;
        for directory in self.directories()? {
            let name = directory.file_name().unwrap_or_default();
            if short.is_empty() || !name.to_string_lossy().starts_with(short) {
                continue;
            }
            match Kept::open(directory)? {
                Some(kept) if !kept.config.id.starts_with(text) => {}
                Some(_) if found.is_some() => return Err(Error::Ambiguous(text.to_owned())),
                other => found = other.or(found),
            }
        }
        found.ok_or_else(|| Error::NoSuch(text.to_owned()))
    }

    /// Removes what is left of a container that cannot be read; whether it was one.
    pub fn remove_damaged(&self, text: &str) -> Result<bool, Error> {
        let Err(Error::Damaged { path, .. }) = self.find(text) else {
            return Ok(false);
        };
        let directory = path.parent().unwrap_or(&path);
        fs::remove_dir_all(directory)
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
        let turn = self.turn()?;
        // Without this it is none, whatever is left of it.
        let first = fs::remove_file(kept.path("config.json"));
        let link = kept.link();
        if fs::read_link(&link).is_ok_and(|to| to == Path::new(kept.config.short_id())) {
            let _ = fs::remove_file(&link);
        }
        drop(turn);
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
