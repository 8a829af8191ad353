//! Named volumes: directories of the store that outlive containers.
//!
//! Files in them have the owners that containers see.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use racker_store::Store;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::Error;
use super::name;
use super::yard::Yard;
use crate::container::Snapshot;

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// When it was made, in nanoseconds since 1970.
    pub created: i64,
    /// What is said of it.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
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
    let read = || format!("read {}", store.volumes().display());
    let entries = match fs::read_dir(store.volumes()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io(read()))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(read()))?.path().join("volume.json");
        if let Ok(bytes) = fs::read(&path) {
            all.push(
                serde_json::from_slice::<Volume>(&bytes).map_err(|error| Error::Damaged {
                    path,
                    reason: error.to_string(),
                })?,
            );
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The volume of this name.
pub fn find(store: &Store, name: &str) -> Result<Option<Volume>, Error> {
    Ok(all(store)?.into_iter().find(|it| it.name == name))
}

/// Makes a volume; whether there was none of this name yet comes with it.
pub fn create(
    store: &Store,
    name: &str,
    labels: std::collections::BTreeMap<String, String>,
) -> Result<(Volume, bool), Error> {
    name::check(name)?;
    if let Some(volume) = find(store, name)? {
        return Ok((volume, false));
    }
    let volume = Volume {
        name: name.to_owned(),
        created: super::state::now(),
        labels,
    };
    let at = directory(store, name);
    fs::create_dir_all(at.join("data"))
        .and_then(|()| Ok(serde_json::to_vec(&volume)?))
        .and_then(|bytes| fs::write(at.join("volume.json"), bytes))
        .map_err(Error::io(format!("create volume {name}")))?;
    Ok((volume, true))
}

/// Who uses a volume.
pub fn users(store: &Store, name: &str) -> Result<Vec<String>, Error> {
    let all = Yard::of(store).all()?;
    let uses = |kept: &super::kept::Kept| {
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

/// The files of a volume, made where it is missing. A new one begins with what the image has at
/// `target`.
pub(super) fn use_for(
    store: &Store,
    name: &str,
    snapshot: &Snapshot,
    target: &str,
) -> Result<PathBuf, Error> {
    let (volume, new) = create(store, name, std::collections::BTreeMap::new())?;
    let data = volume.data(store);
    if new {
        fill(snapshot, target, &data).map_err(Error::io(format!(
            "copy {target} of the image into volume {name}"
        )))?;
    }
    Ok(data)
}

fn fill(snapshot: &Snapshot, target: &str, data: &Path) -> io::Result<()> {
    let root = snapshot.root().map_err(io::Error::other)?;
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    let Ok(source) = root.file(target, flags) else {
        return Ok(());
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
    Ok(())
}
