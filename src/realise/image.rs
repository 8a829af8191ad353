//! The image that a recipe's steps make: its layers, and what is written about it.

use racker_store::{Change, Content, Image, ImageLayer, LayerId, Realisation, Store};
use serde_json::{Map, Value, json};

use super::Error;
use super::bake::image_name;
use super::base::Base;
use crate::oci::Platform;
use crate::recipe::Chain;

/// A step's result, in the words of this recipe: another one may have made it.
#[derive(Debug)]
pub(super) struct StepResult {
    pub(super) realisation: Realisation,
    pub(super) summary: String,
    pub(super) impure: bool,
    /// Whether it was made just now.
    pub(super) made: bool,
}

/// Puts the image together.
pub(super) fn image(
    store: &Store,
    chain: &Chain,
    base: &Base,
    results: &[StepResult],
    epoch: i64,
) -> Result<Image, Error> {
    let name = image_name(&chain.recipe().name);
    let earlier = store.image(&name)?;
    let mut layers = base.layers.clone();
    for result in results {
        let realisation = &result.realisation;
        // Adding up a layer means reading it; an earlier image knows the sum.
        let known = earlier
            .iter()
            .flat_map(|image| &image.layers)
            .find(|layer| {
                layer.layer == realisation.layer && layer.step_key == Some(realisation.key)
            });
        let (size, empty) = match (known, realisation.layer) {
            (Some(known), _) => (known.size, known.empty),
            (None, Some(layer)) => measure(store, layer)?,
            (None, None) => (0, false),
        };
        layers.push(ImageLayer {
            layer: realisation.layer,
            tree: realisation.tree,
            diff_id: None,
            created_by: result.summary.clone(),
            size,
            log: realisation.log.clone(),
            step_key: Some(realisation.key),
            impure: result.impure,
            empty,
        });
    }
    let tree = layers.last().map_or(base.tree, |layer| layer.tree);
    Ok(Image {
        config: config(chain, base, &layers, epoch),
        recipe: Some(chain.recipe().name.clone()),
        created: epoch,
        layers,
        ..Image::new(name, tree)
    })
}

/// Bytes of all files that a layer brings, and whether it changes nothing.
fn measure(store: &Store, layer: LayerId) -> Result<(u64, bool), Error> {
    let layer = store.layer(layer)?;
    let sizes = layer.changes.iter().filter_map(|(_, change)| match change {
        Change::Inode(inode) => match &inode.content {
            Content::File { size, .. } => Some(*size),
            _ => None,
        },
        _ => None,
    });
    Ok((sizes.sum(), layer.changes.is_empty()))
}

/// The OCI image configuration document, without the digests of layers, which only an export
/// knows. Source: OCI image-spec, config.md.
fn config(chain: &Chain, base: &Base, layers: &[ImageLayer], epoch: i64) -> Value {
    const KEPT: [&str; 4] = ["author", "os.features", "os.version", "variant"];
    let mut document = Map::new();
    for key in KEPT {
        if let Some(value) = base.config.get(key) {
            document.insert(key.into(), value.clone());
        }
    }
    let inner = base.config.get("config").cloned();
    let inner = inner.unwrap_or_else(|| json!({}));
    document.insert("architecture".into(), json!(Platform::host().architecture));
    document.insert("os".into(), json!("linux"));
    document.insert("created".into(), json!(timestamp(epoch)));
    document.insert("config".into(), chain.image().to_oci(&inner));
    document.insert("history".into(), history(base, layers, epoch));
    Value::Object(document)
}

/// What made each layer: the base's own history where it fits its layers, then one entry per step.
fn history(base: &Base, layers: &[ImageLayer], epoch: i64) -> Value {
    let fits = |entries: &&Vec<Value>| {
        let filled = entries.iter().filter(|it| it["empty_layer"] != true);
        filled.count() == base.layers.len()
    };
    let entry = |layer: &ImageLayer| {
        let mut entry = json!({ "created": timestamp(epoch), "created_by": layer.created_by });
        if layer.empty {
            entry["empty_layer"] = json!(true);
        }
        entry
    };
    let (below, steps) = layers.split_at(base.layers.len());
    let mut all = match base.config["history"].as_array().filter(fits) {
        Some(entries) => entries.clone(),
        None => below.iter().map(entry).collect(),
    };
    all.extend(steps.iter().map(entry));
    Value::Array(all)
}

/// RFC 3339 in UTC.
fn timestamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |it| it.to_string())
}
