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
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        if shop.settings.offline {
            return Err(super::failed("racker may not use the network")
                .hint("leave out --offline (or RACKER_OFFLINE)"));
        }
        let mut options = shop.oci_options();
        options.platform = args.platform;
        options.insecure = args.insecure;
        let pulled = oci::pull(shop.store, &reference, &options)?;
        let name = reference.to_string();
        match pulled.status {
            Status::UpToDate => context
                .ui
                .say(format!("Status: Image is up to date for {name}")),
            Status::Downloaded => {
                context
                    .ui
                    .say(format!("Status: Downloaded newer image for {name}"));
            }
        }
        if args.json {
            context.ui.json(&super::inspect::document(&pulled.image))?;
        } else {
            context.ui.data(name)?;
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
