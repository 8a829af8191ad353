//! `racker plan`

use std::path::PathBuf;

use super::{Context, bake};
use crate::failure::Failure;
use crate::oci::Reference;
use crate::plan::Why;
use crate::realise::{self, Prospect};
use crate::settings::parse_cache;
use crate::ui::{Bars, Table};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Recipe file or curated label
    recipe: String,
    /// Give an argument of the recipe another value
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::assignment)]
    set: Vec<(String, String)>,
    /// Look in this registry for what is not here; may be given again
    #[arg(long, value_name = "REGISTRY/REPO", value_parser = parse_cache)]
    cache: Vec<Reference>,
    /// Lock file [default: beside the recipe]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Looks at every step of the recipe.
pub(super) fn prospects(context: &Context, args: &Args) -> Result<Vec<Prospect>, Failure> {
    let chain = bake::load(&args.recipe, &args.set)?;
    let mut settings = context.settings.clone();
    if !args.cache.is_empty() {
        settings.cache.read.clone_from(&args.cache);
    }
    let context = &Context {
        settings,
        ..*context
    };
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let path = bake::lock_path(shop.store, &chain, args.lock.as_deref());
        Ok(realise::prospect(shop, &chain, &bake::read_lock(&path)?)?)
    })
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let all = prospects(context, &args)?;
    if args.json {
        context.ui.json(&all)?;
        return Ok(0);
    }
    let mut table = Table::new(["", "STEP", "KEY", "STATE", "DOES"]);
    for prospect in &all {
        let state = match &prospect.why {
            _ if prospect.cached => "cached here".to_owned(),
            _ if prospect.shared.is_some() => "in the cache".to_owned(),
            Why::DependsOn(step) => format!("depends on {step}"),
            _ => "to be made".to_owned(),
        };
        let impure = if prospect.impure { " (impure)" } else { "" };
        let key = prospect
            .key
            .map_or_else(|| "-".into(), |key| key.to_string()[..12].to_owned());
        table.row([
            prospect.number.to_string(),
            prospect.id.clone(),
            key,
            state,
            format!("{}{impure}", prospect.summary),
        ]);
    }
    for line in table.lines() {
        context.ui.data(line)?;
    }
    Ok(0)
}
