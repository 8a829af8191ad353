//! Packages added to an image on the fly, as a layer that is made once: its lock is in the store.

use std::path::PathBuf;

use racker_store::{Image, Store};

use crate::command::{read_lock, take_turn, write_lock};
use crate::failure::Failure;
use crate::plan::lock::Lock;
use crate::realise::{self, Added, Addition, Ready, Workshop};

/// The image's tree with the addition. With `update` it is resolved anew.
pub fn added(
    shop: Workshop<'_>,
    image: &Image,
    addition: &Addition<'_>,
    update: bool,
) -> Result<Added, Failure> {
    with_lock(shop, image, addition, update, |lock| {
        realise::add(shop, image, addition, lock)
    })
}

/// The addition resolved and fetched, for a system that runs already.
pub fn ready(
    shop: Workshop<'_>,
    image: &Image,
    addition: &Addition<'_>,
    update: bool,
) -> Result<Ready, Failure> {
    with_lock(shop, image, addition, update, |lock| {
        realise::ready(shop, image, addition, lock)
    })
}

fn with_lock<T>(
    shop: Workshop<'_>,
    image: &Image,
    addition: &Addition<'_>,
    update: bool,
    work: impl FnOnce(&mut Lock) -> Result<T, realise::Error>,
) -> Result<T, Failure> {
    let path = lock_path(shop.store, image, addition);
    let _turn = take_turn(shop, &path);
    let before = read_lock(&path)?;
    let mut lock = if update {
        Lock::default()
    } else {
        before.clone()
    };
    let result = work(&mut lock);
    if result.is_ok() && lock != before {
        write_lock(&path, &lock)?;
    }
    Ok(result?)
}

/// Whether it was made before.
pub fn is_known(store: &Store, image: &Image, addition: &Addition<'_>) -> bool {
    lock_path(store, image, addition).exists()
}

fn lock_path(store: &Store, image: &Image, addition: &Addition<'_>) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    for part in std::iter::once(&image.name).chain(addition.packages) {
        hasher.update(part.as_bytes()).update(b"\0");
    }
    let digest = &hasher.finalize().to_hex()[..32];
    store
        .locks()
        .join(format!("{}-{digest}.lock", addition.name))
}
