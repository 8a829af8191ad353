//! What a step led to: `realisations/ab/<step key>/<tree id>.json`.
//!
//! A key may have several, when the same step led to different trees. The first record of a pair
//! stays: recording it again writes nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{LayerId, StepKey, TreeId};
use crate::image::json;
use crate::store::{Store, list, present, read_optional};

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

    /// Keeps what a step led to, and how its tree came out of its parent.
    pub fn record(&self, realisation: &Realisation) -> Result<()> {
        self.writable()?;
        if let Some(layer) = realisation.layer {
            self.put_base(realisation.tree, realisation.parent, layer)?;
        }
        let path = self
            .key_path(realisation.key)
            .join(format!("{}.json", realisation.tree));
        if present(&path) {
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
        for shard in list(&self.root().join("realisations"))? {
            for key in list(&shard)? {
                for path in list(&key)? {
                    found.extend(read(path)?);
                }
            }
        }
        Ok(found)
    }

    fn key_path(&self, key: StepKey) -> PathBuf {
        let hex = key.hex();
        self.root().join("realisations").join(&hex[..2]).join(hex)
    }
}

fn read(path: PathBuf) -> Result<Option<Realisation>> {
    let Some(bytes) = read_optional(&path)?.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::damaged("realisation", path.display(), error))
}
