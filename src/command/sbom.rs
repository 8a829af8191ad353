//! `racker sbom`

use clap::ValueEnum;

use super::Context;
use crate::failure::Failure;
use crate::image;
use crate::sbom::{Bill, CycloneDx, Spdx};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image
    image: String,
    /// Form of the document
    #[arg(long, value_enum, default_value_t = Format::Spdx)]
    format: Format,
    /// Print JSON; always so
    #[arg(long)]
    json: bool,
}

/// A form of a bill of materials.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// SPDX 2.3
    Spdx,
    /// CycloneDX 1.6
    Cyclonedx,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let _ = args.json;
    let store = context.store()?;
    let image = image::need(&store, &context.registries()?, &args.image)?;
    let bill = Bill::of(&store, &image, &image::short(&image.name))?;
    match args.format {
        Format::Spdx => context.ui.json(&Spdx::new(&bill))?,
        Format::Cyclonedx => context.ui.json(&CycloneDx::new(&bill))?,
    }
    Ok(0)
}
