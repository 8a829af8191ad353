//! A whole recipe: base, steps in order, image.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use racker_store::{Image, TreeId};

use super::base::{self, Base};
use super::check::Unequal;
use super::image::{StepResult, image};
use super::metadata::Keeper;
use super::share::share;
use super::step::Step;
use super::{Error, Workshop};
use crate::oci::Platform;
use crate::plan::lock::Lock;
use crate::plan::{Plan, PlannedStep};
use crate::recipe::Chain;

/// How to bake.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Make every step, found or not.
    pub no_cache: bool,
    /// Make every step once more, and compare.
    pub check: bool,
    /// Give the user a shell where a step failed.
    pub shell_on_failure: bool,
    /// The lock may not change.
    pub locked: bool,
    /// What an update of the lock leaves as it is.
    pub update: Option<Update>,
    /// Files that hold the values of secrets, by the secrets' ids.
    pub secrets: BTreeMap<String, PathBuf>,
}

/// An update of single packages.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// The lock that is updated.
    pub before: Lock,
    /// The packages that may change; others follow only where these need them.
    pub names: BTreeSet<String>,
}

/// An image that was baked.
#[derive(Debug, Clone)]
pub struct Baked {
    /// It.
    pub image: Image,
    /// How many steps were made.
    pub made: usize,
    /// How many steps there are.
    pub steps: usize,
    /// Steps that came out otherwise when they were made again.
    pub unequal: Vec<Unequal>,
}

/// Bakes the recipe at the end of `chain`; what `lock` lacks is added to it.
pub fn bake(
    shop: Workshop<'_>,
    chain: &Chain,
    lock: &mut Lock,
    options: &Options,
) -> Result<Baked, Error> {
    let plan = Plan::new(chain);
    // Before anything that takes long.
    plan.steps.iter().try_for_each(PlannedStep::find_files)?;
    let mut work = Work::start(shop, &plan, lock, options)?;
    let mut steps = plan.steps.iter();
    let done = steps.try_for_each(|planned| work.step(planned, lock));
    // Others need not make what was made here before something failed.
    share(shop, &plan, &work.results, lock, &work.platform);
    done?;
    lock.prune(&plan, &work.platform);
    let dated = plan.steps.last().map_or(&[][..], |step| &step.dated);
    let epoch = lock.epoch_of(dated, &work.platform);
    work.keeper.finish()?;
    let image = image(shop.store, chain, &work.base, &work.results, epoch)?;
    if shop.store.image(&image.name)?.as_ref() != Some(&image) {
        shop.store.put_image(&image)?;
    } else if work.made > 0 {
        // The names of the records.
        shop.store.sync()?;
    }
    Ok(Baked {
        image,
        made: work.made,
        unequal: work.unequal,
        steps: plan.steps.len(),
    })
}

/// Completes the lock of the recipe at the end of `chain`, and bakes no more than that takes: to
/// find the packages of a step, its package manager must see the tree before it.
pub fn complete(
    shop: Workshop<'_>,
    chain: &Chain,
    lock: &mut Lock,
    options: &Options,
) -> Result<(), Error> {
    let plan = Plan::new(chain);
    let mut work = Work::start(shop, &plan, lock, options)?;
    let last = plan.steps.iter().rposition(PlannedStep::is_pinned);
    if let Some((last, before)) = last.and_then(|last| plan.steps[..=last].split_last()) {
        for planned in before {
            work.step(planned, lock)?;
        }
        work.borrow(last).complete(work.tree, lock)?;
    }
    lock.prune(&plan, &work.platform);
    work.keeper.finish()
}

/// A plan on its way.
struct Work<'a> {
    shop: Workshop<'a>,
    options: &'a Options,
    platform: String,
    total: usize,
    base: Base,
    tree: TreeId,
    made: usize,
    results: Vec<StepResult>,
    unequal: Vec<Unequal>,
    keeper: Keeper,
}

impl<'a> Work<'a> {
    fn start(
        shop: Workshop<'a>,
        plan: &Plan,
        lock: &mut Lock,
        options: &'a Options,
    ) -> Result<Self, Error> {
        let platform = Platform::host().to_string();
        let base = base::find(shop, &plan.base, &platform, lock, options.locked)?;
        if !shop.store.hold(base.tree)? {
            let tree = racker_store::Error::Missing {
                what: "tree",
                name: base.tree.to_string(),
            };
            return Err(tree.into());
        }
        if lock.epoch.is_none() {
            lock.epoch = base.created;
        }
        Ok(Self {
            shop,
            options,
            platform,
            total: plan.steps.len(),
            tree: base.tree,
            base,
            made: 0,
            results: Vec::new(),
            unequal: Vec::new(),
            keeper: Keeper::default(),
        })
    }

    fn borrow<'s>(&'s self, planned: &'s PlannedStep) -> Step<'s> {
        Step {
            shop: self.shop,
            planned,
            platform: &self.platform,
            total: self.total,
            options: self.options,
            keeper: &self.keeper,
        }
    }

    fn step(&mut self, planned: &PlannedStep, lock: &mut Lock) -> Result<(), Error> {
        let outcome = self.borrow(planned).realise(self.tree, lock)?;
        let realisation = outcome.realisation;
        self.unequal.extend(outcome.unequal);
        self.made += usize::from(outcome.made);
        self.tree = realisation.tree;
        self.results.push(StepResult {
            realisation,
            summary: planned.summary.clone(),
            impure: planned.impure,
            made: outcome.made,
        });
        Ok(())
    }
}

/// The name under which a recipe's image is kept.
pub(super) fn image_name(recipe: &str) -> String {
    format!("localhost/{recipe}:latest")
}
