//! `racker history`

use super::Context;
use crate::failure::Failure;
use crate::image;
use crate::ui::{Table, size};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image
    image: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let image = image::need(&context.store()?, &context.registries()?, &args.image)?;
    if args.json {
        context.ui.json(&image.layers)?;
        return Ok(0);
    }
    let mut table = Table::new(["TREE", "STEP KEY", "SIZE", "CREATED BY"]);
    for layer in image.layers.iter().rev() {
        let key = layer
            .step_key
            .map_or_else(|| "-".into(), |key| key.to_string()[..12].to_owned());
        let impure = if layer.impure { " (impure)" } else { "" };
        table.row([
            layer.tree.to_string()[..12].to_owned(),
            key,
            size(layer.size),
            format!("{}{impure}", layer.created_by),
        ]);
    }
    for line in table.lines() {
        context.ui.data(line)?;
    }
    Ok(0)
}
