//! The image of a container, and the tree that it runs on.

use racker_store::{Image, TreeId};

use super::config::wrong;
use super::options::{Options, Pull, Systemd};
use crate::failure::Failure;
use crate::oci::{self, Reference};
use crate::realise::{Event, Workshop};
use crate::{image, systemd};

pub(super) fn obtain(shop: Workshop<'_>, options: &Options, name: &str) -> Result<Image, Failure> {
    match options.pull {
        Pull::Never => image::need(shop.store, shop.registries, name),
        Pull::Missing if options.platform.is_none() => image::obtain(shop, name),
        Pull::Missing | Pull::Always => {
            let found = image::find(shop.store, shop.registries, name)?;
            let local = found
                .as_ref()
                .is_some_and(|it| it.name.starts_with("localhost/"));
            if local || crate::recipe::curated(name).is_some() {
                return image::obtain(shop, name);
            }
            // A mistake in the name is told first.
            Reference::parse(name)?;
            if shop.settings.offline {
                return Err(wrong("racker may not use the network").hint("leave out --offline"));
            }
            let mut asked = shop.oci_options();
            asked.platform.clone_from(&options.platform);
            let reference = oci::locate(name, &asked)?;
            let message = format!("pulling {reference} from {}", reference.registry());
            shop.reporter.event(Event::Message(&message));
            Ok(oci::pull(shop.store, &reference, &asked)?.image)
        }
    }
}

/// The image's tree, or that with systemd where it should have one and has none.
pub(super) fn tree(
    shop: Workshop<'_>,
    options: &Options,
    image: &Image,
) -> Result<TreeId, Failure> {
    let wanted = match options.systemd {
        Systemd::False => false,
        Systemd::Always => true,
        Systemd::Auto => options.entrypoint.is_none() && systemd::is_stock(&image.config["config"]),
    };
    if wanted && !systemd::is_in(shop.store, image.tree)? {
        return Ok(systemd::tree(shop, image)?.unwrap_or(image.tree));
    }
    Ok(image.tree)
}
