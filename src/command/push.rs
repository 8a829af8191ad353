//! `racker push`

use super::Context;
use super::destination::Destination;
use crate::failure::{Failure, USAGE};
use crate::image;
use crate::oci::Reference;
use crate::oci::outgoing::{self, Encoding};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Image
    image: String,
    /// Where to, if not to where its name says: a reference, or oci:, oci-archive:,
    /// docker-archive: as for save
    #[arg(value_name = "DESTINATION", value_parser = Destination::parse)]
    destination: Option<Destination>,
    /// How layers are compressed: gzip, zstd or none [default: as they came, else gzip]
    #[arg(long, value_name = "ENCODING")]
    compression: Option<Encoding>,
    /// Plain HTTP and any certificate will do
    #[arg(long)]
    insecure: bool,
    /// Print the digest alone
    #[arg(short = 'q', id = "digest_alone")]
    quiet: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let ui = if args.quiet {
        context.ui.quieter()
    } else {
        context.ui
    };
    let bars = Bars::new(ui);
    context.workshop(&bars, |shop| {
        let image = image::need(shop.store, shop.registries, &args.image)?;
        let target = match args.destination {
            Some(Destination::Registry(reference)) => reference,
            Some(other) => {
                let compression = args.compression;
                let digest = super::save::save(context, shop.store, &image, &other, compression)?;
                if let Some(digest) = digest {
                    context.ui.data(digest.to_string())?;
                }
                return Ok(0);
            }
            None => own(&image.name)?,
        };
        if shop.settings.offline {
            return Err(super::failed("racker may not use the network")
                .hint("leave out --offline (or RACKER_OFFLINE)"));
        }
        let mut options = shop.oci_options();
        options.insecure = args.insecure;
        let repository = target.name();
        ui.say(format!("The push refers to repository [{repository}]"));
        let digest = outgoing::push(shop.store, &image, &target, args.compression, &options)?;
        let tag = target.tag().unwrap_or_default();
        ui.say(format!("{tag}: digest: {digest}"));
        context.ui.data(digest.to_string())?;
        Ok(0)
    })
}

/// The place that an image's name is.
fn own(name: &str) -> Result<Reference, Failure> {
    match Reference::parse(name) {
        Ok(reference) if reference.registry() != "localhost" => Ok(reference),
        _ => Err(
            Failure::new(USAGE, format!("{} is in no registry", image::short(name)))
                .hint("name a destination, as in registry.example/team/web:1"),
        ),
    }
}
