//! `racker pull`

use super::Context;
use super::destination::Destination;
use crate::failure::{Failure, USAGE};
use crate::oci::{self, Loadable, Platform, Reference, Status};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image reference, or oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG]
    reference: String,
    /// Platform, such as linux/arm64/v8 [default: this machine's]
    #[arg(long)]
    platform: Option<Platform>,
    /// Pull every tag that the repository has
    #[arg(short, long)]
    all_tags: bool,
    /// Print the name alone
    #[arg(short = 'q', id = "name_alone")]
    quiet: bool,
    /// Plain HTTP and any certificate will do
    #[arg(long)]
    insecure: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    if let Some(local) = Destination::local(&args.reference) {
        let local = local.map_err(|message| Failure::new(USAGE, message))?;
        return load(context, local, args.platform);
    }
    let reference = Reference::parse(&args.reference)?;
    // With a tag or digest behind it already, this is no reference.
    let bare = Reference::parse(&format!("{}:x", args.reference)).is_ok();
    if args.all_tags && !bare {
        return Err(Failure::new(USAGE, "all tags are pulled, and one is named")
            .hint("leave out --all-tags, or what comes behind the name"));
    }
    let ui = if args.quiet {
        context.ui.quieter()
    } else {
        context.ui
    };
    let bars = Bars::new(ui);
    context.workshop(&bars, |shop| {
        if shop.settings.offline {
            return Err(super::failed("racker may not use the network")
                .hint("leave out --offline (or RACKER_OFFLINE)"));
        }
        let mut options = shop.oci_options();
        options.platform = args.platform;
        options.insecure = args.insecure;
        let references = if args.all_tags {
            let tags = oci::tags(&reference, &options)?;
            tags.iter()
                .map(|tag| reference.with_tag(tag))
                .collect::<Result<_, _>>()?
        } else {
            vec![reference]
        };
        for reference in &references {
            let what = reference
                .tag()
                .map_or_else(String::new, |tag| format!("{tag}: "));
            let repository = reference.repository();
            ui.say(format!("{what}Pulling from {repository}"));
            let pulled = oci::pull(shop.store, reference, &options)?;
            if let Some(digest) = &pulled.image.digest {
                ui.say(format!("Digest: {digest}"));
            }
            let status = match pulled.status {
                Status::UpToDate => "Image is up to date",
                Status::Downloaded => "Downloaded newer image",
            };
            ui.say(format!("Status: {status} for {}", reference.familiar()));
            if args.json {
                ui.json(&super::inspect::document(&pulled.image))?;
            } else {
                ui.data(reference.to_string())?;
            }
        }
        Ok(0)
    })
}

/// Pulls from a place that is no registry.
fn load(context: &Context, from: Destination, platform: Option<Platform>) -> Result<u8, Failure> {
    let (from, tag) = match from {
        Destination::Layout { path, tag } => (Loadable::Layout(path), tag),
        Destination::OciArchive { path, tag } => (Loadable::File(path), tag),
        Destination::DockerArchive { path, name } => {
            (Loadable::File(path), name.map(|name| name.familiar()))
        }
        Destination::Registry(_) => unreachable!("a registry is no local place"),
    };
    super::load::load(context, from, tag.as_deref(), platform)
}
