//! Putting right what was found.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid, chmod, chown};

use super::Damage;
use super::affected::{damages, readable};
use super::check::{Findings, Kind, check};
use super::places::{misplaced, remake};
use crate::diff::diff;
use crate::error::{At as _, Error, Result};
use crate::id::{LayerId, TreeId};
use crate::image::Image;
use crate::realisation;
use crate::store::{Store, list, place};

/// What a repair came to.
#[derive(Debug, Clone, Default)]
pub struct Repaired {
    /// What was wrong.
    pub found: Vec<Damage>,
    /// Files that are right again.
    pub restored: Vec<PathBuf>,
    /// Files that were moved to `damaged/`.
    pub removed: Vec<PathBuf>,
    /// Images that are no longer there because of that. Baked or pulled again they are whole.
    pub lost: Vec<Image>,
}

impl Store {
    /// Verifies, makes again what follows from something whole, and moves the rest aside with all that
    /// leads to it. Afterwards [`Store::verify`] finds nothing.
    pub fn repair(&self) -> Result<Repaired> {
        self.writable()?;
        self.recover()?;
        let mut repair = Repair {
            store: self,
            done: Repaired::default(),
        };
        for damage in misplaced(self)? {
            repair.aside(&self.root().join(&damage.path))?;
            remake(self, &damage)?;
            repair.done.found.push(damage);
        }
        let findings = check(self)?;
        repair.done.found.extend(damages(self, &findings)?);
        if repair.done.found.is_empty() {
            return Ok(repair.done);
        }
        repair.by_itself(&findings)?;
        repair.each_other(&findings)?;
        repair.follow()?;
        if !self.index_is_true() {
            self.remake_index()?;
            repair.done.restored.push("index.db".into());
        }
        self.sync()?;
        Ok(repair.done)
    }
}

struct Repair<'a> {
    store: &'a Store,
    done: Repaired,
}

impl Repair<'_> {
    /// Moves a file aside, where it has no meaning.
    fn aside(&mut self, path: &Path) -> Result<()> {
        let root = self.store.root();
        let relative = path.strip_prefix(root).unwrap_or(path).to_owned();
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        let name = relative.to_string_lossy().replace('/', "+");
        let stage = self.store.stage_name();
        let moment = stage
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut target = format!("{moment}+{name}");
        target.truncate(250);
        place(path, &root.join("damaged").join(target))?;
        self.done.removed.push(relative);
        Ok(())
    }

    fn restored(&mut self, path: &Path) {
        let path = path.strip_prefix(self.store.root()).unwrap_or(path);
        self.done.restored.push(path.to_owned());
    }

    /// What needs nothing else: owners and modes; and what is wrong goes.
    fn by_itself(&mut self, findings: &Findings) -> Result<()> {
        let owner = fs::metadata(self.store.objects()).map(|it| (it.uid(), it.gid()));
        let (uid, gid) = owner.at("read", self.store.objects())?;
        for (relative, found) in &findings.files {
            let path = self.store.root().join(relative);
            // A link, or a directory: whatever should be there.
            if path.symlink_metadata().is_ok_and(|it| !it.is_file()) {
                self.aside(&path)?;
                continue;
            }
            for finding in found {
                match &finding.kind {
                    Kind::Access => {
                        chown(&path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                            .and_then(|()| chmod(&path, Mode::from_raw_mode(0o444)))
                            .at("change the owner of", &path)?;
                        self.restored(&path);
                    }
                    Kind::Tree(id) if findings.lacking.contains_key(id) => {}
                    Kind::Erofs(_) | Kind::Index => {}
                    // What leads to something that is missing follows later.
                    Kind::Image | Kind::Realisation | Kind::Layer(_) | Kind::Archive(_)
                        if self.reads(&path, &finding.kind) => {}
                    _ => self.aside(&path)?,
                }
            }
        }
        Ok(())
    }

    /// Whether the file by itself is whole.
    fn reads(&self, path: &Path, kind: &Kind) -> bool {
        match kind {
            Kind::Image => fs::read(path).is_ok_and(|bytes| {
                serde_json::from_slice::<Image>(&bytes).is_ok_and(|image| {
                    self.store
                        .image_path(&image.name)
                        .is_ok_and(|own| own == path)
                })
            }),
            Kind::Realisation => realisation::read(path.to_owned()).is_ok_and(|found| {
                found.is_some_and(|it| self.store.realisation_path(&it) == path)
            }),
            Kind::Layer(id) => self.store.layer(*id).is_ok(),
            _ => false,
        }
    }

    /// Trees from their parents and layers, layers from their trees, EROFS images from their trees.
    fn each_other(&mut self, findings: &Findings) -> Result<()> {
        // A tree may follow from one that follows from another.
        let mut again = true;
        while std::mem::take(&mut again) {
            for (tree, parent, layer) in self.families()? {
                again |= self.family(tree, parent, layer)?;
            }
        }
        let kinds = findings.files.values().flatten();
        for kind in kinds.map(|it| &it.kind) {
            if let Kind::Erofs(id) = kind
                && let Ok(tree) = self.store.tree(*id)
            {
                let path = self.store.tree_path(*id, "erofs");
                self.store
                    .write_beside(&path, &crate::erofs::image(&tree)?)?;
                self.restored(&path);
            }
        }
        Ok(())
    }

    /// Makes the missing one of a tree and the layer that leads to it; whether it did.
    fn family(&mut self, tree: TreeId, parent: TreeId, layer: LayerId) -> Result<bool> {
        let store = self.store;
        let (has_tree, has_layer) = (store.tree(tree).is_ok(), store.has_layer(layer));
        if has_tree == has_layer {
            return Ok(false);
        }
        let Ok(before) = store.tree(parent) else {
            return Ok(false);
        };
        if has_tree {
            let made = diff(&before, &store.tree(tree)?);
            if made.id() != layer {
                return Ok(false);
            }
            store.put_layer(&made)?;
            self.restored(&store.layer_path(layer));
            return Ok(true);
        }
        match store.layer(layer)?.apply(&before) {
            Ok(made) if made.id() == tree => {
                store.put_tree(&made)?;
                self.restored(&store.tree_path(tree, "tree"));
                Ok(true)
            }
            Ok(_) | Err(Error::Path { .. } | Error::WrongBase { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every tree that is known to have come out of another by a layer.
    fn families(&self) -> Result<HashSet<(TreeId, TreeId, LayerId)>> {
        let mut found = HashSet::new();
        for path in list(&self.store.root().join("trees"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if let Some(Ok(tree)) = name.strip_suffix(".base").map(str::parse::<TreeId>)
                && let Ok(Some((Some(parent), layer))) = self.store.base(tree)
            {
                found.insert((tree, parent, layer));
            }
        }
        for path in self.store.realisation_paths()? {
            if let Ok(Some(it)) = realisation::read(path)
                && let (Some(parent), Some(layer)) = (it.parent, it.layer)
            {
                found.insert((it.tree, parent, layer));
            }
        }
        Ok(found)
    }

    /// What leads to something that is not there goes, until nothing does.
    fn follow(&mut self) -> Result<()> {
        let images = readable(self.store)?;
        let mut lost = HashSet::new();
        loop {
            let findings = check(self.store)?;
            let before = self.done.removed.len();
            for (relative, found) in &findings.files {
                if found
                    .iter()
                    .all(|it| it.kind == Kind::Index || it.kind == Kind::Access)
                {
                    continue;
                }
                let path = self.store.root().join(relative);
                for image in &images {
                    if self.store.image_path(&image.name)? == path {
                        lost.insert(image.name.clone());
                    }
                }
                self.aside(&path)?;
            }
            if self.done.removed.len() == before {
                break;
            }
        }
        self.done.lost = images
            .into_iter()
            .filter(|image| lost.contains(&image.name))
            .collect();
        Ok(())
    }
}
