//! `racker rmi`

use racker_store::Image;

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::image;
use crate::realise::HIDDEN;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Remove all names of an id, and be content with what is not there
    #[arg(short, long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let (store, registries) = (context.store()?, context.registries()?);
    let mut gone = Vec::new();
    let mut failures = Vec::new();
    let mut code = 0;
    for name in &args.images {
        let mut images = image::all(&store, &registries, name)?;
        // An id has names of racker's own too.
        if images.len() > 1 {
            images.retain(|image| !image.name.starts_with(HIDDEN));
        }
        if images.is_empty() {
            failures.push(image::missing(name));
            // As in docker: who insists is content with what is not there.
            code = if args.force { code } else { FAILED };
        } else if images.len() > 1 && !args.force {
            failures.push(several(name, &images));
            code = FAILED;
        } else {
            for image in images {
                store.remove_image(&image.name)?;
                if !args.json {
                    context.ui.data(format!("Untagged: {}", image.name))?;
                }
                gone.push(image.name);
            }
        }
    }
    if args.json {
        context.ui.json(&serde_json::json!({ "untagged": gone }))?;
    }
    for failure in failures {
        context.ui.error(failure.render());
    }
    Ok(code)
}

fn several(id: &str, images: &[Image]) -> Failure {
    let names: Vec<String> = images.iter().map(|it| image::short(&it.name)).collect();
    let message = format!("image {id} has several names: its removal must be forced");
    Failure::new(FAILED, message)
        .hint(format!("they are {}", names.join(", ")))
        .hint("racker rmi -f removes all of them")
}
