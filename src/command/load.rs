//! `racker load`

use std::io;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use racker_store::Image;

use super::Context;
use crate::failure::{Failure, USAGE};
use crate::image::short;
use crate::oci::{self, Loadable, Platform};
use crate::ui::{Bars, Ui};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive, as save, docker save and podman save write it; - is standard input [default: -]
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Platform, such as linux/arm64/v8 [default: this machine's]
    #[arg(long)]
    platform: Option<Platform>,
    /// Show no progress
    #[arg(short = 'q', id = "no_progress")]
    quiet: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let ui = if args.quiet {
        context.ui.quieter()
    } else {
        context.ui
    };
    let from = match args.input.filter(|path| path != Path::new("-")) {
        Some(path) if path.is_dir() => Loadable::Layout(path),
        Some(path) => Loadable::File(path),
        None if io::stdin().is_terminal() => {
            return Err(
                Failure::new(USAGE, "an archive does not come from a terminal")
                    .hint("write -i FILE, or send one to standard input"),
            );
        }
        None => Loadable::Stream(Box::new(io::stdin().lock())),
    };
    load(context, ui, from, None, args.platform)
}

/// Loads images and prints their names.
pub(super) fn load(
    context: &Context,
    ui: Ui,
    from: Loadable<'_>,
    tag: Option<&str>,
    platform: Option<Platform>,
) -> Result<u8, Failure> {
    let bars = Bars::new(ui);
    context.workshop(&bars, |shop| {
        let mut options = shop.oci_options();
        options.platform = platform;
        let mut told = Ok(());
        let mut tell = |image: &Image| {
            if told.is_ok() {
                told = ui.data(format!("Loaded image: {}", short(&image.name)));
            }
        };
        oci::load(shop.store, from, tag, &options, &mut tell)?;
        told?;
        Ok(0)
    })
}
