//! What steps led to, from other machines and for them.

use std::io::Write as _;

use racker_store::{Digest, Image, Realisation};

use super::image::StepResult;
use super::step::{Made, Parent, Step};
use super::{Error, Event, Workshop};
use crate::cache::Wanted;
use crate::oci::{Reference, each};
use crate::plan::lock::Lock;
use crate::plan::{KeyDocument, Plan, PlannedStep};
use crate::recipe::From;

/// Steps under way at once.
const PARALLEL: usize = 3;

impl Step<'_> {
    /// The step's result from a shared cache, recorded as if it had been made here.
    pub(super) fn shared(
        &self,
        parent: &Parent,
        document: &KeyDocument,
    ) -> Result<Option<Realisation>, Error> {
        let Workshop {
            store,
            cache,
            reporter,
            ..
        } = self.shop;
        if self.options.no_cache || !cache.reads() {
            return Ok(None);
        }
        // Nothing travels twice.
        let turn = self.take_turn(document)?;
        if let Some(found) = self.found(document)? {
            self.tell_cached();
            return Ok(Some(found));
        }
        let wanted = Wanted {
            key: document.key(),
            id: &self.planned.id,
            parent: parent.id,
            below: &parent.tree,
        };
        let Some(found) = cache.step(store, wanted, reporter.progress())? else {
            return Ok(None);
        };
        let log = found.log.map(|text| self.keep_log(&text)).transpose()?;
        let made = Made {
            tree: found.tree,
            log,
        };
        let realisation = self.keep(parent, document, made, found.milliseconds)?;
        self.keeper.record(store, realisation.clone(), turn);
        self.tell(|id, place, total, summary| Event::StepFound {
            id,
            place,
            total,
            summary,
            cache: &found.place,
        });
        Ok(Some(realisation))
    }

    /// Keeps what a step wrote elsewhere as if it had done so here; the log's name.
    fn keep_log(&self, text: &[u8]) -> Result<String, Error> {
        let mut log = self.log()?;
        let written = log.write_all(text);
        written.map_err(Error::io("write the log"))?;
        Ok(log.id().to_owned())
    }
}

/// Puts the base and the results of the first steps of a plan where results are put, if anywhere.
/// What goes wrong is told, and that is all.
pub(super) fn share(
    shop: Workshop<'_>,
    plan: &Plan,
    results: &[StepResult],
    lock: &Lock,
    platform: &str,
) {
    let Some(target) = shop.cache.target() else {
        return;
    };
    let (store, cache) = (shop.store, shop.cache);
    let progress = shop.reporter.progress();
    if let Ok(Some((pinned, image))) = base(shop, &plan.base, lock, platform)
        && cache.put_base(store, &image, &pinned, &shop.oci_options())
    {
        let text = format!("{}: put into the cache {target}", pinned.familiar());
        shop.reporter.event(Event::Message(&text));
    }
    let put = each(results.len(), PARALLEL, |index| {
        let (planned, result) = (&plan.steps[index], &results[index]);
        let (id, realisation) = (&planned.id, &result.realisation);
        let put = cache.put_step(store, realisation, id, result.made, progress);
        let files = files(shop, planned, lock, platform);
        cache.put_files(store, realisation.key, &files, id, progress);
        Ok(put)
    });
    let count = put.iter().flatten().filter(|put| **put).count();
    if count > 0 {
        let steps = if count == 1 { "step" } else { "steps" };
        let text = format!("{count} {steps} put into the cache {target}");
        shop.reporter.event(Event::Message(&text));
    }
}

/// The image of a registry that the plan starts from.
fn base(
    shop: Workshop<'_>,
    from: &From,
    lock: &Lock,
    platform: &str,
) -> Result<Option<(Reference, Image)>, Error> {
    let From::Reference(text) = from else {
        return Ok(None);
    };
    let Some(digest) = lock.base(text, platform) else {
        return Ok(None);
    };
    let pinned = Reference::parse(text)?.with_digest(*digest);
    let image = shop.store.image(&pinned.to_string())?;
    Ok(image.map(|image| (pinned, image)))
}

/// The package files of a step, if the store has all of them.
fn files(shop: Workshop<'_>, planned: &PlannedStep, lock: &Lock, platform: &str) -> Vec<Digest> {
    let packages = lock.packages(&planned.id, platform).unwrap_or_default();
    let files = packages
        .iter()
        .flat_map(|package| [Some(package.sha256), package.signature]);
    let files: Vec<Digest> = files.flatten().collect();
    // Whoever fetched the step has none.
    let there = |digest: &Digest| shop.store.blob(digest).is_some();
    if files.iter().all(there) {
        files
    } else {
        Vec::new()
    }
}
