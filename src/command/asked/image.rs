//! The image of a container, and the tree that it runs on.

use racker_store::{Image, TreeId};

use super::config::wrong;
use super::options::{Options, Pull, Systemd};
use crate::failure::Failure;
use crate::oci::{self, Platform, Reference};
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
                let image = image::obtain(shop, name)?;
                fits(&image, options, name)?;
                return Ok(image);
            }
            // A mistake in the name is told first.
            Reference::parse(name)?;
            let mut asked = shop.oci_options();
            asked.platform.clone_from(&options.platform);
            let always = options.pull == Pull::Always;
            if !always && let Some(image) = present(shop, &asked, name)? {
                return Ok(image);
            }
            if shop.settings.offline {
                return Err(offline(name, always, found.is_some()));
            }
            let reference = oci::locate(name, &asked)?;
            let message = format!("pulling {reference} from {}", reference.registry());
            shop.reporter.event(Event::Message(&message));
            Ok(oci::pull(shop.store, &reference, &asked)?.image)
        }
    }
}

/// Errors: an image that was made here is for another platform than the one asked for.
fn fits(image: &Image, options: &Options, name: &str) -> Result<(), Failure> {
    let text = |key: &str| image.config[key].as_str();
    let (Some(wanted), Some(os), Some(architecture)) =
        (&options.platform, text("os"), text("architecture"))
    else {
        return Ok(());
    };
    let has = Platform::new(os, architecture, text("variant"));
    if (&has.os, &has.architecture) == (&wanted.os, &wanted.architecture) {
        return Ok(());
    }
    Err(wrong(format!(
        "image {name} is for {has}, not for {wanted}"
    )))
}

/// The image of this name that the store has for the platform asked for.
fn present(
    shop: Workshop<'_>,
    asked: &oci::Options<'_>,
    name: &str,
) -> Result<Option<Image>, Failure> {
    let mut here = asked.clone();
    here.offline = true;
    for reference in shop.registries.candidates(name)? {
        match oci::pull(shop.store, &reference, &here) {
            Err(oci::Error::Offline(_)) => {}
            pulled => return Ok(Some(pulled?.image)),
        }
    }
    Ok(None)
}

/// Why the network would be needed; `found` is whether there is an image of this name.
fn offline(name: &str, always: bool, found: bool) -> Failure {
    let failure = match (always, found) {
        (true, _) => wrong("--pull=always asks the registry, and racker may not use the network"),
        (false, true) => wrong(format!(
            "the image {name} in the store is for another platform, and racker may not use the network"
        )),
        (false, false) => wrong(format!(
            "no image {name} in the store, and racker may not use the network"
        )),
    };
    let failure = failure.hint("leave out --offline");
    if always && found {
        return failure.hint("--pull=missing takes the image that is there");
    }
    failure
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
