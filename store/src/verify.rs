//! Holding everything in a store against its name.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::erofs;
use crate::error::{Error, Result};
use crate::id::{Digest, LayerId, ObjectId, TreeId};
use crate::store::{Store, list};
use crate::tree::Content;

/// Sizes of the objects that are whole, and what is wrong with the others.
type Objects = HashMap<ObjectId, (Option<u64>, Option<String>)>;

/// Something in a store that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file, relative to the store.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Store {
    /// Reads everything: objects and blobs have the digests they are named by, manifests too and
    /// their objects are there, images are what their trees say, archives come back with their
    /// digests, names and realisations lead to trees. Damage is the result, not an error.
    pub fn verify(&self) -> Result<Vec<Damage>> {
        let check = Check {
            store: self,
            found: Mutex::default(),
            objects: self.check_objects()?,
        };
        for path in list(&self.root().join("trees"))? {
            check.file(&path, check.tree(&path));
        }
        for path in list(&self.root().join("layers"))? {
            check.file(&path, check.layer(&path));
        }
        for shard in list(&self.root().join("blobs/sha256"))? {
            list(&shard)?
                .par_iter()
                .for_each(|path| check.file(path, blob(path)));
        }
        for path in list(&self.root().join("roots/images"))? {
            check.file(&path, check.image(&path));
        }
        match self.all_realisations() {
            Ok(realisations) => {
                for realisation in realisations {
                    let path = self
                        .root()
                        .join("realisations")
                        .join(realisation.key.to_string());
                    check.file(&path, check.known_tree(realisation.tree));
                    if let Some(layer) = realisation.layer {
                        check.file(&path, check.known_layer(layer));
                    }
                }
            }
            Err(error) => check.file(&self.root().join("realisations"), Err(error)),
        }
        let mut found = check
            .found
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (id, (size, reason)) in check.objects {
            if let (None, Some(reason)) = (size, reason) {
                found.push(Damage {
                    path: Path::new("objects").join(crate::object::object_name(id)),
                    reason,
                });
            }
        }
        found.sort();
        Ok(found)
    }

    /// Sizes of the objects that are whole, and what is wrong with the others.
    fn check_objects(&self) -> Result<Objects> {
        let mut paths = Vec::new();
        for shard in list(&self.objects())? {
            paths.extend(list(&shard)?);
        }
        let hash = |path: PathBuf| {
            let shard = path.parent()?.file_name()?.to_str()?;
            let id: ObjectId = format!("{shard}{}", path.file_name()?.to_str()?)
                .parse()
                .ok()?;
            let mut hash = blake3::Hasher::new();
            let read = File::open(&path)
                .and_then(|file| hash.update_reader(file).map(|hash| hash.finalize()));
            Some((
                id,
                match read {
                    Ok(actual) if actual.as_bytes() == id.as_bytes() => (Some(hash.count()), None),
                    Ok(_) => (None, Some("its bytes have another digest".to_owned())),
                    Err(error) => (None, Some(error.to_string())),
                },
            ))
        };
        Ok(paths.into_par_iter().filter_map(hash).collect())
    }
}

struct Check<'a> {
    store: &'a Store,
    found: Mutex<Vec<Damage>>,
    objects: Objects,
}

impl Check<'_> {
    fn file(&self, path: &Path, result: Result<()>) {
        if let Err(error) = result {
            let path = path
                .strip_prefix(self.store.root())
                .unwrap_or(path)
                .to_owned();
            let damage = Damage {
                path,
                reason: error.to_string(),
            };
            self.found
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(damage);
        }
    }

    fn tree(&self, path: &Path) -> Result<()> {
        let Some((id, kind)) = name(path)
            .split_once('.')
            .map(|(id, kind)| (id.to_owned(), kind.to_owned()))
        else {
            return Err(Error::damaged(
                "tree",
                path.display(),
                "its name is none of a tree",
            ));
        };
        let id: TreeId = id
            .parse()
            .map_err(|error| Error::damaged("tree", id, error))?;
        match kind.as_str() {
            "tree" => {
                let tree = self.store.tree(id)?;
                for inode in &tree.inodes {
                    if let Content::File {
                        object: Some(object),
                        size,
                    } = inode.content
                    {
                        self.object(object, Some(size))?;
                    }
                }
                let image = self.store.tree_path(id, "erofs");
                let bytes = std::fs::read(&image)
                    .map_err(|error| Error::damaged("image of tree", id, error))?;
                if bytes != erofs::image(&tree)? {
                    return Err(Error::damaged(
                        "image of tree",
                        id,
                        "it is not what the tree says",
                    ));
                }
                Ok(())
            }
            "base" => self.store.base(id).map(drop),
            "erofs" => self.known_tree(id),
            _ => Err(Error::damaged("tree", id, "the file has an unknown kind")),
        }
    }

    fn object(&self, id: ObjectId, wanted: Option<u64>) -> Result<()> {
        match self.objects.get(&id) {
            Some((Some(size), _)) if wanted.is_none_or(|wanted| wanted == *size) => Ok(()),
            Some((Some(_), _)) => Err(Error::damaged("object", id, "it has another size")),
            Some((None, _)) => Err(Error::damaged(
                "object",
                id,
                "its bytes have another digest",
            )),
            None => Err(Error::missing("object", id)),
        }
    }

    fn layer(&self, path: &Path) -> Result<()> {
        let name = name(path);
        if let Some(diff_id) = name.strip_suffix(".split") {
            let diff_id = diff_id.replace('-', ":");
            let diff_id: Digest = diff_id
                .parse()
                .map_err(|error| Error::damaged("archive", diff_id, error))?;
            self.store.changeset(&diff_id)?;
            for object in self.store.split_bodies(&diff_id)? {
                self.object(object, None)?;
            }
            return expect(&diff_id, self.store.export_tar(&diff_id)?);
        }
        let id = name.strip_suffix(".layer").unwrap_or(&name);
        let id: LayerId = id
            .parse()
            .map_err(|error| Error::damaged("layer", id, error))?;
        for (_, change) in self.store.layer(id)?.changes {
            if let crate::Change::Inode(inode) = change
                && let Content::File {
                    object: Some(object),
                    size,
                } = inode.content
            {
                self.object(object, Some(size))?;
            }
        }
        Ok(())
    }

    fn image(&self, path: &Path) -> Result<()> {
        let bytes =
            std::fs::read(path).map_err(|error| Error::damaged("image", path.display(), error))?;
        let image: crate::Image = serde_json::from_slice(&bytes)
            .map_err(|error| Error::damaged("image", path.display(), error))?;
        self.known_tree(image.tree)?;
        for layer in image.layers {
            self.known_tree(layer.tree)?;
            layer
                .layer
                .map_or(Ok(()), |layer| self.known_layer(layer))?;
        }
        Ok(())
    }

    fn known_tree(&self, id: TreeId) -> Result<()> {
        if self.store.has_tree(id) {
            Ok(())
        } else {
            Err(Error::missing("tree", id))
        }
    }

    fn known_layer(&self, id: LayerId) -> Result<()> {
        if self.store.has_layer(id) {
            Ok(())
        } else {
            Err(Error::missing("layer", id))
        }
    }
}

fn blob(path: &Path) -> Result<()> {
    let shard = path.parent().map(name).unwrap_or_default();
    let digest = format!("sha256:{shard}{}", name(path));
    let digest: Digest = digest
        .parse()
        .map_err(|error| Error::damaged("blob", digest, error))?;
    expect(
        &digest,
        File::open(path).map_err(|error| Error::damaged("blob", digest, error))?,
    )
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Reads to the end and compares the digest.
fn expect(digest: &Digest, mut reader: impl io::Read) -> Result<()> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) => return Err(Error::damaged("bytes", digest, error)),
        }
    }
    let actual = Digest::from_bytes(hash.finalize().into());
    if actual == *digest {
        Ok(())
    } else {
        Err(Error::DigestMismatch {
            expected: *digest,
            actual,
        })
    }
}
