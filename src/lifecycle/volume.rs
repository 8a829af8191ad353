//! Volumes: directories of the store that outlive containers, or belong to one alone.
//!
//! ```text
//! NAME/volume.json   what it is
//!      data/         its files, with the owners that containers see
//!      users/        of one that belongs to a container alone: links to the others that were given
//!                    it by its name, which keep it from going with that one
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use racker_store::Store;
use rustix::fs::{FlockOperation, flock, syncfs};
use rustix::io::retry_on_intr;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::Error;
use super::config::{Config, Mount};
use super::kept::{Kept, read};
use super::name;
use super::yard::Yard;
use crate::container::Snapshot;
use crate::container::guard::USERS;
use crate::files::{keep_document, write_document};

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// When it was made, in nanoseconds since 1970.
    pub created: i64,
    /// What is said of it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it was made for one container alone, and goes with that.
    #[serde(default)]
    pub anonymous: bool,
}

impl Volume {
    /// Where its files are.
    pub fn data(&self, store: &Store) -> PathBuf {
        directory(store, &self.name).join("data")
    }
}

fn directory(store: &Store, name: &str) -> PathBuf {
    store.volumes().join(name)
}

/// All volumes.
pub fn all(store: &Store) -> Result<Vec<Volume>, Error> {
    let action = || format!("read {}", store.volumes().display());
    let entries = match fs::read_dir(store.volumes()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io(action()))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(action()))?.path();
        all.extend(read::<Volume>(&path.join("volume.json"))?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The volume of this name.
pub fn find(store: &Store, name: &str) -> Result<Option<Volume>, Error> {
    if name::check(name).is_err() {
        return Ok(None);
    }
    read(&directory(store, name).join("volume.json"))
}

/// Whether a volume can have this name.
///
/// Errors: it cannot.
pub fn check_name(name: &str) -> Result<(), Error> {
    name::check(name).map_err(|_| Error::BadVolumeName(name.to_owned()))
}

/// The volume of this name, made for good where it is missing.
pub fn create(
    store: &Store,
    name: &str,
    labels: BTreeMap<String, String>,
    anonymous: bool,
) -> Result<Volume, Error> {
    make(store, name, labels, anonymous, keep_document)
}

fn make(
    store: &Store,
    name: &str,
    labels: BTreeMap<String, String>,
    anonymous: bool,
    write: impl Fn(&Path, &Volume) -> io::Result<()>,
) -> Result<Volume, Error> {
    check_name(name)?;
    if let Some(volume) = find(store, name)? {
        return Ok(volume);
    }
    let volume = Volume {
        name: name.to_owned(),
        created: super::state::now(),
        labels,
        anonymous,
    };
    let at = directory(store, name);
    fs::create_dir_all(at.join("data"))
        .and_then(|()| write(&at.join("volume.json"), &volume))
        .map_err(Error::io(format!("create volume {name}")))?;
    Ok(volume)
}

/// Makes the volumes that belong to a container alone, and keeps those that belong to another one
/// from going with that.
pub fn provide(store: &Store, kept: &Kept) -> Result<(), Error> {
    for mount in kept.config.mounts.iter().filter(|it| it.volume) {
        if mount.anonymous {
            // Durable with the container, or it goes with that.
            make(store, &mount.source, BTreeMap::new(), true, write_document)?;
        } else if let Some(volume) = find(store, &mount.source)? {
            claim(store, &volume, kept)?;
        }
    }
    Ok(())
}

/// Has `kept` be a user of a volume that belongs to another container.
fn claim(store: &Store, volume: &Volume, kept: &Kept) -> Result<(), Error> {
    if !volume.anonymous {
        return Ok(());
    }
    let users = directory(store, &volume.name).join(USERS);
    let claimed = || -> io::Result<()> {
        fs::create_dir_all(&users)?;
        let link = users.join(kept.config.short_id());
        match symlink(std::path::absolute(kept.directory())?, link) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    claimed().map_err(Error::io(format!("use volume {}", volume.name)))
}

/// Removes a container that does not run, with the volumes that belong to it alone.
///
/// Errors: it runs.
pub fn remove_with_anonymous(store: &Store, kept: &Kept) -> Result<(), Error> {
    Yard::of(store).remove(kept)?;
    for mount in kept.config.mounts.iter().filter(|it| it.anonymous) {
        match find(store, &mount.source)?.map(|it| remove(store, &it)) {
            // Another container was given it by its name.
            None | Some(Ok(()) | Err(Error::Refused(_))) => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Where the volumes are that belong to a container alone.
pub(super) fn anonymous(store: &Store, config: &Config) -> Vec<PathBuf> {
    let mounts = config.mounts.iter().filter(|it| it.anonymous);
    mounts.map(|it| directory(store, &it.source)).collect()
}

/// Who uses a volume.
pub fn users(store: &Store, name: &str) -> Result<Vec<String>, Error> {
    let all = Yard::of(store).all()?;
    let uses = |kept: &Kept| {
        let mounts = &kept.config.mounts;
        mounts.iter().any(|it| it.volume && it.source == name)
    };
    Ok(all
        .into_iter()
        .filter(uses)
        .map(|kept| kept.config.name)
        .collect())
}

/// Removes a volume.
///
/// Errors: a container uses it.
pub fn remove(store: &Store, volume: &Volume) -> Result<(), Error> {
    let users = users(store, &volume.name)?;
    if let Some(user) = users.first() {
        return Err(Error::Refused(format!(
            "volume {} is in use by container {user}",
            volume.name
        )));
    }
    fs::remove_dir_all(directory(store, &volume.name))
        .map_err(Error::io(format!("remove volume {}", volume.name)))
}

/// The files of a volume, made where it is missing. An empty one begins with what the image has at
/// the place where it is mounted.
pub(super) fn use_for(store: &Store, snapshot: &Snapshot, mount: &Mount) -> Result<PathBuf, Error> {
    let (name, target) = (&mount.source, &mount.target);
    let volume = create(store, name, BTreeMap::new(), mount.anonymous)?;
    let data = volume.data(store);
    let begin = || -> io::Result<()> {
        // Several containers may start with it.
        let turn = File::open(directory(store, name).join("volume.json"))?;
        retry_on_intr(|| flock(&turn, FlockOperation::LockExclusive))?;
        if fs::read_dir(&data)?.next().is_some() {
            return Ok(());
        }
        let part = directory(store, name).join("filling");
        match fs::remove_dir_all(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if fill(snapshot, target, &part)? {
            // Who is killed, or whom the power fails, leaves it empty, and never with a part.
            if !mount.anonymous {
                syncfs(File::open(&part)?)?;
            }
            fs::rename(&part, &data)?;
        }
        Ok(())
    };
    begin().map_err(Error::io(format!(
        "copy {target} of the image into volume {name}"
    )))?;
    Ok(data)
}

/// Copies what the image has at `target`; whether it has a directory there.
fn fill(snapshot: &Snapshot, target: &str, data: &Path) -> io::Result<bool> {
    let root = snapshot.root().map_err(io::Error::other)?;
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    let Ok(source) = root.file(target, flags) else {
        return Ok(false);
    };
    use std::os::fd::AsRawFd;
    let status = Command::new("cp")
        .args(["--archive", "--no-target-directory"])
        .arg(format!(
            "/proc/{}/fd/{}/.",
            std::process::id(),
            source.as_raw_fd()
        ))
        .arg(data)
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("cp ended with {status}")));
    }
    let base = snapshot.slot().ids().base;
    for entry in WalkDir::new(data) {
        let entry = entry?;
        let found = entry.metadata()?;
        let own = |id: u32| Some(id.saturating_sub(base));
        lchown(entry.path(), own(found.uid()), own(found.gid()))?;
        if found.mode() & 0o6000 != 0 && found.is_file() {
            fs::set_permissions(
                entry.path(),
                fs::Permissions::from_mode(found.mode() & 0o7777),
            )?;
        }
    }
    Ok(true)
}
