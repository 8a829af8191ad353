//! Layers on disk: `layers/<id>.layer`, the manifest compressed with zstd.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::id::LayerId;
use crate::layer::Layer;
use crate::store::{Store, present};
use crate::trees::{pack, unpack};

impl Store {
    /// Keeps a layer.
    pub fn put_layer(&self, layer: &Layer) -> Result<LayerId> {
        let text = layer.encode();
        let id = LayerId::from_bytes(*blake3::hash(&text).as_bytes());
        let path = self.layer_path(id);
        if !self.freshen(&path)? {
            self.write_file(&path, &pack(&text, &path)?)?;
        }
        Ok(id)
    }

    /// The layer of this name.
    pub fn layer(&self, id: LayerId) -> Result<Layer> {
        let bytes = self
            .read(&self.layer_path(id))?
            .ok_or_else(|| Error::missing("layer", id))?;
        let text = unpack(&bytes, id.as_bytes(), "layer", &id)?;
        Layer::decode(&text)
    }

    /// Whether there is a layer of this name.
    pub fn has_layer(&self, id: LayerId) -> bool {
        present(&self.layer_path(id))
    }

    pub(crate) fn layer_path(&self, id: LayerId) -> PathBuf {
        self.root().join("layers").join(format!("{id}.layer"))
    }
}
