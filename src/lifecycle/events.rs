//! What happened to containers, for who wants to know.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use racker_store::Store;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::yard::Yard;

/// Bytes after which older events are put aside.
const LIMIT: u64 = 1 << 20;

/// Something that happened to a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds since 1970.
    pub time: i64,
    /// What: docker's word for it, such as `start` or `die`.
    pub action: String,
    /// The container's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// What else there is to say.
    #[serde(default)]
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// Where they are written down.
pub fn path(store: &Store) -> PathBuf {
    Yard::of(store).directory().join("events")
}

/// Writes one down. That it cannot be is no reason for anything else to fail.
pub fn put(store: &Store, config: &Config, action: &str, attributes: &[(&str, &str)]) {
    let event = Event {
        time: super::state::now(),
        action: action.to_owned(),
        id: config.id.clone(),
        name: config.name.clone(),
        image: config.image.clone(),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let write = || -> io::Result<()> {
        let path = path(store);
        let mut file = File::options().create(true).append(true).open(&path)?;
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        file.write_all(&line)?;
        if file.metadata()?.len() > LIMIT {
            std::fs::rename(&path, path.with_extension("old"))?;
        }
        Ok(())
    };
    let _ = write();
}
