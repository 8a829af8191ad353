//! A whole recipe: base, steps in order, image.

use std::collections::BTreeMap;
use std::path::PathBuf;

use racker_store::{Change, Content, Image, ImageLayer, Realisation, Store};
use serde_json::{Value, json};

use super::base::{self, Base};
use super::step::{Step, epoch};
use super::{Error, Workshop};
use crate::oci::Platform;
use crate::plan::Plan;
use crate::plan::lock::Lock;
use crate::recipe::Chain;

/// How to bake.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Make every step, found or not.
    pub no_cache: bool,
    /// Give the user a shell where a step failed.
    pub shell_on_failure: bool,
    /// The lock may not change.
    pub locked: bool,
    /// Files that hold the values of secrets, by the secrets' ids.
    pub secrets: BTreeMap<String, PathBuf>,
}

/// An image that was baked.
#[derive(Debug, Clone)]
pub struct Baked {
    /// It.
    pub image: Image,
    /// How many steps were made.
    pub made: usize,
    /// How many steps there are.
    pub steps: usize,
}

/// Bakes the recipe at the end of `chain`; what `lock` lacks is added to it.
pub fn bake(
    shop: Workshop<'_>,
    chain: &Chain,
    lock: &mut Lock,
    options: &Options,
) -> Result<Baked, Error> {
    let plan = Plan::new(chain);
    let platform = Platform::host().to_string();
    let base = base::find(shop, &plan.base, &platform, lock, options.locked)?;
    if let (None, Some(created)) = (lock.epoch, base.created) {
        lock.epoch = Some(created);
    }
    let mut tree = base.tree;
    let mut made = 0;
    let mut realisations = Vec::new();
    for planned in &plan.steps {
        let step = Step {
            shop,
            planned,
            platform: &platform,
            total: plan.steps.len(),
            options,
        };
        let start = super::step::now();
        let realisation = step.realise(tree, lock)?;
        made += usize::from(realisation.built >= start);
        tree = realisation.tree;
        realisations.push((realisation, planned.impure));
    }
    let image = image(shop.store, chain, &base, &realisations, epoch(lock))?;
    if shop.store.image(&image.name)?.as_ref() != Some(&image) {
        shop.store.put_image(&image)?;
        shop.store.sync()?;
    }
    Ok(Baked {
        image,
        made,
        steps: plan.steps.len(),
    })
}

/// The name under which a recipe's image is kept.
pub(super) fn image_name(recipe: &str) -> String {
    format!("localhost/{recipe}:latest")
}

fn image(
    store: &Store,
    chain: &Chain,
    base: &Base,
    realisations: &[(Realisation, bool)],
    epoch: i64,
) -> Result<Image, Error> {
    let name = image_name(&chain.recipe().name);
    let earlier = store.image(&name)?;
    let mut layers = base.layers.clone();
    for (realisation, impure) in realisations {
        // Adding up a layer means reading it; an earlier image knows the sum.
        let known = earlier
            .iter()
            .flat_map(|image| &image.layers)
            .find(|layer| {
                layer.layer == realisation.layer && layer.step_key == Some(realisation.key)
            });
        let size = match (known, realisation.layer) {
            (Some(known), _) => known.size,
            (None, Some(layer)) => layer_size(store, layer)?,
            (None, None) => 0,
        };
        layers.push(ImageLayer {
            layer: realisation.layer,
            tree: realisation.tree,
            diff_id: None,
            created_by: realisation.step.clone(),
            size,
            log: realisation.log.clone(),
            step_key: Some(realisation.key),
            impure: *impure,
        });
    }
    let tree = realisations
        .last()
        .map_or(base.tree, |(realisation, _)| realisation.tree);
    Ok(Image {
        name,
        tree,
        config: config(chain, base, &layers, epoch),
        digest: None,
        source: None,
        recipe: Some(chain.recipe().name.clone()),
        created: epoch,
        layers,
    })
}

/// Bytes of all files that a layer brings.
fn layer_size(store: &Store, layer: racker_store::LayerId) -> Result<u64, Error> {
    let layer = store.layer(layer)?;
    Ok(layer
        .changes
        .iter()
        .filter_map(|(_, change)| match change {
            Change::Inode(inode) => match &inode.content {
                Content::File { size, .. } => Some(*size),
                _ => None,
            },
            _ => None,
        })
        .sum())
}

/// The OCI image configuration document. Source: OCI image-spec, config.md.
fn config(chain: &Chain, base: &Base, layers: &[ImageLayer], epoch: i64) -> Value {
    let platform = Platform::host();
    let inner = base
        .config
        .get("config")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let created = timestamp(epoch);
    let history: Vec<Value> = layers
        .iter()
        .map(|layer| json!({ "created": created, "created_by": layer.created_by }))
        .collect();
    let mut document = base.config.as_object().cloned().unwrap_or_default();
    document.insert("architecture".into(), json!(platform.architecture));
    document.insert("os".into(), json!("linux"));
    document.insert("created".into(), json!(created));
    document.insert("config".into(), chain.image().to_oci(&inner));
    document.insert("history".into(), json!(history));
    // Layers of steps have no tar yet, and so no digest of one.
    document.remove("rootfs");
    Value::Object(document)
}

/// RFC 3339 in UTC.
fn timestamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |it| it.to_string())
}
