//! How much there is in a store, and what is shared.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt as _;

use rayon::prelude::*;
use walkdir::WalkDir;

use crate::error::Result;
use crate::gc::Sum;
use crate::id::{ObjectId, TreeId};
use crate::image::Image;
use crate::store::Store;
use crate::tree::Content;

/// What a store holds.
#[derive(Debug, Clone)]
pub struct Stats {
    /// What files take on the disk, by the directory of the store that they are in.
    pub disk: BTreeMap<&'static str, Sum>,
    /// Each image, by name.
    pub images: Vec<ImageStats>,
    /// Bytes of the files of all images, each image by itself.
    pub logical: u64,
    /// Bytes of the objects that images are made of, each counted once.
    pub unique: u64,
}

/// How large one image is.
#[derive(Debug, Clone)]
pub struct ImageStats {
    /// It.
    pub image: Image,
    /// How many files, hard links counted once.
    pub files: u64,
    /// Bytes of its files.
    pub logical: u64,
    /// Bytes of its objects, each counted once.
    pub unique: u64,
    /// Bytes of the objects that only images with the same tree have.
    pub own: u64,
}

const KINDS: [&str; 11] = [
    "objects",
    "trees",
    "layers",
    "realisations",
    "blobs",
    "metadata",
    "checkouts",
    "logs",
    "partial",
    "stage",
    "trash",
];

/// The objects of a tree with their sizes; files, and bytes of them all.
type Contents = (HashMap<ObjectId, u64>, u64, u64);

impl Store {
    /// Measures everything.
    pub fn stats(&self) -> Result<Stats> {
        let images = self.images()?;
        let mut trees: Vec<TreeId> = images.iter().map(|image| image.tree).collect();
        trees.sort();
        trees.dedup();
        let contents: HashMap<TreeId, Contents> = trees
            .into_par_iter()
            .map(|id| Ok((id, self.contents(id)?)))
            .collect::<Result<_>>()?;
        let mut users: HashMap<ObjectId, (u64, u32)> = HashMap::new();
        for (objects, ..) in contents.values() {
            for (object, size) in objects {
                users.entry(*object).or_insert((*size, 0)).1 += 1;
            }
        }
        let of = |image: Image| {
            let (objects, files, logical) = &contents[&image.tree];
            let own = |it: &(&ObjectId, &u64)| users[it.0].1 == 1;
            ImageStats {
                files: *files,
                logical: *logical,
                unique: objects.values().sum(),
                own: objects.iter().filter(own).map(|(_, size)| size).sum(),
                image,
            }
        };
        let images: Vec<ImageStats> = images.into_iter().map(of).collect();
        Ok(Stats {
            disk: KINDS.iter().map(|kind| (*kind, self.disk(kind))).collect(),
            logical: images.iter().map(|image| image.logical).sum(),
            unique: users.values().map(|(size, _)| size).sum(),
            images,
        })
    }

    fn contents(&self, id: TreeId) -> Result<Contents> {
        let tree = self.tree(id)?;
        let (mut objects, mut logical) = (HashMap::new(), 0);
        for inode in &tree.inodes {
            if let Content::File { object, size } = inode.content {
                logical += size;
                objects.extend(object.map(|object| (object, size)));
            }
        }
        Ok((objects, tree.inodes.len() as u64, logical))
    }

    fn disk(&self, kind: &str) -> Sum {
        let mut sum = Sum::default();
        for entry in WalkDir::new(self.root().join(kind)).into_iter().flatten() {
            if let Ok(stat) = entry.metadata()
                && !stat.is_dir()
            {
                sum.add(stat.blocks() * 512);
            }
        }
        sum
    }
}
