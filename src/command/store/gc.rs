//! `racker store gc`

use std::time::Duration;

use racker_store::{Collected, Policy};
use serde_json::json;

use crate::amount;
use crate::command::Context;
use crate::failure::Failure;
use crate::image;
use crate::realise::HIDDEN;
use crate::ui::{Table, size};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove results of steps, fetched files and bases that nobody used for this long [default:
    /// gc-older-than of the settings, or 30d]
    #[arg(long, value_name = "AGE", value_parser = amount::age)]
    older_than: Option<Duration>,
    /// Keep no more than this, the newest [default: gc-max-size]
    #[arg(long, value_name = "SIZE", value_parser = amount::bytes)]
    max_size: Option<u64>,
    /// Remove until the file system has this much free [default: gc-max-free]
    #[arg(long, value_name = "SIZE", value_parser = amount::bytes)]
    min_free: Option<u64>,
    /// Remove images too, by the same rules
    #[arg(long)]
    images: bool,
    /// With --images: keep this image, as those of gc-keep
    #[arg(long, value_name = "IMAGE", requires = "images")]
    keep: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let (store, registries) = (context.store()?, context.registries()?);
    let gc = &context.settings.gc;
    let mut kept = Vec::new();
    for name in &args.keep {
        kept.push(image::need(&store, &registries, name)?.name);
    }
    // Settings may name what is not there yet.
    for name in &gc.keep {
        kept.extend(image::find(&store, &registries, name)?.map(|image| image.name));
    }
    let images = store.images()?.into_iter().map(|image| image.name);
    let images = images
        .filter(|name| args.images || name.starts_with(HIDDEN))
        .filter(|name| !kept.contains(name))
        .collect();
    let policy = Policy {
        older_than: args.older_than.unwrap_or(gc.older_than),
        max_size: args.max_size.or(gc.max_size),
        min_free: args.min_free.or(gc.min_free),
        images,
    };
    let collected = store.collect(&policy, args.dry_run)?;
    if args.json {
        context.ui.json(&document(&collected, args.dry_run))?;
        return Ok(0);
    }
    for name in &collected.images {
        context
            .ui
            .data(format!("Untagged: {}", image::short(name)))?;
    }
    let mut table = Table::new(["KIND", "FILES", "SIZE"]);
    for (kind, sum) in &collected.kinds {
        let row = [(*kind).to_owned(), sum.files.to_string(), size(sum.bytes)];
        table.row(row);
    }
    if !collected.kinds.is_empty() {
        for line in table.lines() {
            context.ui.data(line)?;
        }
    }
    let what = if args.dry_run {
        "Would reclaim"
    } else {
        "Total reclaimed space"
    };
    let total = size(collected.total().bytes);
    context.ui.data(format!("{what}: {total}"))?;
    Ok(0)
}

fn document(collected: &Collected, dry_run: bool) -> serde_json::Value {
    let kinds: serde_json::Map<_, _> = collected
        .kinds
        .iter()
        .map(|(kind, sum)| {
            let sum = json!({ "files": sum.files, "bytes": sum.bytes });
            ((*kind).to_owned(), sum)
        })
        .collect();
    let total = collected.total();
    json!({
        "dry_run": dry_run,
        "images": collected.images,
        "kinds": kinds,
        "files": total.files,
        "bytes": total.bytes,
        "spared": collected.spared,
    })
}
