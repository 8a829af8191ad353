//! `postroj pull`

use super::Context;
use crate::command::bake::{bake_chain, lock_path};
use crate::command::bake_report::report;
use crate::container::slot::require_root;
use crate::failure::{Failure, from_recipe};
use crate::realise::{Baked, Options, Workshop};
use crate::recipe::{self, Chain};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Label or alias
    #[arg(value_name = "NAME", required_unless_present = "all")]
    name: Option<String>,
    /// Every image that is listed; one that fails does not keep the others
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    require_root()?;
    let names: Vec<&str> = match &args.name {
        Some(name) => vec![name],
        None => recipe::listed().iter().map(|it| it.label).collect(),
    };
    let chains: Vec<Chain> = names
        .into_iter()
        .map(|name| recipe::load_curated(name, &[]).map_err(from_recipe))
        .collect::<Result<_, _>>()?;
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let results = chains.iter().map(|chain| bake(shop, chain)).collect();
        report(context, results, false, false)
    })
}

/// Bakes an image; a failure names it.
fn bake(shop: Workshop<'_>, chain: &Chain) -> Result<Baked, Failure> {
    let path = lock_path(shop.store, chain, None);
    bake_chain(shop, chain, &path, &Options::default()).map_err(|mut failure| {
        failure.message = format!("{}: {}", chain.recipe().name, failure.message);
        failure
    })
}
