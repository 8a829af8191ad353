//! `racker inspect`

use racker_store::Image;
use serde_json::{Value, json};

use super::Context;
use crate::failure::Failure;
use crate::image;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Print JSON; always so
    #[arg(long)]
    json: bool,
}

/// Everything about an image.
pub(super) fn document(image: &Image) -> Value {
    json!({
        "name": image::short(&image.name),
        "reference": image.name,
        "tree_id": image.tree,
        "digest": image.digest,
        "source": image.source,
        "recipe": image.recipe,
        "created": image.created,
        "layers": image.layers,
        "config": image.config,
    })
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let _ = args.json;
    let store = context.store()?;
    let found = args
        .images
        .iter()
        .map(|name| image::need(&store, name))
        .collect::<Result<Vec<_>, _>>()?;
    let documents: Vec<Value> = found.iter().map(document).collect();
    context.ui.json(&documents)?;
    Ok(0)
}
