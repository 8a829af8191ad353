//! Named trees: `roots/images/<name>.json`, the name percent-encoded.
//!
//! An image keeps its tree, layers and logs alive.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{At as _, Error, Result};
use crate::id::{Digest, LayerId, StepKey, TreeId};
use crate::store::{Store, list, read_optional};

/// A named tree with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Full name, like `localhost/web:latest`.
    pub name: String,
    /// Its root file system.
    pub tree: TreeId,
    /// The OCI image configuration document.
    pub config: serde_json::Value,
    /// Digest of the manifest it was pulled by; the bytes may be a blob.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// Digest of the index that it was chosen from, where a registry had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_digest: Option<Digest>,
    /// Digest of the configuration document as it came; the bytes may be a blob.
    #[serde(default)]
    pub config_digest: Option<Digest>,
    /// Where it came from.
    #[serde(default)]
    pub source: Option<String>,
    /// The recipe it was baked from.
    #[serde(default)]
    pub recipe: Option<String>,
    /// When it was put here, in seconds since 1970.
    pub created: i64,
    /// Its layers, the lowest first.
    #[serde(default)]
    pub layers: Vec<ImageLayer>,
}

impl Image {
    /// A name for a tree of which nothing else is known, put here in 1970.
    pub fn new(name: impl Into<String>, tree: TreeId) -> Self {
        Self {
            name: name.into(),
            tree,
            config: serde_json::Value::Null,
            digest: None,
            index_digest: None,
            config_digest: None,
            source: None,
            recipe: None,
            created: 0,
            layers: Vec::new(),
        }
    }
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageLayer {
    /// The difference to the layer below.
    #[serde(default)]
    pub layer: Option<LayerId>,
    /// The tree with this layer on top.
    pub tree: TreeId,
    /// SHA-256 of the layer as a tar archive, where it was imported from one.
    #[serde(default)]
    pub diff_id: Option<Digest>,
    /// What made it, for the history.
    #[serde(default)]
    pub created_by: String,
    /// Bytes that it adds.
    #[serde(default)]
    pub size: u64,
    /// The step's log.
    #[serde(default)]
    pub log: Option<String>,
    /// The step that made it.
    #[serde(default)]
    pub step_key: Option<StepKey>,
    /// Whether the step had the network.
    #[serde(default)]
    pub impure: bool,
    /// Whether it changes nothing.
    #[serde(default)]
    pub empty: bool,
}

impl ImageLayer {
    /// A layer of which nothing else is known, made by no step.
    pub fn new(tree: TreeId, layer: Option<LayerId>, created_by: impl Into<String>) -> Self {
        Self {
            layer,
            tree,
            diff_id: None,
            created_by: created_by.into(),
            size: 0,
            log: None,
            step_key: None,
            impure: false,
            empty: false,
        }
    }
}

impl Store {
    /// The image of this name.
    pub fn image(&self, name: &str) -> Result<Option<Image>> {
        let Some(bytes) = read_optional(&self.image_path(name)?)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::damaged("image", name, error))
    }

    /// All images, by name.
    pub fn images(&self) -> Result<Vec<Image>> {
        let mut images = Vec::new();
        for path in list(&self.root().join("roots/images"))? {
            let Some(bytes) = read_optional(&path)? else {
                continue;
            };
            let image: Image = serde_json::from_slice(&bytes)
                .map_err(|error| Error::damaged("image", path.display(), error))?;
            images.push(image);
        }
        images.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(images)
    }

    /// Makes durable what was put in so far, and then names an image, or gives its name to another one, for good.
    pub fn put_image(&self, image: &Image) -> Result<()> {
        let path = self.image_path(&image.name)?;
        self.write_durable(&path, &json("image", &image.name, image)?)?;
        let directory = path.parent().unwrap_or(&path);
        let synced = File::open(directory).and_then(|it| it.sync_all());
        synced.at("sync", directory)?;
        self.index_image(image);
        Ok(())
    }

    /// Takes a name away; says whether there was one.
    pub fn remove_image(&self, name: &str) -> Result<bool> {
        self.writable()?;
        let path = self.image_path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            result => {
                result.at("remove", &path)?;
                self.unindex_image(name);
                Ok(true)
            }
        }
    }

    pub(crate) fn image_path(&self, name: &str) -> Result<PathBuf> {
        let mut file = String::with_capacity(name.len() + 8);
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    file.push(char::from(byte));
                }
                _ => file.push_str(&format!("%{byte:02X}")),
            }
        }
        if file.is_empty() || file.len() > 250 {
            return Err(Error::Name {
                what: "an image",
                name: name.into(),
            });
        }
        Ok(self.root().join("roots/images").join(file + ".json"))
    }
}

/// Text of a document that is kept as a file.
pub(crate) fn json(what: &'static str, name: &str, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::damaged(what, name, error))?;
    text.push(b'\n');
    Ok(text)
}
