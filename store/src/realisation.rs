//! What a step led to: `realisations/ab/<step key>/<tree id>.json`.
//!
//! A key may have several, when the same step led to different trees. The first record of a pair
//! stays: recording it again writes nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{LayerId, StepKey, TreeId};
use crate::image::json;
use crate::lease::{modified, touch};
use crate::store::{Access, Store, list, read_optional};

/// One time that a step was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Realisation {
    /// The step's key.
    pub key: StepKey,
    /// Everything the key was made of.
    pub document: serde_json::Value,
    /// Name of the recipe.
    pub recipe: String,
    /// Place of the step in the recipe.
    pub place: usize,
    /// The step in a few words.
    pub step: String,
    /// The tree before the step.
    #[serde(default)]
    pub parent: Option<TreeId>,
    /// The tree after the step.
    pub tree: TreeId,
    /// The difference between the two.
    #[serde(default)]
    pub layer: Option<LayerId>,
    /// When, in seconds since 1970.
    pub built: i64,
    /// How long it took.
    pub milliseconds: u64,
    /// The step's log.
    #[serde(default)]
    pub log: Option<String>,
}

impl Store {
    /// What this step led to so far, the oldest first. Needs no index.
    pub fn realisations(&self, key: StepKey) -> Result<Vec<Realisation>> {
        let mut found = Vec::new();
        for path in list(&self.key_path(key))? {
            found.extend(read(path)?);
        }
        found.sort_by_key(|realisation| realisation.built);
        Ok(found)
    }

    /// Makes durable what was put in so far, and then keeps what a step led to.
    pub fn record(&self, realisation: &Realisation) -> Result<()> {
        self.writable()?;
        let path = self.realisation_path(realisation);
        if self.freshen(&path)? {
            return Ok(());
        }
        self.write_durable(
            &path,
            &json("realisation", &realisation.key.to_string(), realisation)?,
        )?;
        self.index_realisation(realisation);
        Ok(())
    }

    /// Realisations of one place of a recipe, the newest first.
    pub fn recent(&self, recipe: &str, place: usize) -> Result<Vec<Realisation>> {
        let mut found = Vec::new();
        match self.indexed_realisations(recipe, place) {
            Some(rows) => {
                for (key, tree) in rows {
                    found.extend(read(self.key_path(key).join(format!("{tree}.json")))?);
                }
            }
            None => {
                for realisation in self.all_realisations()? {
                    if realisation.recipe == recipe && realisation.place == place {
                        found.push(realisation);
                    }
                }
            }
        }
        found.sort_by_key(|realisation| std::cmp::Reverse(realisation.built));
        Ok(found)
    }

    /// Everything on record, read from the files.
    pub(crate) fn all_realisations(&self) -> Result<Vec<Realisation>> {
        let mut found = Vec::new();
        for path in self.realisation_paths()? {
            found.extend(read(path)?);
        }
        Ok(found)
    }

    pub(crate) fn realisation_paths(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for shard in list(&self.root().join("realisations"))? {
            for key in list(&shard)? {
                found.extend(list(&key)?);
            }
        }
        Ok(found)
    }

    /// Keeps what a step led to from being collected as long as this store is open, and notes, at
    /// most twice a day, that it was of use. Says whether it is there.
    pub fn use_again(&self, realisation: &Realisation) -> Result<bool> {
        const SELDOM: u64 = 12 * 3600;
        if !self.hold(realisation.tree)? {
            return Ok(false);
        }
        let path = self.realisation_path(realisation);
        let Ok(stat) = rustix::fs::stat(&path) else {
            return Ok(false);
        };
        let used = std::time::Duration::from_secs(modified(&stat).0.try_into().unwrap_or(0));
        let age = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        if self.access() == Access::ReadWrite && age.saturating_sub(used).as_secs() > SELDOM {
            // It is only for the collector, and a store may be full.
            let _ = touch(&path);
        }
        Ok(true)
    }

    /// Where the record of a realisation is.
    pub(crate) fn realisation_path(&self, realisation: &Realisation) -> PathBuf {
        let file = format!("{}.json", realisation.tree);
        self.key_path(realisation.key).join(file)
    }

    fn key_path(&self, key: StepKey) -> PathBuf {
        let hex = key.hex();
        self.root().join("realisations").join(&hex[..2]).join(hex)
    }
}

pub(crate) fn read(path: PathBuf) -> Result<Option<Realisation>> {
    let Some(bytes) = read_optional(&path)?.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::damaged("realisation", path.display(), error))
}
