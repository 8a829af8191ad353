//! `racker inspect`

use racker_store::{Image, Store};
use serde_json::{Value, json};

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::image;
use crate::lifecycle::{Error, Yard};
use crate::oci::Registries;
use crate::ui::{Format, container_document};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers and images
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Show by a Go template
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Look for one kind alone
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    /// Print JSON; always so without a template
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Containers
    Container,
    /// Images
    Image,
}

/// Everything about an image.
pub(super) fn document(image: &Image) -> Value {
    json!({
        "name": image::short(&image.name),
        "reference": image.name,
        "tree_id": image.tree,
        "digest": image.digest,
        "index_digest": image.index_digest,
        "source": image.source,
        "recipe": image.recipe,
        "created": image.created,
        "layers": image.layers,
        "config": image.config,
    })
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let _ = args.json;
    let (store, registries) = (context.store()?, context.registries()?);
    let found = args
        .names
        .iter()
        .map(|name| find(&store, &registries, name, args.kind));
    let documents = found.collect::<Result<Vec<_>, _>>()?;
    match args.format.as_deref() {
        None | Some("json") => context.ui.json(&documents)?,
        Some(format) => {
            let format = Format::parse(format)?;
            for document in &documents {
                context.ui.data(format.render(document)?)?;
            }
        }
    }
    Ok(0)
}

/// A container first, as in docker.
fn find(
    store: &Store,
    registries: &Registries,
    name: &str,
    kind: Option<Kind>,
) -> Result<Value, Failure> {
    if kind != Some(Kind::Image) {
        match Yard::of(store).find(name) {
            Ok(kept) => {
                let (status, state) = kept.status()?;
                return Ok(container_document(&kept, status, &state));
            }
            Err(error @ Error::NoSuch(_)) if kind.is_some() => return Err(error.into()),
            Err(Error::NoSuch(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(image) = image::find(store, registries, name)? {
        return Ok(document(&image));
    }
    match kind {
        Some(_) => image::need(store, registries, name).map(|image| document(&image)),
        None => Err(Failure::new(FAILED, format!("no such object: {name}"))
            .hint("racker ps -a lists containers, racker images lists images")),
    }
}
