//! An image from a registry into the store.

use racker_store::{Digest, Image, Store};

use super::assemble::{self, Origin};
use super::blobs::Blobs;
use super::config::Config;
use super::error::{Error, Result};
use super::index;
use super::manifest::{Blob, CONFIG_MAX, Document, MANIFEST_MAX, Manifest, Raw, read_blob};
use super::options::Options;
use super::pinned;
use super::platform::Platform;
use super::reference::Reference;
use super::registry::Repository;

/// What a pull came to.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The image, in the store.
    pub image: Image,
    /// Whether it was there before.
    pub status: Status,
}

/// Whether a pull brought something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The store had this very image under this name.
    UpToDate,
    /// The name stands for another image now, or for the first time.
    Downloaded,
}

/// What a reference stands for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Digest of what the registry has under the reference: an index or a manifest.
    pub index: Digest,
    /// Digest of the manifest for the platform.
    pub manifest: Digest,
}

/// Pulls `reference`. Images are named by [`Reference`]'s canonical form. Without the network, an
/// image that the store has under this name is taken for up to date.
pub fn pull(store: &Store, reference: &Reference, options: &Options<'_>) -> Result<Pulled> {
    let name = reference.to_string();
    let failed = |error| Error::store(&name, error);
    let present = pinned::find(store, reference).map_err(failed)?;
    let up_to_date = |image: Image| -> Result<Pulled> {
        // It may have had another name, or have been in another index.
        if store.image(&name).map_err(failed)?.as_ref() != Some(&image) {
            store.put_image(&image).map_err(failed)?;
        }
        Ok(Pulled {
            image,
            status: Status::UpToDate,
        })
    };
    // What a digest names cannot have changed.
    let kept = present
        .as_ref()
        .filter(|image| (reference.digest().is_some() || options.offline) && suits(image, options));
    if let Some(image) = kept {
        return up_to_date(Image {
            name: name.clone(),
            ..image.clone()
        });
    }
    let (repository, manifest, index) = find(reference, options)?;
    let index = Some(index).filter(|index| *index != manifest.digest);
    let same = |image: &Image| image.digest == Some(manifest.digest) && suits(image, options);
    if let Some(image) = present.filter(same) {
        return up_to_date(Image {
            name: name.clone(),
            index_digest: index,
            ..image
        });
    }
    let origin = Origin {
        name: name.clone(),
        source: Some(reference.with_digest(manifest.digest).to_string()),
        manifest: Some(manifest.bytes.clone()),
        index,
    };
    let image = take(store, &repository, &manifest, origin, reference, options)?;
    Ok(Pulled {
        image,
        status: Status::Downloaded,
    })
}

/// Pulls an image that lies in `repository` under another digest than where it comes from. In the
/// store it is what `reference`, which is pinned, stands for. That the two are the same image must
/// be known.
pub(crate) fn pull_copy(
    store: &Store,
    repository: &Repository<'_>,
    copy: &Digest,
    reference: &Reference,
    options: &Options<'_>,
) -> Result<Image> {
    let raw = repository.manifest(&copy.to_string())?;
    let manifest = match raw.parse(&reference.familiar())? {
        Document::Image(manifest) => manifest,
        Document::Index(_) => return Err(Error::refused(copy, "it is an index and no image")),
    };
    // Its manifest is not the one that the digest in its name is of.
    let origin = Origin {
        name: reference.to_string(),
        source: Some(reference.to_string()),
        manifest: None,
        index: None,
    };
    let image = take(store, repository, &manifest, origin, reference, options)?;
    let image = Image {
        digest: reference.digest().copied(),
        ..image
    };
    let kept = store.put_image(&image);
    kept.map_err(|error| Error::store(&image.name, error))?;
    Ok(image)
}

/// Fetches the configuration and the layers.
fn take(
    store: &Store,
    repository: &Repository<'_>,
    manifest: &Manifest,
    origin: Origin,
    reference: &Reference,
    options: &Options<'_>,
) -> Result<Image> {
    let what = format!("the configuration of {}", reference.familiar());
    let mut stream = repository.blob(&manifest.config);
    let config = read_blob(&mut stream, &manifest.config, &what, CONFIG_MAX)?;
    let config = Config::parse(&config, manifest.layers.len(), &reference.familiar())?;
    assemble::check_platform(&config, &reference.familiar(), options)?;
    let blobs = Blobs::new(store, repository, &manifest.layers);
    assemble::from_manifest(store, origin, manifest, &config, &blobs, options)
}

/// The tags of a reference's repository, at the registry that it names itself.
pub fn tags(reference: &Reference, options: &Options<'_>) -> Result<Vec<String>> {
    if options.offline {
        return Err(Error::Offline(reference.name()));
    }
    let mut endpoint = options.registries.home(reference)?;
    endpoint.insecure |= options.insecure;
    let credentials = match &options.credentials {
        Some(given) => Some(given.clone()),
        None => options.registries.credentials(&endpoint)?,
    };
    Repository::new(options.client, endpoint, credentials).tags()
}

/// Asks the registry what `reference` stands for, without pulling it.
pub fn resolve(reference: &Reference, options: &Options<'_>) -> Result<Resolved> {
    let (_, manifest, index) = find(reference, options)?;
    Ok(Resolved {
        index,
        manifest: manifest.digest,
    })
}

/// The first server that answers, and what it has.
fn find<'a>(
    reference: &Reference,
    options: &Options<'a>,
) -> Result<(Repository<'a>, Manifest, Digest)> {
    if options.offline {
        return Err(Error::Offline(reference.familiar()));
    }
    let mut endpoints = options
        .registries
        .endpoints(reference)?
        .into_iter()
        .peekable();
    while let Some(mut endpoint) = endpoints.next() {
        endpoint.insecure |= options.insecure;
        let host = endpoint.host.clone();
        // A mirror is given no credentials that were meant for the registry itself.
        let given = options.credentials.clone();
        let given = given.filter(|_| endpoints.peek().is_none());
        let credentials = match options.registries.credentials(&endpoint) {
            _ if given.is_some() => given,
            Ok(found) => found,
            Err(error) => {
                let progress = options.progress;
                progress.message(&format!("going on without credentials: {error}"));
                None
            }
        };
        let repository = Repository::new(options.client, endpoint, credentials);
        match manifest(&repository, reference, options) {
            Ok((manifest, index)) => return Ok((repository, manifest, index)),
            Err(error) if endpoints.peek().is_some() => {
                options
                    .progress
                    .message(&format!("mirror {host} is of no use: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    unreachable!("there is always an endpoint")
}

fn manifest(
    repository: &Repository<'_>,
    reference: &Reference,
    options: &Options<'_>,
) -> Result<(Manifest, Digest)> {
    let raw = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => repository.manifest(&digest.to_string())?,
        (None, tag) => repository.manifest(tag.unwrap_or("latest"))?,
    };
    let fetch = |blob: &Blob| -> Result<Raw> {
        if blob.size > MANIFEST_MAX {
            return Err(Error::TooLarge {
                what: blob.digest.to_string(),
                limit: MANIFEST_MAX,
            });
        }
        let raw = repository.manifest(&blob.digest.to_string())?;
        super::manifest::verify(&raw.bytes, blob, &blob.digest.to_string())?;
        Ok(raw)
    };
    let manifest = index::resolve(&raw, &reference.familiar(), &options.platform(), &fetch)?;
    Ok((manifest, raw.digest))
}

/// Whether an image in the store is for the platform that is asked for.
fn suits(image: &Image, options: &Options<'_>) -> bool {
    let text = |key: &str| image.config[key].as_str();
    let Some(wanted) = &options.platform else {
        return true;
    };
    let (Some(os), Some(architecture)) = (text("os"), text("architecture")) else {
        return false;
    };
    wanted
        .rank(&Platform::new(os, architecture, text("variant")))
        .is_some()
}
