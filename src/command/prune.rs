//! `racker prune`: removing containers that ended.

use std::io::{IsTerminal, Write};

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::{Status, Yard, events};
use crate::ui::size;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    if !args.force && !confirmed("This will remove all stopped containers.")? {
        return Ok(0);
    }
    let store = context.store()?;
    let yard = Yard::of(&store);
    let mut freed = 0;
    let mut removed = Vec::new();
    for kept in yard.all()? {
        if !matches!(kept.status()?.0, Status::Exited | Status::Created) {
            continue;
        }
        let bytes: u64 = walkdir::WalkDir::new(kept.directory())
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|it| it.len())
            .sum();
        // It may have been started meanwhile.
        if yard.remove(&kept).is_ok() {
            events::put(&store, &kept.config, "destroy", &[]);
            freed += bytes;
            removed.push(kept.config.id.clone());
        }
    }
    if !removed.is_empty() {
        context.ui.data("Deleted Containers:")?;
        for id in removed {
            context.ui.data(id)?;
        }
        context.ui.data("")?;
    }
    context
        .ui
        .data(format!("Total reclaimed space: {}", size(freed)))?;
    Ok(0)
}

/// Asks, where there is somebody.
pub(super) fn confirmed(warning: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new(FAILED, "nobody can be asked whether that is meant")
                .hint("--force does it without asking"),
        );
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(
        err,
        "WARNING! {warning}\nAre you sure you want to continue? [y/N] "
    );
    let _ = err.flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(FAILED, format!("read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
