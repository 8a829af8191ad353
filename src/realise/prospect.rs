//! What a bake would do: which steps are there, and why the others are not.

use racker_store::{StepKey, TreeId};
use serde::Serialize;

use super::base;
use super::step::rules;
use super::{Error, Workshop};
use crate::oci::Platform;
use crate::plan::lock::Lock;
use crate::plan::{KeyContext, KeyDocument, KeyError, Plan, Why, key, why};
use crate::recipe::Chain;

/// One step as a bake would find it.
#[derive(Debug, Clone, Serialize)]
pub struct Prospect {
    /// Its id.
    pub id: String,
    /// Its place in the plan, from one.
    pub number: usize,
    /// What it does.
    pub summary: String,
    /// Its key, where that can be known.
    pub key: Option<StepKey>,
    /// Whether its result is there.
    pub cached: bool,
    /// The shared cache that has its result, where it is not here.
    pub shared: Option<String>,
    /// The tree it gives, where that is there or a shared cache says it.
    pub tree: Option<TreeId>,
    /// Whether it uses the network while it changes the image.
    pub impure: bool,
    /// How it stands to what was built before.
    pub why: Why,
}

/// Looks at every step without making any. Exact up to the first that is neither there nor in a shared
/// cache; the steps behind it depend on it. Of a cache only statements are read, and nothing is written.
pub fn prospect(shop: Workshop<'_>, chain: &Chain, lock: &Lock) -> Result<Vec<Prospect>, Error> {
    let plan = Plan::new(chain);
    let platform = Platform::host().to_string();
    let mut lock = lock.clone();
    let base = base::peek(shop, &plan.base, &platform, &lock)?;
    if lock.epoch.is_none() {
        lock.epoch = base.as_ref().and_then(|image| base::created(&image.config));
    }
    let mut parent = base.map(|image| image.tree);
    let mut blocker = parent.is_none().then(|| "from".to_owned());
    let mut all = Vec::new();
    for planned in &plan.steps {
        let mut prospect = Prospect {
            id: planned.id.clone(),
            number: planned.number,
            summary: planned.summary.clone(),
            key: None,
            cached: false,
            shared: None,
            tree: None,
            impure: planned.impure,
            why: Why::NeverBuilt,
        };
        match (&blocker, parent) {
            (Some(blocker), _) => prospect.why = Why::DependsOn(blocker.clone()),
            (None, Some(tree)) => {
                let context = KeyContext {
                    lock: &lock,
                    platform: &platform,
                    rules: &rules(planned),
                };
                match key(planned, tree, context) {
                    Ok(document) => look(shop, planned, tree, &document, &mut prospect)?,
                    // Only making it will tell what it needs.
                    Err(KeyError::Unlocked { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            (None, None) => {}
        }
        parent = prospect.tree;
        if blocker.is_none() && parent.is_none() {
            blocker = Some(prospect.id.clone());
        }
        all.push(prospect);
    }
    Ok(all)
}

fn look(
    shop: Workshop<'_>,
    planned: &crate::plan::PlannedStep,
    parent: TreeId,
    document: &KeyDocument,
    prospect: &mut Prospect,
) -> Result<(), Error> {
    prospect.key = Some(document.key());
    let found = shop.store.realisations(document.key())?;
    let found = found.into_iter().find(|it| shop.store.has_tree(it.tree));
    prospect.why = match &found {
        Some(_) => Why::Hit,
        None => {
            let earlier = shop.store.recent(&planned.recipe, planned.place)?;
            let nearest = earlier
                .first()
                .and_then(|it| KeyDocument::from_value(&it.document));
            why(document, nearest.as_ref())
        }
    };
    prospect.cached = found.is_some();
    prospect.tree = found.map(|it| it.tree);
    if !prospect.cached {
        let (key, progress) = (document.key(), shop.reporter.progress());
        if let Some(known) = shop.cache.peek(key, parent, &planned.id, progress)? {
            prospect.tree = Some(known.tree);
            prospect.shared = Some(known.place);
        }
    }
    Ok(())
}
