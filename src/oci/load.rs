//! All images of an archive or a layout, under the names that they have there.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::image::Descriptor;
use racker_store::{Digest, Image, Store};

use super::archive;
use super::error::{Error, Result};
use super::index::is_attestation;
use super::layout::{self, FULL_NAME, HEADER, Layout, REF_NAME};
use super::manifest::Blob;
use super::options::Options;
use super::reference::Reference;
use super::tarball::Tarball;

/// What can be loaded from.
pub enum Loadable<'a> {
    /// A layout directory.
    Layout(PathBuf),
    /// A tar file, of docker's or of OCI's kind.
    File(PathBuf),
    /// The same, as it comes.
    Stream(Box<dyn Read + 'a>),
}

impl std::fmt::Debug for Loadable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what: &dyn std::fmt::Debug = match self {
            Self::Layout(path) | Self::File(path) => path,
            Self::Stream(_) => &"stream",
        };
        f.debug_tuple("Loadable").field(what).finish()
    }
}

/// Loads the image with `tag`, or all there are, and tells `loaded` of each. An image that has several
/// names is there once for each.
///
/// Errors: a name has a digest that the image under it does not have. What was told before an error
/// stays.
pub fn load(
    store: &Store,
    from: Loadable<'_>,
    tag: Option<&str>,
    options: &Options<'_>,
    loaded: &mut dyn FnMut(&Image),
) -> Result<()> {
    let archive = match from {
        Loadable::Layout(path) => {
            return from_layout(store, &Layout::Directory(path), tag, options, loaded);
        }
        Loadable::File(path) => Tarball::open(store, &path)?,
        Loadable::Stream(stream) => Tarball::receive(store, stream, Path::new("the archive"))?,
    };
    // Docker writes both kinds into one; its own has the names.
    if archive.has(archive::LIST) {
        from_archive(store, &archive, tag, options, loaded)
    } else if archive.has(HEADER) {
        from_layout(store, &Layout::Archive(archive), tag, options, loaded)
    } else {
        Err(archive.wrong("it has no images: neither manifest.json nor oci-layout".to_owned()))
    }
}

fn from_archive(
    store: &Store,
    archive: &Tarball,
    tag: Option<&str>,
    options: &Options<'_>,
    loaded: &mut dyn FnMut(&Image),
) -> Result<()> {
    let entries = archive::entries(archive)?;
    let chosen: Vec<_> = match tag {
        Some(_) => vec![archive::choose(archive, &entries, tag)?],
        None => entries.iter().collect(),
    };
    for entry in chosen {
        let names = entry.tags();
        let names = names.filter(|name| tag.is_none_or(|tag| archive::is_called(name, tag)));
        let names = names.map(|name| believed(Reference::parse(name)?, None));
        let mut names = names.collect::<Result<BTreeSet<String>>>()?;
        if names.is_empty() {
            let id: String = entry.id().chars().take(12).collect();
            names.insert(local(&id, "latest"));
        }
        let mut image: Option<Image> = None;
        for name in names {
            let next = match &image {
                None => archive::import_entry(store, archive, entry, &name, options)?,
                Some(first) => named(store, first, name)?,
            };
            loaded(&next);
            image = Some(next);
        }
    }
    Ok(())
}

/// A name that an archive gives the image with the digest `has`. A digest in a name is believed only
/// where it is that one: anybody can write an archive.
fn believed(name: Reference, has: Option<&Digest>) -> Result<String> {
    let reason = match (name.digest(), has) {
        (Some(digest), Some(has)) if digest != has => format!("what it has there is {has}"),
        (Some(_), None) => "nothing in an archive of this kind vouches for a digest".to_owned(),
        _ => return Ok(name.to_string()),
    };
    Err(Error::refused(format!("an archive's name {name}"), reason))
}

fn named(store: &Store, image: &Image, name: String) -> Result<Image> {
    let image = Image {
        name,
        ..image.clone()
    };
    let put = store.put_image(&image);
    put.map_err(|error| Error::store(&image.name, error))?;
    Ok(image)
}

fn from_layout(
    store: &Store,
    layout: &Layout,
    tag: Option<&str>,
    options: &Options<'_>,
    loaded: &mut dyn FnMut(&Image),
) -> Result<()> {
    let entries = layout.entries()?;
    let chosen: Vec<&Descriptor> = match tag {
        Some(_) => vec![layout.choose(&entries, tag)?],
        None => entries
            .iter()
            .filter(|entry| !is_attestation(entry))
            .collect(),
    };
    for entry in chosen {
        let name = name(entry, layout.shown())?;
        loaded(&layout::import_entry(store, layout, entry, &name, options)?);
    }
    Ok(())
}

/// The name of an entry: its full one, or its tag with the name of the file before it.
fn name(entry: &Descriptor, file: &Path) -> Result<String> {
    let annotations = entry.annotations().clone().unwrap_or_default();
    let reference = annotations.get(REF_NAME).map(String::as_str);
    let full = annotations.get(FULL_NAME).map(String::as_str);
    let full = full.or(reference.filter(|it| it.contains(['/', ':'])));
    if let Some(Ok(full)) = full.map(Reference::parse) {
        return believed(full, Some(&Blob::new(entry)?.digest));
    }
    let stem = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default();
    Ok(local(stem, reference.unwrap_or("latest")))
}

/// A name of this machine; what cannot be in one is left out.
fn local(stem: &str, tag: &str) -> String {
    let stem = stem.to_lowercase();
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let stem = words.join("-");
    let name = format!("localhost/{stem}:{tag}");
    Reference::parse(&name).map_or_else(
        |_| "localhost/image:latest".to_owned(),
        |reference| reference.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_or_made() {
        let entry = |annotations: serde_json::Value| -> Descriptor {
            serde_json::from_value(serde_json::json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": format!("sha256:{}", "0".repeat(64)),
                "size": 1,
                "annotations": annotations,
            }))
            .unwrap()
        };
        let file = Path::new("/x/My_web.tar.gz");
        for (annotations, expected) in [
            (serde_json::json!({}), "localhost/my-web:latest"),
            (serde_json::json!({ REF_NAME: "v1" }), "localhost/my-web:v1"),
            (serde_json::json!({ REF_NAME: "a.b/c:1" }), "a.b/c:1"),
            (
                serde_json::json!({ REF_NAME: "v1", FULL_NAME: "docker.io/library/debian:12" }),
                "docker.io/library/debian:12",
            ),
            (
                serde_json::json!({ REF_NAME: "é" }),
                "localhost/image:latest",
            ),
        ] {
            assert_eq!(name(&entry(annotations), file).unwrap(), expected);
        }
        let digest = |digit: &str| format!("a.b/c@sha256:{}", digit.repeat(64));
        let own = entry(serde_json::json!({ FULL_NAME: digest("0") }));
        assert_eq!(name(&own, file).unwrap(), digest("0"));
        let other = entry(serde_json::json!({ FULL_NAME: digest("1") }));
        assert!(name(&other, file).is_err());
    }
}
