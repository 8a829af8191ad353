//! Everything that both forms of a bill say.

use std::collections::{BTreeMap, BTreeSet};

use racker_store::{Digest, Image, Store, TreeId};

use super::Error;
use super::files::{BillFile, files};
use crate::installed::{Database, Installed, Os, Package};
use crate::purl::Purl;
use crate::record::{locked, steps};

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Bill {
    pub(super) name: String,
    pub(super) tree: TreeId,
    /// Digest of the image's manifest.
    pub(super) digest: Option<Digest>,
    /// When the image was made, in seconds since 1970.
    pub(super) created: i64,
    pub(super) os: Option<Os>,
    /// Sorted as [`Installed`] sorts them; no two have the same purl.
    pub(super) packages: Vec<BillPackage>,
    /// Sorted by purl.
    pub(super) sources: Vec<BillSource>,
    /// Sorted by path.
    pub(super) files: Vec<BillFile>,
}

/// A package of the image.
#[derive(Clone, Debug)]
pub(super) struct BillPackage {
    pub(super) package: Package,
    pub(super) purl: String,
    /// The package file's digest, where a step's record has it.
    pub(super) sha256: Option<Digest>,
    /// The purl of its source.
    pub(super) source: Option<String>,
}

/// What packages of the image were built from.
#[derive(Clone, Debug)]
pub(super) struct BillSource {
    pub(super) purl: String,
    pub(super) name: String,
    pub(super) version: String,
}

/// What a package file is looked up by.
type FileKey = (Database, String, String, String);

impl Bill {
    /// Reads what an image is made of; `name` is what it is called in the bill.
    pub fn of(store: &Store, image: &Image, name: &str) -> Result<Self, Error> {
        let tree = store.tree(image.tree)?;
        let installed = Installed::read(store, &tree)?;
        let os = Os::read(store, &tree)?;
        let steps = steps(store, image)?;
        let mut digests: BTreeMap<FileKey, Digest> = BTreeMap::new();
        for file in steps
            .iter()
            .filter_map(|it| it.document.as_ref())
            .flat_map(locked)
        {
            let key = (file.database, file.name, file.version, file.architecture);
            digests.insert(key, file.sha256);
        }
        let mut bill = Self {
            name: name.to_owned(),
            tree: image.tree,
            digest: image.digest,
            created: image.created,
            os,
            packages: Vec::new(),
            sources: Vec::new(),
            files: files(store, &tree, &steps)?,
        };
        bill.list(installed.packages(), &digests);
        Ok(bill)
    }

    fn list(&mut self, packages: &[Package], digests: &BTreeMap<FileKey, Digest>) {
        let os = self.os.as_ref();
        let mut sources = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for package in packages {
            let purl = Purl::of_package(package, os).to_string();
            if !seen.insert(purl.clone()) {
                continue;
            }
            let key = (
                package.database,
                package.name.clone(),
                package.version.clone(),
                package.architecture.clone(),
            );
            let source = package.source.as_ref().map(|source| {
                let purl = Purl::of_source(package.database, source, os).to_string();
                sources.insert(purl.clone(), source.clone());
                purl
            });
            self.packages.push(BillPackage {
                package: package.clone(),
                purl,
                sha256: digests.get(&key).copied(),
                source,
            });
        }
        let source = |(purl, source): (String, crate::installed::Source)| BillSource {
            purl,
            name: source.name,
            version: source.version,
        };
        self.sources = sources.into_iter().map(source).collect();
    }
}
