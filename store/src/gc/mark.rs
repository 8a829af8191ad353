//! What is needed: everything that a root leads to.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use rayon::prelude::*;

use super::objects::Objects;
use crate::error::{Error, Result};
use crate::hex;
use crate::id::{Digest, LayerId, ObjectId, TreeId};
use crate::image::Image;
use crate::realisation::Realisation;
use crate::store::{Store, list, present, read_optional};
use crate::trees::unpack;

/// What is needed so far.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) trees: HashSet<TreeId>,
    pub(super) layers: HashSet<LayerId>,
    pub(super) archives: HashSet<Digest>,
    pub(super) logs: HashSet<String>,
    /// Documents that an image goes out with as it came in.
    pub(super) blobs: HashSet<Digest>,
    pub(super) objects: Objects,
    /// What the files take on the disk that were marked one by one.
    pub(super) bytes: u64,
}

/// What one root needs.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    pub(super) trees: Vec<TreeId>,
    pub(super) layers: Vec<LayerId>,
    pub(super) archives: Vec<Digest>,
    pub(super) logs: Vec<String>,
    pub(super) blobs: Vec<Digest>,
}

impl Needs {
    /// Of an image.
    pub(super) fn image(image: &Image) -> Self {
        let layers = || image.layers.iter();
        Self {
            trees: layers().map(|it| it.tree).chain([image.tree]).collect(),
            layers: layers().filter_map(|it| it.layer).collect(),
            archives: layers().filter_map(|it| it.diff_id).collect(),
            logs: layers().filter_map(|it| it.log.clone()).collect(),
            blobs: [image.digest, image.config_digest]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    /// Of what a step led to.
    pub(super) fn realisation(realisation: &Realisation) -> Self {
        Self {
            trees: [realisation.tree]
                .into_iter()
                .chain(realisation.parent)
                .collect(),
            layers: realisation.layer.into_iter().collect(),
            logs: realisation.log.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// Of a tree alone.
    pub(super) fn tree(tree: TreeId) -> Self {
        Self {
            trees: vec![tree],
            ..Self::default()
        }
    }
}

/// What roots need beyond what is marked.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    files: Vec<File>,
    logs: Vec<String>,
    blobs: Vec<Digest>,
    objects: Objects,
    /// What it takes on the disk.
    pub(super) bytes: u64,
}

impl Marks {
    /// Marks what several roots need.
    ///
    /// Errors: a manifest is damaged; what it needs is not known then, and nothing may go.
    pub(super) fn add(
        &mut self,
        store: &Store,
        all: impl IntoIterator<Item = Needs>,
    ) -> Result<()> {
        let beyond = self.beyond(store, all)?;
        self.take(beyond);
        Ok(())
    }

    /// What these roots need and nobody else so far; read on all processors.
    pub(super) fn beyond(
        &self,
        store: &Store,
        all: impl IntoIterator<Item = Needs>,
    ) -> Result<Beyond> {
        let stacked = !list(&store.root().join("checkouts"))?.is_empty();
        let mut beyond = Beyond::default();
        let mut files = HashSet::new();
        for needs in all {
            let mut trees = needs.trees;
            let mut layers = needs.layers;
            while let Some(tree) = trees.pop() {
                if self.trees.contains(&tree) || !files.insert(File::Tree(tree)) {
                    continue;
                }
                // A checkout is a stack of those of the trees below.
                if stacked && let Some((parent, layer)) = store.base(tree)? {
                    trees.extend(parent);
                    layers.push(layer);
                }
            }
            let layers = layers.into_iter().filter(|it| !self.layers.contains(it));
            files.extend(layers.map(File::Layer));
            let archives = needs.archives.into_iter();
            let archives = archives.filter(|it| !self.archives.contains(it));
            files.extend(archives.map(File::Archive));
            beyond.logs.extend(needs.logs);
            beyond.blobs.extend(needs.blobs);
        }
        let (archives, manifests): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| matches!(file, File::Archive(_)));
        let first = self.trees.is_empty();
        // Archives do not tell sizes: what they share with manifests counts by those.
        for files in [manifests, archives] {
            let inlet = || beyond.objects.inlet();
            files.par_iter().try_for_each_init(inlet, |inlet, file| {
                file.read(store, |object, size| {
                    if first || !self.objects.contains(object) {
                        inlet.insert(object, size);
                    }
                })
            })?;
            beyond.files.extend(files);
        }
        let files = beyond.files.iter().map(|file| file.bytes(store));
        beyond.bytes = files.sum::<u64>() + beyond.objects.bytes();
        Ok(beyond)
    }

    /// Marks that.
    pub(super) fn take(&mut self, beyond: Beyond) {
        for file in beyond.files {
            match file {
                File::Tree(id) => drop(self.trees.insert(id)),
                File::Layer(id) => drop(self.layers.insert(id)),
                File::Archive(id) => drop(self.archives.insert(id)),
            }
        }
        self.logs.extend(beyond.logs);
        self.blobs.extend(beyond.blobs);
        self.bytes += beyond.bytes;
        self.objects.extend(beyond.objects);
    }
}

/// A file that names objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum File {
    Tree(TreeId),
    Layer(LayerId),
    Archive(Digest),
}

impl File {
    /// What it and what is made from it take on the disk.
    fn bytes(&self, store: &Store) -> u64 {
        let paths = match self {
            Self::Tree(id) => vec![store.tree_path(*id, "tree"), store.tree_path(*id, "erofs")],
            Self::Layer(id) => vec![store.layer_path(*id)],
            Self::Archive(id) => vec![store.split_path(id)],
        };
        let blocks = paths.iter().filter_map(|path| rustix::fs::stat(path).ok());
        blocks.map(|stat| stat.st_blocks as u64 * 512).sum()
    }

    /// Names and sizes of the objects; none where there is no such file.
    fn read(&self, store: &Store, mut found: impl FnMut(ObjectId, u64)) -> Result<()> {
        match self {
            Self::Tree(id) => {
                let path = store.tree_path(*id, "tree");
                manifest(path, id.as_bytes(), "tree", id, &mut found)
            }
            Self::Layer(id) => {
                let path = store.layer_path(*id);
                manifest(path, id.as_bytes(), "layer", id, &mut found)
            }
            Self::Archive(diff_id) => match store.split_bodies(diff_id) {
                Ok(bodies) => {
                    for object in bodies {
                        found(object, 0);
                    }
                    Ok(())
                }
                Err(Error::Missing { .. }) => Ok(()),
                Err(error) => Err(error),
            },
        }
    }
}

fn manifest(
    path: PathBuf,
    digest: &[u8; 32],
    what: &'static str,
    name: &impl std::fmt::Display,
    found: &mut impl FnMut(ObjectId, u64),
) -> Result<()> {
    let Some(bytes) = read_optional(&path)? else {
        return Ok(());
    };
    // Cut off by a power cut, before anything referred to it.
    if bytes.is_empty() {
        return Ok(());
    }
    objects(&unpack(&bytes, digest, what, name)?, found);
    Ok(())
}

/// The objects that a manifest names. Far faster than reading all of it.
fn objects(text: &[u8], found: &mut impl FnMut(ObjectId, u64)) {
    for line in text.split(|byte| *byte == b'\n') {
        if let Some((object, size)) = object(line) {
            found(object, size);
        }
    }
}

/// The object of a regular file's line, and its size.
fn object(line: &[u8]) -> Option<(ObjectId, u64)> {
    let mut fields = line.split(|byte| *byte == b' ').skip(1);
    if fields.next()? != b"f" {
        return None;
    }
    let size = std::str::from_utf8(fields.nth(4)?).ok()?.parse().ok()?;
    let object = hex::decode(fields.next()?)?;
    Some((ObjectId::from_bytes(object), size))
}

impl Store {
    /// What containers need: the trees that they run on, and the images that they were made from.
    ///
    /// Errors: a container does not say which.
    pub(super) fn container_needs(&self) -> Result<Vec<Needs>> {
        let mut needs = Vec::new();
        for container in list(&self.containers())? {
            let damaged = |error: &dyn std::fmt::Display| {
                Error::damaged("container", container.display(), error)
            };
            let read = |name| match std::fs::read_to_string(container.join(name)) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    Ok(None)
                }
                // Empty is what a power cut leaves of a container that nobody reported.
                Ok(text) if text.is_empty() => Ok(None),
                result => result.map(Some).map_err(|error| damaged(&error)),
            };
            if let Some(text) = read("image.json")? {
                let image: Image = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
                needs.push(Needs::image(&image));
            }
            let Some(text) = read("tree")? else {
                continue;
            };
            match text.trim().parse() {
                Ok(tree) => needs.push(Needs::tree(tree)),
                // It is none yet, or none any more.
                Err(_) if !present(&container.join("config.json")) => {}
                Err(error) => return Err(damaged(&error)),
            }
        }
        Ok(needs)
    }
}
