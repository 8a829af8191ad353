//! `racker tag`

use super::Context;
use crate::failure::Failure;
use crate::image;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image
    source: String,
    /// Its further name
    target: String,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let name = image::full_name(&args.target)?;
    let mut image = image::need(&store, &context.registries()?, &args.source)?;
    image.name = name;
    store.put_image(&image)?;
    Ok(0)
}
