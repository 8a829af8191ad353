//! Carrying out a plan.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rustix::fs::{FlockOperation, flock, lstat, stat};

use super::mark::Needs;
use super::plan::{Plan, plan};
use super::trash::{Collector, Fate, freed};
use super::{Collected, Policy, Sum};
use crate::error::{At as _, Result};
use crate::id::{ObjectId, TreeId};
use crate::lease::{Moment, changed, modified};
use crate::store::{Store, list};

impl Store {
    /// Takes away what nobody needs; `dry_run` says what that would be.
    ///
    /// Nobody who uses the store has to wait. What the result counts is what became free: a file that
    /// has a name elsewhere counts nothing.
    ///
    /// Errors: a root cannot be read. Nothing was collected then.
    pub fn collect(&self, policy: &Policy, dry_run: bool) -> Result<Collected> {
        let collector = Collector::begin(self)?;
        let left = self.left_behind()?;
        if !dry_run {
            // First of all, since it is garbage for certain: there may be no space at all.
            self.remove_trash(true)?;
            self.sweep_stage()?;
        }
        let plan = plan(self, policy, collector.began, collector.cutoff)?;
        let mut sweep = Sweep {
            collector,
            plan,
            dry_run,
            done: Collected::default(),
        };
        if left.files > 0 {
            sweep.done.kinds.insert("stage", left);
        }
        sweep.roots()?;
        sweep.manifests()?;
        if !dry_run {
            // Should the power fail: nothing is there that refers to what is not.
            self.sync()?;
        }
        sweep.objects()?;
        sweep.single_files()?;
        sweep.checkouts()?;
        Ok(sweep.done)
    }

    /// What crashed processes left in `stage/`.
    fn left_behind(&self) -> Result<Sum> {
        let mut sum = Sum::default();
        for (path, _locked) in self.left_in_stage()? {
            sum.files += 1;
            sum.bytes += bytes(&path);
        }
        Ok(sum)
    }

    /// Whether somebody holds the tree.
    pub(super) fn is_held(&self, id: TreeId) -> bool {
        matches!(lock(&self.tree_path(id, "tree")), Lock::Taken)
    }
}

/// What came of locking a file.
enum Lock {
    /// Nobody else has it locked, as long as this is kept.
    Ours(File),
    /// Somebody has.
    Taken,
    /// There is no such file.
    Gone,
}

fn lock(path: &Path) -> Lock {
    match File::open(path) {
        Err(_) => Lock::Gone,
        Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Lock::Ours(file),
            Err(_) => Lock::Taken,
        },
    }
}

struct Sweep<'a> {
    collector: Collector<'a>,
    plan: Plan,
    dry_run: bool,
    done: Collected,
}

impl Sweep<'_> {
    /// Takes a file away; whether it is gone.
    fn discard(&mut self, kind: &'static str, path: &Path) -> Result<bool> {
        let fate = if self.dry_run {
            would_go(path, self.collector.cutoff)
        } else {
            self.collector.discard(path)?
        };
        match fate {
            Fate::Gone(bytes) => self.done.kinds.entry(kind).or_default().add(bytes),
            Fate::Spared => self.done.spared += 1,
        }
        Ok(fate != Fate::Spared)
    }

    fn list(&self, directory: &str) -> Result<Vec<PathBuf>> {
        list(&self.collector.store.root().join(directory))
    }

    fn need(&mut self, needs: Needs) -> Result<()> {
        self.plan.marks.add(self.collector.store, [needs])
    }

    fn roots(&mut self) -> Result<()> {
        let store = self.collector.store;
        for name in std::mem::take(&mut self.plan.images) {
            if !self.dry_run {
                store.remove_image(&name)?;
            }
            self.done.images.push(name);
        }
        let mut gone = Vec::new();
        for (path, realisation) in std::mem::take(&mut self.plan.realisations) {
            let held = realisation
                .as_ref()
                .is_some_and(|it| store.is_held(it.tree));
            if !held && self.discard("realisations", &path)? {
                gone.extend(realisation.map(|it| (it.key, it.tree)));
            } else if let Some(realisation) = realisation {
                self.need(Needs::realisation(&realisation))?;
            }
        }
        if !self.dry_run {
            store.unindex_realisations(&gone);
        }
        Ok(())
    }

    /// Trees, layers and archives. The manifest of a tree goes before what was made from it.
    fn manifests(&mut self) -> Result<()> {
        for path in self.list("layers")? {
            let name = name(&path);
            let (layer, archive) = (
                name.strip_suffix(".layer").and_then(|id| id.parse().ok()),
                name.strip_suffix(".split")
                    .and_then(|id| id.replace('-', ":").parse().ok()),
            );
            let marks = &self.plan.marks;
            let needed = layer.is_some_and(|it| marks.layers.contains(&it))
                || archive.is_some_and(|it| marks.archives.contains(&it));
            if !needed && !self.discard("layers", &path)? {
                self.need(Needs {
                    layers: layer.into_iter().collect(),
                    archives: archive.into_iter().collect(),
                    ..Needs::default()
                })?;
            }
        }
        let all = self.list("trees")?;
        let tree = |path: &Path| name(path).split('.').next()?.parse::<TreeId>().ok();
        for path in all
            .iter()
            .filter(|it| it.extension().is_some_and(|it| it == "tree"))
        {
            let Some(id) = tree(path).filter(|id| !self.plan.marks.trees.contains(id)) else {
                continue;
            };
            let lock = lock(path);
            if matches!(lock, Lock::Taken) || !self.discard("trees", path)? {
                self.need(Needs::tree(id))?;
            }
        }
        for path in all
            .iter()
            .filter(|it| it.extension().is_none_or(|it| it != "tree"))
        {
            if tree(path).is_none_or(|id| !self.plan.marks.trees.contains(&id)) {
                self.discard("trees", path)?;
            }
        }
        Ok(())
    }

    fn objects(&mut self) -> Result<()> {
        let store = self.collector.store;
        let shards = list(&store.objects())?;
        let (sum, spared) = (Mutex::new(Sum::default()), AtomicU64::new(0));
        shards.par_iter().try_for_each(|shard| {
            let prefix = name(shard);
            let mut gone = Sum::default();
            let mut hex = String::with_capacity(64);
            // In any order: sorting a million paths takes seconds.
            for entry in std::fs::read_dir(shard).at("list", shard)? {
                let entry = entry.at("list", shard)?;
                hex.clear();
                hex.push_str(&prefix);
                hex.push_str(&entry.file_name().to_string_lossy());
                let id = hex.parse::<ObjectId>();
                if id.is_ok_and(|id| self.plan.marks.objects.contains(id)) {
                    continue;
                }
                let path = entry.path();
                let fate = if self.dry_run {
                    would_go(&path, self.collector.cutoff)
                } else {
                    self.collector.discard(&path)?
                };
                match fate {
                    Fate::Gone(bytes) => gone.add(bytes),
                    Fate::Spared => drop(spared.fetch_add(1, Ordering::Relaxed)),
                }
            }
            let mut sum = sum
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            sum.files += gone.files;
            sum.bytes += gone.bytes;
            Ok::<_, crate::Error>(())
        })?;
        let sum = sum
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if sum.files > 0 {
            self.done.kinds.insert("objects", sum);
        }
        self.done.spared += spared.into_inner();
        Ok(())
    }

    /// Blobs and metadata by age, the newest as long as there is room; logs; locks of steps.
    fn single_files(&mut self) -> Result<()> {
        let mut blobs = Vec::new();
        for shard in self.list("blobs/sha256")? {
            let prefix = name(&shard);
            for path in list(&shard)? {
                let digest = format!("sha256:{prefix}{}", name(&path)).parse();
                if !digest.is_ok_and(|it| self.plan.marks.blobs.contains(&it)) {
                    blobs.push(("blobs", path));
                }
            }
        }
        blobs.extend(
            self.list("metadata")?
                .into_iter()
                .map(|path| ("metadata", path)),
        );
        let mut aged = Vec::new();
        for (kind, path) in blobs {
            if let Ok(stat) = stat(&path) {
                aged.push((modified(&stat), kind, path, stat.st_blocks as u64 * 512));
            }
        }
        aged.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut left = self.plan.left;
        for (used, kind, path, bytes) in aged {
            let room = left.is_none_or(|left| left >= bytes);
            if room && used >= self.plan.unused_since {
                left = left.map(|left| left - bytes);
            } else {
                self.discard(kind, &path)?;
            }
        }
        for path in self.list("logs")? {
            let needed = self.plan.marks.logs.contains(&name(&path));
            let old = stat(&path).is_ok_and(|stat| changed(&stat) < self.plan.unused_since);
            if !needed && old {
                self.discard("logs", &path)?;
            }
        }
        self.notes()?;
        for path in self.list("locks")? {
            let step = name(&path).parse::<crate::StepKey>().is_ok();
            let empty = path.metadata().is_ok_and(|it| it.len() == 0);
            if step
                && empty
                && let Lock::Ours(_file) = lock(&path)
            {
                self.discard("locks", &path)?;
            }
        }
        Ok(())
    }

    /// What was noted of layers and trees that are gone.
    fn notes(&mut self) -> Result<()> {
        for path in self.list("packed")? {
            let name = name(&path);
            let marks = &self.plan.marks;
            // `<layer id>-<encoding>`, or `sha256-<digits of a diff id>-<encoding>`.
            let known = match name.strip_prefix("sha256-") {
                Some(rest) => {
                    let digits = rest.split('-').next().unwrap_or_default();
                    let digest = format!("sha256:{digits}").parse();
                    digest.is_ok_and(|id| marks.archives.contains(&id))
                }
                None => {
                    let id = name.split('-').next().unwrap_or_default().parse();
                    id.is_ok_and(|id| marks.layers.contains(&id))
                }
            };
            if !known {
                self.discard("notes", &path)?;
            }
        }
        for path in self.list("probes")? {
            let tree = name(&path).split('.').next().unwrap_or_default().parse();
            if !tree.is_ok_and(|id| self.plan.marks.trees.contains(&id)) {
                self.discard("notes", &path)?;
            }
        }
        Ok(())
    }

    fn checkouts(&mut self) -> Result<()> {
        for path in self.list("checkouts")? {
            let name = name(&path);
            let marks = &self.plan.marks;
            let needed = match name.strip_prefix("tree-") {
                Some(tree) => tree.parse().is_ok_and(|id| marks.trees.contains(&id)),
                None => name.parse().is_ok_and(|id| marks.layers.contains(&id)),
            };
            if needed {
                continue;
            }
            let bytes = bytes(&path);
            if self.discard("checkouts", &path)? {
                let sum = self.done.kinds.entry("checkouts").or_default();
                sum.bytes += bytes;
            }
        }
        Ok(())
    }
}

/// What becomes free with everything at a path.
fn bytes(path: &Path) -> u64 {
    let entries = walkdir::WalkDir::new(path).into_iter().flatten();
    let stats = entries.filter_map(|entry| lstat(entry.path()).ok());
    stats.map(|stat| freed(&stat)).sum()
}

/// What would become of a file.
fn would_go(path: &Path, cutoff: Moment) -> Fate {
    match lstat(path).at("read", path) {
        Ok(stat) if changed(&stat) >= cutoff => Fate::Spared,
        Ok(stat) => Fate::Gone(freed(&stat)),
        Err(_) => Fate::Gone(0),
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
