//! `racker store stats`

use racker_store::{ImageStats, Stats};
use serde_json::{Value, json};

use crate::command::Context;
use crate::failure::Failure;
use crate::image::short;
use crate::realise::HIDDEN;
use crate::ui::{Table, ago, size};

/// Images that are shown of each kind.
const SHOWN: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let stats = store.stats()?;
    if args.json {
        context.ui.json(&document(&stats))?;
        return Ok(0);
    }
    let ui = context.ui;
    let mut table = Table::new(["KIND", "FILES", "ON DISK"]);
    for (kind, sum) in &stats.disk {
        let row = [(*kind).to_owned(), sum.files.to_string(), size(sum.bytes)];
        table.row(row);
    }
    let disk: u64 = stats.disk.values().map(|sum| sum.bytes).sum();
    table.row(["total".into(), String::new(), size(disk)]);
    for line in table.lines() {
        ui.data(line)?;
    }
    ui.data(format!(
        "\n{} images of {} in all, {} without what they share",
        stats.images.len(),
        size(stats.logical),
        size(stats.unique)
    ))?;
    let mut images: Vec<&ImageStats> = stats
        .images
        .iter()
        .filter(|it| !it.image.name.starts_with(HIDDEN))
        .collect();
    images.sort_by_key(|it| std::cmp::Reverse(it.own));
    show(context, "BIGGEST", &images)?;
    images.sort_by_key(|it| it.image.created);
    show(context, "OLDEST", &images)?;
    Ok(0)
}

fn show(context: &Context, what: &str, images: &[&ImageStats]) -> Result<(), Failure> {
    if images.is_empty() {
        return Ok(());
    }
    context.ui.data("")?;
    let mut table = Table::new([what, "SIZE", "ITS OWN", "CREATED"]);
    for it in images.iter().take(SHOWN) {
        table.row([
            short(&it.image.name),
            size(it.logical),
            size(it.own),
            ago(it.image.created),
        ]);
    }
    for line in table.lines() {
        context.ui.data(line)?;
    }
    Ok(())
}

fn document(stats: &Stats) -> Value {
    let disk: serde_json::Map<_, _> = stats
        .disk
        .iter()
        .map(|(kind, sum)| {
            let sum = json!({ "files": sum.files, "bytes": sum.bytes });
            ((*kind).to_owned(), sum)
        })
        .collect();
    let image = |it: &ImageStats| {
        json!({
            "reference": it.image.name,
            "tree_id": it.image.tree,
            "created": it.image.created,
            "files": it.files,
            "logical": it.logical,
            "unique": it.unique,
            "own": it.own,
        })
    };
    json!({
        "disk": disk,
        "logical": stats.logical,
        "unique": stats.unique,
        "images": stats.images.iter().map(image).collect::<Vec<_>>(),
    })
}
