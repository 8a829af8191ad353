//! Making a step again, to see whether the same comes out.
//!
//! The step starts from the tree that it started from when it was recorded, so each one is checked
//! for itself. Its changes are kept where they were not kept the first time, on the disk instead of
//! in memory: what depends on the order of a directory or of inode numbers shows.

use std::time::Instant;

use racker_store::{Realisation, TreeId};
use serde::Serialize;

use super::step::{Parent, Step};
use super::{Error, Event};
use crate::plan::KeyDocument;
use crate::plan::lock::Lock;

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
        self.record(parent, document, made, milliseconds)?;
        Ok(Some(Unequal {
            step: id.clone(),
            impure: self.planned.impure,
            recorded: recorded.tree,
            made: tree,
        }))
    }
}
