//! What the first step started from: an image or a root filesystem, found by its tree.
//!
//! ```text
//! docker.io/library/debian@sha256:...   source of an image that was pulled
//! from:PATH@BLAKE3                      name of an imported archive, PATH one of the host
//! from:docker-archive:PATH@BLAKE3       likewise
//! from:oci:PATH:TAG@BLAKE3              likewise, with the digest of the manifest besides
//! from:oci-archive:PATH:TAG@BLAKE3      likewise
//! from:URL@sha256:...                   likewise
//! ```
//!
//! A path of the host is nobody else's business: of it the last component is kept.

use racker_store::{Digest, Image, Store, Tree, TreeId};

use super::{Dependency, Error};
use crate::purl::Purl;
use crate::realise::HIDDEN;

/// The base with this tree; nothing if it is the empty tree, from which a bootstrap starts.
pub(super) fn base(store: &Store, tree: TreeId) -> Result<Option<Dependency>, Error> {
    if tree == Tree::default().id() {
        return Ok(None);
    }
    let mut all = store.images()?;
    all.retain(|image| image.tree == tree && image.recipe.is_none());
    // Baking keeps its bases under a name with a digest; whoever pulled the same has another.
    all.sort_by_key(|image| (image.digest.is_none(), !image.name.contains('@')));
    let known = all.first().and_then(describe);
    let base = known.unwrap_or_else(|| Dependency::new("base", "blake3", tree.hex()));
    Ok(Some(base.noting("tree", tree.to_string())))
}

fn describe(image: &Image) -> Option<Dependency> {
    if let Some(imported) = image.name.strip_prefix(HIDDEN) {
        return archive(imported, image.digest);
    }
    let digest = image.digest?;
    let source = image.source.as_deref().unwrap_or(&image.name);
    if ["oci:", "oci-archive:"]
        .iter()
        .any(|it| source.starts_with(it))
    {
        return Some(Dependency::new("OCI layout", "sha256", digest.hex()));
    }
    let repository = source.split('@').next().unwrap_or(source);
    let repository = match repository.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => repository,
    };
    let base = Dependency::new(repository, "sha256", digest.hex());
    Some(base.with_uri(Purl::of_image(repository, &digest)))
}

fn archive(name: &str, manifest: Option<Digest>) -> Option<Dependency> {
    let (place, digest) = name.rsplit_once('@')?;
    if let Some(hex) = digest.strip_prefix("sha256:") {
        return Some(Dependency::new(last(place), "sha256", hex.to_owned()).with_uri(place));
    }
    let base = match manifest {
        Some(digest) => Dependency::new("OCI layout", "sha256", digest.hex()),
        None => Dependency::new(last(place), "blake3", digest.to_owned()),
    };
    Some(base)
}

fn last(place: &str) -> &str {
    let place = place.trim_end_matches('/');
    place.rsplit('/').next().unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, source: Option<&str>, digest: Option<Digest>) -> Image {
        Image {
            digest,
            source: source.map(Into::into),
            ..Image::new(name, Tree::default().id())
        }
    }

    #[test]
    fn a_registry_is_named_and_a_host_path_is_not() {
        let digest = Digest::from_bytes([1; 32]);
        let source = format!("registry:5000/team/debian:12@{digest}");
        let pulled = describe(&image("x", Some(&source), Some(digest))).unwrap();
        assert_eq!(pulled.name, "registry:5000/team/debian");
        assert!(
            pulled
                .uri
                .unwrap()
                .starts_with("pkg:oci/debian@sha256:0101")
        );
        let file = describe(&image("from:/home/me/root.tar@abc", None, None)).unwrap();
        assert_eq!((&*file.name, file.uri), ("root.tar", None));
        assert_eq!(file.digest["blake3"], "abc");
        let url = format!("from:https://example.org/root.tar.xz@{digest}");
        let fetched = describe(&image(&url, None, None)).unwrap();
        assert_eq!(fetched.name, "root.tar.xz");
        assert_eq!(fetched.digest["sha256"], digest.hex());
        assert_eq!(fetched.uri.unwrap(), "https://example.org/root.tar.xz");
        let layout = describe(&image("from:oci:/home/me/dir:tag@abc", None, Some(digest))).unwrap();
        assert_eq!(layout.name, "OCI layout");
        assert_eq!(layout.digest["sha256"], digest.hex());
    }
}
