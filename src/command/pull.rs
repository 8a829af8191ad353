//! `racker pull`

use super::Context;
use super::destination::Destination;
use super::store::collect_when_low;
use crate::failure::{Failure, USAGE};
use crate::oci::{self, Loadable, Platform, Reference, Status};
use crate::realise::Workshop;
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
    Reference::parse(&args.reference)?;
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
        let mut options = shop.oci_options();
        options.platform.clone_from(&args.platform);
        options.insecure = args.insecure;
        let references = references(shop, &args, &options)?;
        if let Some(first) = references.first()
            && first.name() != Reference::parse(&args.reference)?.name()
        {
            ui.say(format!("{} comes from {}", args.reference, first.name()));
        }
        for reference in &references {
            let what = reference
                .tag()
                .map_or_else(String::new, |tag| format!("{tag}: "));
            let repository = reference.repository();
            ui.say(format!("{what}Pulling from {repository}"));
            let pulled = oci::pull(shop.store, reference, &options)?;
            let image = &pulled.image;
            if let Some(digest) = image.index_digest.or(image.digest) {
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
        collect_when_low(context, shop.store);
        Ok(0)
    })
}

/// The full names of what is to be pulled; without the network, of what is there.
fn references(
    shop: Workshop<'_>,
    args: &Args,
    options: &oci::Options<'_>,
) -> Result<Vec<Reference>, Failure> {
    if shop.settings.offline {
        for name in options.registries.candidates(&args.reference)? {
            if !args.all_tags && oci::pinned::find(shop.store, &name)?.is_some() {
                return Ok(vec![name]);
            }
        }
        return Err(super::failed("racker may not use the network")
            .hint("leave out --offline (or RACKER_OFFLINE)"));
    }
    if args.all_tags {
        let (name, tags) = oci::locate_tags(&args.reference, options)?;
        let all = tags.iter().map(|tag| name.with_tag(tag));
        return Ok(all.collect::<Result<_, _>>()?);
    }
    Ok(vec![oci::locate(&args.reference, options)?])
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
    super::load::load(context, context.ui, from, tag.as_deref(), platform)
}
