//! Making a step again, to see whether the same comes out.
//!
//! The step starts from the tree that it started from when it was recorded, so each one is checked
//! for itself. Its changes are kept where they were not kept the first time, on the disk instead of
//! in memory: what depends on the order of a directory or of inode numbers shows.

use std::time::Instant;

use racker_store::{Realisation, Tree, TreeId};
use serde::Serialize;

use super::step::{self, Parent, Step};
use super::{Error, Event};
use crate::compare::{Difference, FileChange, Side, compare};
use crate::installed::Installed;
use crate::plan::KeyDocument;
use crate::plan::lock::Lock;
use crate::provision::normalise::{Likely, Results, Traits, Untried};

/// A step that came out otherwise when it was made again.
#[derive(Debug, Clone, Serialize)]
pub struct Unequal {
    /// The step, by its id.
    pub step: String,
    /// Whether it says itself that it uses the network.
    pub impure: bool,
    /// The tree that is on record.
    pub recorded: TreeId,
    /// The tree that came out now.
    pub made: TreeId,
    /// The paths that differ, in the order of a tree manifest.
    pub files: Vec<Finding>,
}

/// A path that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What differs, and whose it is.
    #[serde(flatten)]
    pub file: FileChange,
    /// The rule of the normaliser that has to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely: Option<Likely>,
}

impl Step<'_> {
    /// Makes the step again and compares; both results are kept if they differ.
    pub(super) fn check(
        &self,
        recorded: &Realisation,
        document: &KeyDocument,
        parent: &Parent,
        lock: &Lock,
    ) -> Result<Option<Unequal>, Error> {
        let again = Step {
            shop: self.shop.elsewhere(),
            ..*self
        };
        let id = &self.planned.id;
        let start = Instant::now();
        let made = again.make(parent, lock)?;
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tree = made.tree.id();
        if tree == recorded.tree {
            let line = format!("{id}: made again, the same came out");
            self.shop.reporter.event(Event::Message(&line));
            return Ok(None);
        }
        let line = format!("{id}: made again, and something else came out");
        self.shop.reporter.event(Event::Message(&line));
        let files = self.findings(recorded, &made.tree, parent, lock)?;
        self.record(parent, document, made, milliseconds)?;
        Ok(Some(Unequal {
            step: id.clone(),
            impure: self.planned.impure,
            recorded: recorded.tree,
            made: tree,
            files,
        }))
    }

    fn findings(
        &self,
        recorded: &Realisation,
        made: &Tree,
        parent: &Parent,
        lock: &Lock,
    ) -> Result<Vec<Finding>, Error> {
        let store = self.shop.store;
        let recorded = store.tree(recorded.tree)?;
        // A database that cannot be read names no owners, and that is all.
        let installed = |tree| Installed::read(store, tree).unwrap_or_default();
        let owners = [installed(&recorded), installed(made)];
        let side = |tree, installed| Side { tree, installed };
        let files = compare(side(&recorded, &owners[0]), side(made, &owners[1])).files;
        let disabled = step::switched_off(self.planned);
        let untried = step::after(self.planned).map(|after| {
            let results = Results {
                base: &parent.tree,
                trees: [&recorded, made],
                after,
                epoch: self.epoch(lock),
                disabled: &disabled,
            };
            Untried::new(results, store).map_err(|error| self.provision(error))
        });
        let untried = untried.transpose()?;
        let findings = files.into_iter().map(|file| {
            let path = file.path.trim_start_matches('/').as_bytes();
            let likely = untried.as_ref().and_then(|it| it.rule(path, traits(&file)));
            Finding { file, likely }
        });
        Ok(findings.collect())
    }
}

fn traits(file: &FileChange) -> Traits {
    Traits {
        time_only: file.differs == [Difference::Mtime],
        overlay: file
            .xattrs
            .iter()
            .any(|name| name.starts_with("trusted.overlay.")),
    }
}
