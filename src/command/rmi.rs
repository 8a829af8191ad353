//! `racker rmi`

use super::Context;
use crate::failure::Failure;
use crate::image;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let (store, registries) = (context.store()?, context.registries()?);
    let images = args
        .images
        .iter()
        .map(|name| image::need(&store, &registries, name))
        .collect::<Result<Vec<_>, _>>()?;
    for image in &images {
        store.remove_image(&image.name)?;
        if !args.json {
            context.ui.data(format!("Untagged: {}", image.name))?;
        }
    }
    if args.json {
        let names: Vec<_> = images.iter().map(|image| &image.name).collect();
        context.ui.json(&serde_json::json!({ "untagged": names }))?;
    }
    Ok(0)
}
