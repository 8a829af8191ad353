//! `racker lock`

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Context, bake, failed};
use crate::failure::{DIGEST_MISMATCH, Failure, USAGE};
use crate::oci::Platform;
use crate::plan::lock::Lock;
use crate::plan::{Plan, changes};
use crate::realise::{self, Options, Update};
use crate::recipe::Chain;
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Recipe file or curated label
    #[arg(value_name = "RECIPE")]
    recipe: String,
    /// Take the newest of everything; with names, of these packages alone
    #[arg(long, value_name = "PACKAGE", num_args = 0..)]
    update: Option<Vec<String>>,
    /// Hold every entry against the kept metadata of its repository instead
    #[arg(long, conflicts_with = "update")]
    verify: bool,
    /// Give an argument of the recipe another value
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::assignment)]
    set: Vec<(String, String)>,
    /// Lock file [default: beside the recipe]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let chain = bake::load(&args.recipe, &args.set)?;
    if !args.verify {
        crate::container::slot::require_root()?;
    }
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let path = bake::lock_path(shop.store, &chain, args.lock.as_deref());
        if args.verify {
            let lock = bake::read_lock(&path)?;
            return verify(context, &args, &realise::verify_lock(shop, &lock)?);
        }
        let _turn = bake::take_turn(shop, &path);
        let before = bake::read_lock(&path)?;
        let mut options = Options::default();
        let mut lock = before.clone();
        if let Some(names) = &args.update {
            lock = renewed(&before, &chain, names)?;
            options.update = (!names.is_empty()).then(|| Update {
                before: before.clone(),
                names: names.iter().cloned().collect(),
            });
        }
        realise::complete(shop, &chain, &mut lock, &options)?;
        if lock != before || !path.exists() {
            bake::write_lock(&path, &lock)?;
        }
        let changes = changes(&before, &lock);
        if args.json {
            context.ui.json(&changes)?;
        } else {
            for change in changes {
                context.ui.data(change.to_string())?;
            }
        }
        Ok(0)
    })
}

/// The lock without what is to be found anew.
fn renewed(before: &Lock, chain: &Chain, names: &[String]) -> Result<Lock, Failure> {
    let mut lock = before.clone();
    if names.is_empty() {
        lock.forget(&Platform::host().to_string());
        return Ok(lock);
    }
    for name in names {
        let mut sections = before.sections().iter();
        if !sections.any(|section| section.packages.iter().any(|it| it.name == *name)) {
            return Err(
                Failure::new(USAGE, format!("the lock has no package {name}"))
                    .hint("racker lock RECIPE --update, without names, renews everything"),
            );
        }
    }
    let plan = Plan::new(chain);
    let steps: BTreeSet<String> = plan.steps.into_iter().map(|step| step.id).collect();
    lock.retain_sections(|section| {
        let named = section.packages.iter().any(|it| names.contains(&it.name));
        !(steps.contains(&section.step) && named)
    });
    Ok(lock)
}

fn verify(context: &Context, args: &Args, report: &realise::LockReport) -> Result<u8, Failure> {
    if args.json {
        context.ui.json(report)?;
    } else {
        for wrong in &report.wrong {
            context.ui.data(wrong.to_string())?;
        }
        for step in &report.unknown {
            context.ui.data(format!(
                "{step}: the metadata of its repositories is not kept here"
            ))?;
        }
    }
    if !report.wrong.is_empty() {
        let count = report.wrong.len();
        let message = format!("{count} entries are not what the repositories say");
        return Err(Failure::new(DIGEST_MISMATCH, message).hint(
            "restore the lock from version control, or renew it: racker lock RECIPE --update",
        ));
    }
    if !report.unknown.is_empty() {
        return Err(failed("not everything could be verified")
            .hint("metadata is kept where a lock was made: verify it there"));
    }
    context
        .ui
        .say(format!("{} packages verified", report.verified));
    Ok(0)
}
