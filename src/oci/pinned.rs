//! Images of the store by the digest of what a registry had.

use racker_store::{Image, Store};

use super::reference::Reference;

/// Whether the image can be what the reference means. One that has a digest means what was verified
/// against that, whatever the image is called.
pub fn is_meant(image: &Image, reference: &Reference) -> bool {
    let Some(digest) = reference.digest() else {
        return true;
    };
    [image.digest, image.index_digest].contains(&Some(*digest))
}

/// The image that a reference with a digest means, under that name or another of its repository.
pub fn find(store: &Store, reference: &Reference) -> racker_store::Result<Option<Image>> {
    let name = reference.to_string();
    if let Some(image) = store.image(&name)?.filter(|it| is_meant(it, reference)) {
        return Ok(Some(image));
    }
    if reference.digest().is_none() {
        return Ok(None);
    }
    let repository = reference.name();
    let of_repository =
        |image: &Image| Reference::parse(&image.name).is_ok_and(|other| other.name() == repository);
    let mut all = store.images()?;
    all.retain(|image| of_repository(image) && is_meant(image, reference));
    Ok(all.into_iter().next())
}
