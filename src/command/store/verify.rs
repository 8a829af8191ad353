//! `racker store verify`

use racker_store::{Damage, Image, Repaired};
use serde_json::{Value, json};

use crate::command::Context;
use crate::failure::{FAILED, Failure};
use crate::image::short;
use crate::oci::{self, Reference};
use crate::realise::HIDDEN;
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Make again what follows from the rest, pull again what came from a registry, and move what is
    /// damaged aside, so that the next bake makes it again
    #[arg(long)]
    repair: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let (done, pulled) = if args.repair {
        let done = store.repair()?;
        let pulled = pull_again(context, &done.lost)?;
        (done, pulled)
    } else {
        let done = Repaired {
            found: store.verify()?,
            ..Repaired::default()
        };
        (done, Vec::new())
    };
    let lost: Vec<&str> = done
        .lost
        .iter()
        .map(|image| &*image.name)
        .filter(|name| !pulled.iter().any(|it| it == name))
        .collect();
    if args.json {
        context.ui.json(&json!({
            "damages": done.found.iter().map(document).collect::<Vec<_>>(),
            "restored": done.restored,
            "removed": done.removed,
            "pulled": pulled,
            "lost": lost,
        }))?;
    } else {
        show(context, &done, &pulled, &lost)?;
    }
    Ok(if done.found.is_empty() { 0 } else { FAILED })
}

fn document(damage: &Damage) -> Value {
    json!({ "path": damage.path, "reason": damage.reason, "images": damage.images })
}

fn show(
    context: &Context,
    done: &Repaired,
    pulled: &[String],
    lost: &[&str],
) -> Result<(), Failure> {
    let ui = context.ui;
    for damage in &done.found {
        let images: Vec<String> = damage.images.iter().map(|it| short(it)).collect();
        let images = match images.join(", ") {
            none if none.is_empty() => none,
            names => format!(" (images: {names})"),
        };
        ui.data(format!(
            "{}: {}{images}",
            damage.path.display(),
            damage.reason
        ))?;
    }
    for (what, paths) in [("restored", &done.restored), ("moved aside", &done.removed)] {
        for path in paths {
            ui.data(format!("{what}: {}", path.display()))?;
        }
    }
    for name in pulled {
        ui.data(format!("pulled again: {}", short(name)))?;
    }
    for name in lost.iter().filter(|name| !name.starts_with(HIDDEN)) {
        ui.data(format!("to be baked or pulled again: {}", short(name)))?;
    }
    match done.found.len() {
        0 => ui.say("nothing is damaged"),
        count => ui.say(format!("{count} damaged")),
    }
    Ok(())
}

/// Pulls images again that a registry gave us by a digest; their names.
fn pull_again(context: &Context, lost: &[Image]) -> Result<Vec<String>, Failure> {
    let mut pulled = Vec::new();
    if context.settings.offline || lost.is_empty() {
        return Ok(pulled);
    }
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        for image in lost {
            let (Some(digest), Ok(reference)) = (image.digest, Reference::parse(&image.name))
            else {
                continue;
            };
            let pinned = reference.with_digest(digest);
            let name = pinned.to_string();
            let known = name == image.name || shop.store.image(&name)?.is_some();
            match oci::pull(shop.store, &pinned, &shop.oci_options()) {
                Ok(result) => {
                    let again = Image {
                        name: image.name.clone(),
                        ..result.image
                    };
                    shop.store.put_image(&again)?;
                    if !known {
                        shop.store.remove_image(&name)?;
                    }
                    shop.store.sync()?;
                    pulled.push(image.name.clone());
                }
                Err(error) => context.ui.say(format!("{}: {error}", short(&image.name))),
            }
        }
        Ok(())
    })?;
    Ok(pulled)
}
