//! What the first step starts from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use racker_store::{Digest, Image, ImageLayer, Tree, TreeId};
use serde_json::{Value, json};

use super::{Error, Event, Workshop};
use crate::oci::{self, Download, Reference};
use crate::plan::lock::{Base as LockedBase, Fetched, Lock};
use crate::recipe::{From, Location};

/// Prefix of the names of images that are only bases of others; listings leave them out.
pub const HIDDEN: &str = "from:";

/// Where the first step starts.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) tree: TreeId,
    /// Its OCI configuration document.
    pub(super) config: Value,
    pub(super) layers: Vec<ImageLayer>,
    /// When it says it was made, in seconds since 1970.
    pub(super) created: Option<i64>,
}

/// Finds the base, fetching it where the store has none; what the lock lacks is added to it.
pub(super) fn find(
    shop: Workshop<'_>,
    from: &From,
    platform: &str,
    lock: &mut Lock,
    locked: bool,
) -> Result<Base, Error> {
    let refuse = |what: &str| -> Result<(), Error> {
        let reason = format!("the lock has no digest for {what}");
        if locked {
            Err(Error::Locked {
                id: "from".into(),
                reason,
            })
        } else {
            Ok(())
        }
    };
    let image = match from {
        From::Scratch | From::Bootstrap(_) | From::Recipe(_) | From::Curated(_) => {
            return empty(shop);
        }
        From::Reference(text) => {
            let reference = Reference::parse(text)?;
            let digest = match lock.base(text, platform) {
                Some(digest) => *digest,
                None => {
                    refuse(text)?;
                    let digest = resolve(shop, &reference)?;
                    lock.set_base(LockedBase {
                        reference: text.clone(),
                        platform: platform.to_owned(),
                        digest,
                    });
                    digest
                }
            };
            reference_image(shop, &reference.with_digest(digest))?
        }
        From::Layout { path, tag } => {
            let name = layout_name(path, tag.as_deref())?;
            local(shop, &name, || {
                oci::layout::import(shop.store, path, tag.as_deref(), &name, &shop.oci_options())
            })?
        }
        From::OciArchive { path, tag } => {
            let name = oci_archive_name(path, tag.as_deref())?;
            let (tag, options) = (tag.as_deref(), shop.oci_options());
            local(shop, &name, || {
                oci::layout::import_archive(shop.store, path, tag, &name, &options)
            })?
        }
        From::DockerArchive(path) => {
            let name = archive_name(path)?;
            local(shop, &name, || {
                oci::archive::import(shop.store, path, None, &name, &shop.oci_options())
            })?
        }
        From::Rootfs {
            location: Location::Path(path),
            digest,
        } => {
            let name = rootfs_name(path)?;
            if let Some(expected) = digest {
                check(path, &path.display().to_string(), expected)?;
            }
            rootfs(shop, path, &path.display().to_string(), &name)?
        }
        From::Rootfs {
            location: Location::Url(url),
            digest,
        } => {
            let known = digest.or_else(|| lock.fetch(url).map(|fetched| fetched.digest));
            let name = |digest: &Digest| format!("{HIDDEN}{url}@{digest}");
            match known {
                Some(digest) if shop.store.image(&name(&digest))?.is_some() => {
                    local(shop, &name(&digest), || unreachable!("it was just seen"))?
                }
                known => {
                    if known.is_none() {
                        refuse(url)?;
                    }
                    let list = [Download {
                        url: url.clone(),
                        mirrors: Vec::new(),
                        others: Vec::new(),
                        digest: known,
                        size: None,
                    }];
                    let found = shop.fetch(&list)?[0];
                    let path = shop
                        .store
                        .blob(&found)
                        .ok_or_else(|| Error::Offline(url.clone()))?;
                    if digest.is_none() {
                        let size = path.metadata().map_or(0, |metadata| metadata.len());
                        lock.set_fetch(Fetched {
                            url: url.clone(),
                            digest: found,
                            size,
                        });
                    }
                    rootfs(shop, &path, url, &name(&found))?
                }
            }
        }
    };
    Ok(Base {
        tree: image.tree,
        created: created(&image.config),
        config: image.config,
        layers: image.layers,
    })
}

/// When an image says it was made; nothing where that is no sensible answer.
pub(super) fn created(config: &Value) -> Option<i64> {
    oci::created(config).filter(|seconds| *seconds > 0)
}

/// A base that the store has, without fetching or importing anything.
pub(super) fn peek(
    shop: Workshop<'_>,
    from: &From,
    platform: &str,
    lock: &Lock,
) -> Result<Option<Peeked>, Error> {
    let name = match from {
        From::Reference(text) => {
            let reference = Reference::parse(text)?;
            match lock.base(text, platform).or(reference.digest()) {
                Some(digest) => reference.with_digest(*digest).to_string(),
                None => return Ok(None),
            }
        }
        From::Layout { path, tag } => layout_name(path, tag.as_deref())?,
        From::OciArchive { path, tag } => oci_archive_name(path, tag.as_deref())?,
        From::DockerArchive(path) => archive_name(path)?,
        From::Rootfs {
            location: Location::Path(path),
            ..
        } => rootfs_name(path)?,
        From::Rootfs {
            location: Location::Url(url),
            digest,
        } => match digest.or_else(|| lock.fetch(url).map(|fetched| fetched.digest)) {
            Some(digest) => format!("{HIDDEN}{url}@{digest}"),
            None => return Ok(None),
        },
        From::Scratch | From::Bootstrap(_) | From::Recipe(_) | From::Curated(_) => {
            return Ok(Some(Peeked {
                tree: Tree::default().id(),
                config: json!({}),
            }));
        }
    };
    Ok(shop.store.image(&name)?.map(|image| Peeked {
        tree: image.tree,
        config: image.config,
    }))
}

/// What is known of a base without touching it.
#[derive(Debug)]
pub(super) struct Peeked {
    pub(super) tree: TreeId,
    /// Its OCI configuration document.
    pub(super) config: Value,
}

fn layout_name(path: &Path, tag: Option<&str>) -> Result<String, Error> {
    let identity = identity(&path.join("index.json"))?;
    Ok(format!(
        "{HIDDEN}oci:{}:{}@{identity}",
        path.display(),
        tag.unwrap_or_default()
    ))
}

fn oci_archive_name(path: &Path, tag: Option<&str>) -> Result<String, Error> {
    Ok(format!(
        "{HIDDEN}oci-archive:{}:{}@{}",
        path.display(),
        tag.unwrap_or_default(),
        identity(path)?
    ))
}

fn archive_name(path: &Path) -> Result<String, Error> {
    Ok(format!(
        "{HIDDEN}docker-archive:{}@{}",
        path.display(),
        identity(path)?
    ))
}

fn rootfs_name(path: &Path) -> Result<String, Error> {
    Ok(format!("{HIDDEN}{}@{}", path.display(), identity(path)?))
}

fn empty(shop: Workshop<'_>) -> Result<Base, Error> {
    let tree = Tree::default();
    let id = tree.id();
    if !shop.store.has_tree(id) {
        shop.store.put_tree(&tree)?;
    }
    Ok(Base {
        tree: id,
        config: json!({}),
        layers: Vec::new(),
        created: None,
    })
}

fn resolve(shop: Workshop<'_>, reference: &Reference) -> Result<Digest, Error> {
    if let Some(digest) = reference.digest() {
        return Ok(*digest);
    }
    if shop.settings.offline {
        return Err(Error::Offline(reference.familiar()));
    }
    Ok(oci::resolve(reference, &shop.oci_options())?.manifest)
}

fn reference_image(shop: Workshop<'_>, pinned: &Reference) -> Result<Image, Error> {
    let name = pinned.to_string();
    if let Some(image) = shop.store.image(&name)? {
        return Ok(image);
    }
    if shop.settings.offline {
        return Err(Error::Offline(pinned.familiar()));
    }
    let options = shop.oci_options();
    if let Some((image, place)) = shop.cache.base(shop.store, pinned, &options)? {
        let text = format!("{}: taken from the cache {place}", pinned.familiar());
        shop.reporter.event(Event::Message(&text));
        return Ok(image);
    }
    shop.reporter
        .event(Event::Message(&format!("pulling {}", pinned.familiar())));
    Ok(oci::pull(shop.store, pinned, &options)?.image)
}

fn local(
    shop: Workshop<'_>,
    name: &str,
    import: impl FnOnce() -> oci::Result<Image>,
) -> Result<Image, Error> {
    match shop.store.image(name)? {
        Some(image) => Ok(image),
        None => Ok(import()?),
    }
}

fn rootfs(shop: Workshop<'_>, path: &Path, what: &str, name: &str) -> Result<Image, Error> {
    if let Some(image) = shop.store.image(name)? {
        return Ok(image);
    }
    shop.reporter
        .event(Event::Message(&format!("importing {what}")));
    let file = File::open(path).map_err(Error::io(format!("open {}", path.display())))?;
    Ok(oci::rootfs::import(
        shop.store,
        what,
        file,
        name,
        &shop.oci_options(),
    )?)
}

/// BLAKE3 of a file's bytes.
fn identity(path: &Path) -> Result<blake3::Hash, Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path).map_err(|source| {
        // Without the `.` that a relative `from` leaves in the middle.
        let path = path.components().collect::<std::path::PathBuf>();
        Error::Base { path, source }
    })?;
    Ok(hasher.finalize())
}

fn check(path: &Path, url: &str, expected: &Digest) -> Result<(), Error> {
    use sha2::Digest as _;
    let mut file = File::open(path).map_err(Error::io(format!("open {}", path.display())))?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = file
            .read(&mut buffer)
            .map_err(Error::io(format!("read {}", path.display())))?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
    }
    let actual = Digest::from_bytes(hasher.finalize().into());
    if actual == *expected {
        return Ok(());
    }
    Err(Error::Digest {
        url: url.to_owned(),
        expected: *expected,
        actual,
    })
}
