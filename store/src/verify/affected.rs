//! Which images suffer from what is wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Damage;
use super::check::{Findings, Kind};
use crate::error::Result;
use crate::image::Image;
use crate::store::{Store, list};

/// One damage for each finding, with the names of images.
pub(super) fn damages(store: &Store, findings: &Findings) -> Result<Vec<Damage>> {
    let images = readable(store)?;
    let mut damages = Vec::new();
    for (path, found) in &findings.files {
        for finding in found {
            let names: BTreeSet<&str> = images
                .iter()
                .filter(|image| suffers(image, path, &finding.kind, findings, store))
                .map(|image| &*image.name)
                .collect();
            damages.push(Damage {
                path: path.clone(),
                reason: finding.reason.clone(),
                images: names.into_iter().map(str::to_owned).collect(),
            });
        }
    }
    Ok(damages)
}

/// The images whose files can be read.
pub(super) fn readable(store: &Store) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    for path in list(&store.root().join("roots/images"))? {
        let bytes = fs::read(&path).unwrap_or_default();
        images.extend(serde_json::from_slice::<Image>(&bytes));
    }
    Ok(images)
}

fn suffers(image: &Image, path: &Path, kind: &Kind, findings: &Findings, store: &Store) -> bool {
    let trees = || image.layers.iter().map(|it| it.tree).chain([image.tree]);
    match kind {
        Kind::Object(object) => trees().any(|tree| {
            let lacking = findings.lacking.get(&tree);
            lacking.is_some_and(|lacking| lacking.contains(object))
        }),
        Kind::Tree(id) | Kind::Erofs(id) => trees().any(|tree| tree == *id),
        Kind::Layer(id) => image.layers.iter().any(|it| it.layer == Some(*id)),
        Kind::Archive(id) => image.layers.iter().any(|it| it.diff_id == Some(*id)),
        Kind::Image => store
            .image_path(&image.name)
            .is_ok_and(|own| own.ends_with(path)),
        Kind::Access | Kind::Beside | Kind::Blob | Kind::Realisation | Kind::Index => false,
    }
}
