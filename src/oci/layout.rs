//! Images in an OCI layout: a directory (`oci:DIR[:TAG]`) or a tar file (`oci-archive:FILE[:TAG]`).
//!
//! ```text
//! DIR/oci-layout      { "imageLayoutVersion": "1.0.0" }
//!     index.json      entries with org.opencontainers.image.ref.name
//!     blobs/sha256/HEX
//! ```

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use oci_spec::image::Descriptor;
use racker_store::{Image, Store};

use super::assemble::{self, Origin};
use super::config::Config;
use super::error::{Error, Result};
use super::index;
use super::layers::Source;
use super::manifest::{Blob, CONFIG_MAX, Document, MANIFEST_MAX, Raw, read_blob};
use super::options::Options;
use super::tarball::Tarball;

/// Annotation with the tag of an entry. Source: OCI image-spec, annotations.md.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation with the full name of an entry, as containerd and docker write it.
pub(crate) const FULL_NAME: &str = "io.containerd.image.name";
/// What makes a directory or an archive a layout.
pub(crate) const HEADER: &str = "oci-layout";

/// Imports the image with `tag`, or the only one there is, under `name`.
pub fn import(
    store: &Store,
    directory: &Path,
    tag: Option<&str>,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let layout = Layout::Directory(directory.to_owned());
    let entries = layout.entries()?;
    let entry = layout.choose(&entries, tag)?;
    import_entry(store, &layout, entry, name, options)
}

/// Imports the image with `tag`, or the only one there is, from a tar file under `name`.
pub fn import_archive(
    store: &Store,
    file: &Path,
    tag: Option<&str>,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let layout = Layout::Archive(Tarball::open(store, file)?);
    let entries = layout.entries()?;
    let entry = layout.choose(&entries, tag)?;
    import_entry(store, &layout, entry, name, options)
}

/// Imports what an entry of the index leads to.
pub(crate) fn import_entry(
    store: &Store,
    layout: &Layout,
    entry: &Descriptor,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let shown = layout.shown().display().to_string();
    let fetch = |blob: &Blob| -> Result<Raw> {
        let what = blob.digest.to_string();
        let bytes = read_blob(&mut layout.open(blob)?, blob, &what, MANIFEST_MAX)?;
        Ok(Raw::new(bytes))
    };
    let raw = fetch(&Blob::new(entry)?)?;
    let manifest = index::resolve(&raw, &shown, &options.platform(), &fetch)?;
    let what = format!("the configuration in {shown}");
    let mut stream = layout.open(&manifest.config)?;
    let config = read_blob(&mut stream, &manifest.config, &what, CONFIG_MAX)?;
    let config = Config::parse(&config, manifest.layers.len(), &shown)?;
    assemble::check_platform(&config, &shown, options)?;
    let origin = Origin {
        name: name.to_owned(),
        source: Some(format!(
            "{}:{shown}@{}",
            layout.transport(),
            manifest.digest
        )),
        manifest: Some(manifest.bytes.clone()),
        index: None,
    };
    let source = Layers {
        layout,
        blobs: &manifest.layers,
    };
    assemble::from_manifest(store, origin, &manifest, &config, &source, options)
}

/// A layout, wherever it is.
#[derive(Debug)]
pub(crate) enum Layout {
    Directory(PathBuf),
    Archive(Tarball),
}

impl Layout {
    pub(crate) fn shown(&self) -> &Path {
        match self {
            Self::Directory(directory) => directory,
            Self::Archive(archive) => archive.shown(),
        }
    }

    fn transport(&self) -> &'static str {
        match self {
            Self::Directory(_) => "oci",
            Self::Archive(_) => "oci-archive",
        }
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Archive {
            path: self.shown().to_owned(),
            reason,
        }
    }

    /// What the index lists.
    pub(crate) fn entries(&self) -> Result<Vec<Descriptor>> {
        let header: serde_json::Value = serde_json::from_slice(&self.read(HEADER, 4096)?)
            .map_err(|error| self.wrong(format!("{HEADER}: {error}")))?;
        if header["imageLayoutVersion"] != "1.0.0" {
            return Err(self.wrong(format!(
                "unknown layout version {}",
                header["imageLayoutVersion"]
            )));
        }
        let index = Raw::new(self.read("index.json", MANIFEST_MAX)?);
        match index.parse(&self.shown().display().to_string())? {
            Document::Index(entries) => Ok(entries),
            Document::Image(_) => Err(self.wrong("index.json is not an index".to_owned())),
        }
    }

    pub(crate) fn choose<'e>(
        &self,
        entries: &'e [Descriptor],
        tag: Option<&str>,
    ) -> Result<&'e Descriptor> {
        fn name(entry: &Descriptor) -> Option<&str> {
            entry
                .annotations()
                .as_ref()?
                .get(REF_NAME)
                .map(String::as_str)
        }
        let Some(tag) = tag else {
            let [only] = entries else {
                let tags: Vec<&str> = entries.iter().filter_map(name).collect();
                return Err(self.wrong(format!(
                    "it has {} images, name one of the tags: {}",
                    entries.len(),
                    tags.join(", ")
                )));
            };
            return Ok(only);
        };
        entries
            .iter()
            .find(|entry| name(entry) == Some(tag))
            .ok_or_else(|| self.wrong(format!("it has no image with the tag `{tag}`")))
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let directory = match self {
            Self::Directory(directory) => directory,
            Self::Archive(archive) => return archive.read(name, limit),
        };
        let path = directory.join(name);
        let failed = |error| Error::io(path.display(), error);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge {
                what: path.display().to_string(),
                limit,
            });
        }
        Ok(bytes)
    }

    fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>> {
        let name = format!("blobs/sha256/{}", blob.digest.hex());
        match self {
            Self::Archive(archive) => Ok(Box::new(archive.stream(&name)?)),
            Self::Directory(directory) => {
                let path = directory.join(name);
                let file = File::open(&path);
                Ok(Box::new(
                    file.map_err(|error| Error::io(path.display(), error))?,
                ))
            }
        }
    }
}

struct Layers<'a> {
    layout: &'a Layout,
    blobs: &'a [Blob],
}

impl Source for Layers<'_> {
    fn open<'s>(
        &'s self,
        index: usize,
        cancel: &'s AtomicBool,
    ) -> Result<Box<dyn Read + Send + 's>> {
        let blob = &self.blobs[index];
        // One byte more than promised is enough to be found out.
        let limited = self.layout.open(blob)?.take(blob.size.saturating_add(1));
        Ok(Box::new(super::stream::Cancellable::new(limited, cancel)))
    }
}
