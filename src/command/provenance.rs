//! `racker provenance`

use super::Context;
use crate::failure::Failure;
use crate::image;
use crate::provenance::Statement;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image
    image: String,
    /// Print JSON; always so
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let _ = args.json;
    let store = context.store()?;
    let image = image::need(&store, &context.registries()?, &args.image)?;
    let statement = Statement::of(&store, &image, &image::short(&image.name))?;
    context.ui.json(&statement)?;
    Ok(0)
}
