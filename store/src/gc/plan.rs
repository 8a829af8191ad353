//! Which roots stay, and what they need.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::mark::{Marks, Needs};
use super::{Policy, limits};
use crate::error::Result;
use crate::id::{Digest, LayerId, TreeId};
use crate::image::Image;
use crate::lease::{Moment, changed, modified};
use crate::realisation::{self, Realisation};
use crate::store::{Store, list};

/// What stays and what goes, but for files that nothing refers to.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) marks: Marks,
    /// Images that go.
    pub(super) images: Vec<String>,
    /// Realisations that go, and those whose files cannot be read.
    pub(super) realisations: Vec<(PathBuf, Option<Realisation>)>,
    /// What is by itself and was not used since then goes.
    pub(super) unused_since: Moment,
    /// Bytes for what is by itself; none where nothing is limited.
    pub(super) left: Option<u64>,
}

/// A root that may go.
enum Candidate {
    Image(Image),
    Realisation(PathBuf, Realisation),
}

pub(super) fn plan(store: &Store, policy: &Policy, began: Moment, cutoff: Moment) -> Result<Plan> {
    let limit = limits::limit(store, policy)?;
    let unused_since = before(began, policy.older_than).min(cutoff);
    let mut marks = Marks::default();
    let mut plan_images = Vec::new();
    let mut pinned: Vec<Needs> = Vec::new();
    let mut candidates: Vec<(Moment, Candidate)> = Vec::new();

    for image in store.images()? {
        let stat = rustix::fs::stat(store.image_path(&image.name)?);
        let used = stat.map_or(began, |stat| modified(&stat));
        if policy.images.contains(&image.name) && used < cutoff {
            candidates.push((used, Candidate::Image(image)));
        } else {
            pinned.push(Needs::image(&image));
        }
    }
    pinned.extend(store.container_needs()?);
    pinned.extend(young(store, cutoff)?);

    let mut realisations = Vec::new();
    for path in store.realisation_paths()? {
        let Ok(stat) = rustix::fs::stat(&path) else {
            continue;
        };
        match realisation::read(path.clone()) {
            Ok(Some(found)) if changed(&stat) >= cutoff || store.is_held(found.tree) => {
                pinned.push(Needs::realisation(&found));
            }
            Ok(Some(found)) => {
                candidates.push((modified(&stat), Candidate::Realisation(path, found)));
            }
            Ok(None) | Err(_) => realisations.push((path, None)),
        }
    }
    marks.add(store, pinned)?;

    // The newest first; images after the results of steps that were made from them.
    candidates
        .sort_by_key(|(used, it)| (matches!(it, Candidate::Image(_)), std::cmp::Reverse(*used)));
    let mut full = false;
    let mut parents: HashSet<TreeId> = HashSet::new();
    let mut kept = Vec::new();
    for (used, candidate) in candidates {
        let based_on = matches!(&candidate, Candidate::Image(it) if parents.contains(&it.tree));
        let (needs, parent) = match &candidate {
            Candidate::Image(image) => (Needs::image(image), None),
            Candidate::Realisation(_, it) => (Needs::realisation(it), it.parent),
        };
        if !full && (used >= unused_since || based_on) {
            let Some(limit) = limit else {
                parents.extend(parent);
                kept.push(needs);
                continue;
            };
            let beyond = marks.beyond(store, [needs])?;
            if marks.bytes + beyond.bytes <= limit {
                parents.extend(parent);
                marks.take(beyond);
                continue;
            }
            // Older ones do not stay where a newer one goes.
            full = true;
        }
        match candidate {
            Candidate::Image(image) => plan_images.push(image.name),
            Candidate::Realisation(path, it) => realisations.push((path, Some(it))),
        }
    }
    marks.add(store, kept)?;
    Ok(Plan {
        left: limit.map(|limit| limit.saturating_sub(marks.bytes)),
        marks,
        images: plan_images,
        realisations,
        unused_since,
    })
}

/// The moment that much earlier.
fn before((seconds, nanoseconds): Moment, age: Duration) -> Moment {
    let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    (seconds.saturating_sub(age), nanoseconds)
}

/// What young or held trees, and young layers and archives need: somebody is about to refer to them.
fn young(store: &Store, cutoff: Moment) -> Result<Vec<Needs>> {
    let mut found = Vec::new();
    for directory in ["trees", "layers"] {
        for path in list(&store.root().join(directory))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some((name, kind)) = name.split_once('.') else {
                continue;
            };
            if !matches!(kind, "tree" | "layer" | "split") {
                continue;
            }
            let young = rustix::fs::stat(&path).is_ok_and(|stat| changed(&stat) >= cutoff);
            let mut needs = Needs::default();
            match kind {
                "tree" => needs.trees.extend(
                    name.parse::<TreeId>()
                        .ok()
                        .filter(|id| young || store.is_held(*id)),
                ),
                "layer" if young => needs.layers.extend(name.parse::<LayerId>()),
                "split" if young => needs
                    .archives
                    .extend(name.replace('-', ":").parse::<Digest>()),
                _ => {}
            }
            found.push(needs);
        }
    }
    Ok(found)
}
