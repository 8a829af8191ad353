//! What an image does without the packages that are probed: what of it is not to be blamed on them.

use std::time::Duration;

use racker_store::Image;

use super::job::{Job, booted, milliseconds};
use crate::failure::Failure;
use crate::learned::Learned;
use crate::probe::{Limits, Plan, Probed, Seen};
use crate::realise::Workshop;

/// Takes what was seen into the report; what fails without the packages too is not theirs.
pub(super) fn note(
    shop: Workshop<'_>,
    image: &Image,
    job: &Job,
    seen: Seen,
    probed: &mut Probed,
) -> Result<(), Failure> {
    probed.boot_milliseconds = milliseconds(seen.boot);
    probed.checks = seen.checks;
    probed.ended_units = seen.ended_units;
    probed.failed_units = seen.failed_units;
    if probed.failed_units.is_empty() || job.packages.is_empty() {
        return Ok(());
    }
    let alone = alone(shop, image)?.failed_units.unwrap_or_default();
    let (images, own) = std::mem::take(&mut probed.failed_units)
        .into_iter()
        .partition(|unit| alone.contains(unit));
    probed.image_failed_units = images;
    probed.failed_units = own;
    Ok(())
}

/// What the image does when nothing is done with it; booted for that once.
pub(super) fn alone(shop: Workshop<'_>, image: &Image) -> Result<Learned, Failure> {
    let mut learned = Learned::of(shop.store, image.tree);
    if learned.failed_units.is_some() && learned.boot_paths.is_some() {
        return Ok(learned);
    }
    let plan = Plan {
        checks: &[],
        limits: Limits {
            unit: Duration::ZERO,
            settle: Duration::ZERO,
            network: Duration::from_secs(30),
        },
        live: None,
        purge: None,
        writes: true,
        thorough: true,
        phase: &|_| (),
    };
    let seen = booted(shop, image.tree, &plan)?;
    learned.failed_units = Some(seen.failed_units);
    learned.boot_paths = Some(seen.written);
    learned.keep(shop.store, image.tree);
    Ok(learned)
}
