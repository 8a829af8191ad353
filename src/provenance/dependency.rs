//! What went into an image, each by its digest: in-toto's resource descriptors.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::installed::Os;
use crate::plan::KeyDocument;
use crate::purl::Purl;
use crate::record::{Origin, locked, named, placed};
use crate::shown::shown_path;

/// Something that went into an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dependency {
    /// What it is called.
    pub name: String,
    /// What it is called in the world, where it has such a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Digests in hexadecimal digits, by algorithm.
    pub digest: BTreeMap<&'static str, String>,
    /// What else is to say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<&'static str, String>,
}

impl Dependency {
    pub(super) fn new(name: impl Into<String>, algorithm: &'static str, hex: String) -> Self {
        Self {
            name: name.into(),
            digest: BTreeMap::from([(algorithm, hex)]),
            ..Self::default()
        }
    }

    pub(super) fn with_uri(self, uri: impl ToString) -> Self {
        let uri = Some(uri.to_string());
        Self { uri, ..self }
    }

    pub(super) fn noting(mut self, what: &'static str, text: impl Into<String>) -> Self {
        self.annotations.insert(what, text.into());
        self
    }
}

/// Everything that steps took in: package files, fetched files, copied ones. What went into several
/// steps is listed once.
pub(super) fn of_steps<'a>(
    documents: impl Iterator<Item = &'a KeyDocument>,
    os: Option<&Os>,
) -> Vec<Dependency> {
    let mut seen = BTreeSet::new();
    let all = documents.flat_map(|document| of_step(document, os));
    all.filter(|it| seen.insert(it.clone())).collect()
}

fn of_step(document: &KeyDocument, os: Option<&Os>) -> Vec<Dependency> {
    let packages = locked(document).into_iter().map(|it| {
        let purl = Purl::of(it.database, &it.name, &it.version, &it.architecture, os);
        Dependency::new(it.name, "sha256", it.sha256.hex()).with_uri(purl)
    });
    let files = named(document)
        .into_iter()
        .map(|it| Dependency::new(it.path, "blake3", it.blake3));
    let placed = placed(document).into_iter().map(|it| {
        let path = shown_path(&it.path);
        match it.origin {
            Origin::Fetched(digest) => {
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                Dependency::new(name, "sha256", digest.hex()).noting("fetchedTo", path)
            }
            Origin::Copied { from, blake3 } => {
                Dependency::new(from, "blake3", blake3.hex()).noting("copiedTo", path)
            }
        }
    });
    packages.chain(files).chain(placed).collect()
}
