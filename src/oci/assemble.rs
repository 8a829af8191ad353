//! From verified layers to an image: the one way in which pulls, layouts and archives all end.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use racker_store::{Digest, Image, ImageLayer, Store, Tree, TreeId};

use super::config::Config;
use super::error::{Error, Result};
use super::layers::{self, Imported, Source, Wanted};
use super::manifest::{Blob, Manifest, sha256};
use super::options::Options;
use super::platform::Platform;

/// What an image is called and where it is from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The image's name in the store.
    pub name: String,
    /// Where it came from, as exactly as can be said.
    pub source: Option<String>,
    /// Its manifest, as it came.
    pub manifest: Option<Vec<u8>>,
    /// Digest of the index that a registry had.
    pub index: Option<Digest>,
}

/// Imports the layers of a manifest and makes the image.
pub(crate) fn from_manifest(
    store: &Store,
    origin: Origin,
    manifest: &Manifest,
    config: &Config,
    source: &dyn Source,
    options: &Options<'_>,
) -> Result<Image> {
    let pairs = manifest.layers.iter().zip(&config.diff_ids);
    let wanted: Vec<Wanted> = pairs
        .map(|(blob, diff_id)| wanted(Some(blob), *diff_id, None))
        .collect();
    from_layers(store, origin, config, &wanted, source, options)
}

/// A layer by its digest, or by its diff id where it has no other.
pub(crate) fn wanted(blob: Option<&Blob>, diff_id: Digest, item: Option<String>) -> Wanted {
    let digest = blob.map_or(diff_id, |blob| blob.digest);
    let item = item.unwrap_or_else(|| digest.hex()[..12].to_owned());
    Wanted {
        item,
        blob: blob.copied(),
        diff_id,
    }
}

/// Imports layers, applies them in order, and records the image: visible only at the very end.
pub(crate) fn from_layers(
    store: &Store,
    origin: Origin,
    config: &Config,
    wanted: &[Wanted],
    source: &dyn Source,
    options: &Options<'_>,
) -> Result<Image> {
    let failed = |error| Error::store(&origin.name, error);
    let imported = layers::import(store, wanted, source, options.progress)?;
    let stacked = store.sync_beside(|| stack(store, &origin.name, config, wanted, &imported));
    let (tree, layers) = stacked.map_err(failed)??;
    let keep = |bytes: &Option<Vec<u8>>| {
        let bytes = bytes.as_ref();
        bytes
            .map(|bytes| keep(store, &origin.name, bytes))
            .transpose()
    };
    let (digest, config_digest) = (keep(&origin.manifest)?, keep(&config.bytes)?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64);
    let image = Image {
        name: origin.name.clone(),
        tree,
        config: config.document.clone(),
        digest,
        index_digest: origin.index,
        config_digest,
        source: origin.source.clone(),
        recipe: None,
        created: config.created.unwrap_or(now),
        layers,
    };
    store.put_image(&image).map_err(failed)?;
    Ok(image)
}

/// Keeps a document as it came, so that the image can go out as it came.
fn keep(store: &Store, name: &str, bytes: &[u8]) -> Result<Digest> {
    let digest = sha256(bytes);
    if store.blob(&digest).is_none() {
        let mut blob = store
            .blob_writer()
            .map_err(|error| Error::store(name, error))?;
        let written = blob.write_all(bytes);
        written.map_err(|error| Error::io(name, error))?;
        let kept = blob.finish(Some(&digest));
        kept.map_err(|error| Error::store(name, error))?;
    }
    Ok(digest)
}

/// Applies the layers one after the other; keeps every tree, also those in the middle.
fn stack(
    store: &Store,
    name: &str,
    config: &Config,
    wanted: &[Wanted],
    imported: &BTreeMap<Digest, Imported>,
) -> Result<(TreeId, Vec<ImageLayer>)> {
    let failed = |error| Error::store(name, error);
    let mut tree = Tree::default();
    let mut id = tree.id();
    let mut layers = Vec::with_capacity(wanted.len());
    for (layer, created_by) in wanted.iter().zip(&config.created_by) {
        let part = &imported[&layer.diff_id];
        let next = part
            .changeset
            .apply(&tree)
            .map_err(|error| Error::store(&layer.item, error))?;
        let (result, difference) = store.put_successor(id, &tree, &next).map_err(failed)?;
        // The chain of bases begins at nothing, so that checkouts are shared layer by layer.
        let parent = (!layers.is_empty()).then_some(id);
        store.put_base(result, parent, difference).map_err(failed)?;
        layers.push(ImageLayer {
            diff_id: Some(layer.diff_id),
            size: part.size,
            ..ImageLayer::new(result, Some(difference), created_by)
        });
        (tree, id) = (next, result);
    }
    if layers.is_empty() {
        store.put_tree(&tree).map_err(failed)?;
    }
    Ok((id, layers))
}

/// Compares what an image says it is for with what was asked for. The host's own platform is only
/// a wish: an image for another one is taken with a word of warning, as docker does.
pub(crate) fn check_platform(config: &Config, what: &str, options: &Options<'_>) -> Result<()> {
    let wanted = options.platform();
    let Some(made_for) = config
        .platform
        .as_ref()
        .filter(|p| wanted.rank(p).is_none())
    else {
        return Ok(());
    };
    if options.platform.is_some() {
        return Err(Error::NoPlatform {
            what: what.to_owned(),
            wanted: wanted.to_string(),
            available: vec![made_for.to_string()],
        });
    }
    let host = Platform::host();
    options.progress.message(&format!(
        "{what} is made for {made_for}, this machine is {host}"
    ));
    Ok(())
}
