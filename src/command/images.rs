//! `racker images`

use racker_store::Image;
use serde_json::{Value, json};

use super::Context;
use crate::failure::Failure;
use crate::image::short;
use crate::realise::HIDDEN;
use crate::ui::{Table, ago, size};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show the tree's ids alone
    #[arg(short, long = "ids")]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn bytes(image: &Image) -> u64 {
    image.layers.iter().map(|layer| layer.size).sum()
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let mut images = context.store()?.images()?;
    images.retain(|image| !image.name.starts_with(HIDDEN));
    if args.json {
        let all: Vec<Value> = images
            .iter()
            .map(|image| {
                json!({
                    "name": short(&image.name),
                    "reference": image.name,
                    "tree_id": image.tree,
                    "digest": image.digest,
                    "created": image.created,
                    "size": bytes(image),
                })
            })
            .collect();
        context.ui.json(&all)?;
        return Ok(0);
    }
    let mut table = Table::new(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    for image in &images {
        let id = image.tree.to_string()[..12].to_owned();
        if args.quiet {
            context.ui.data(id)?;
            continue;
        }
        let shown = image.name.strip_prefix("localhost/").map_or_else(
            || crate::oci::Reference::parse(&image.name).map(|r| r.familiar()),
            |name| Ok(name.to_owned()),
        )?;
        let (name, tag) = parts(&shown);
        table.row([
            name.to_owned(),
            tag.to_owned(),
            id,
            ago(image.created),
            size(bytes(image)),
        ]);
    }
    if !args.quiet {
        for line in table.lines() {
            context.ui.data(line)?;
        }
    }
    Ok(0)
}

/// Repository and tag of a name; one that was pulled by its digest has none.
fn parts(shown: &str) -> (&str, &str) {
    let (bare, digest) = shown.split_once('@').unwrap_or((shown, ""));
    match bare.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => {
            (name, if digest.is_empty() { tag } else { "<none>" })
        }
        _ => (bare, "<none>"),
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_cut() {
        assert_eq!(parts("debian:12"), ("debian", "12"));
        assert_eq!(parts("host:5000/a"), ("host:5000/a", "<none>"));
        assert_eq!(parts("host:5000/a:b"), ("host:5000/a", "b"));
        assert_eq!(parts("debian@sha256:00"), ("debian", "<none>"));
        assert_eq!(parts("host:5000/a:b@sha256:00"), ("host:5000/a", "<none>"));
    }
}
