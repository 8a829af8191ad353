//! Images in a tar file as `docker save` writes it (`docker-archive:FILE`).
//!
//! ```text
//! manifest.json                 [{ "Config": PATH, "RepoTags": [...], "Layers": [PATH, ...] }]
//! <config>.json  <layer>.tar    members in any order; a layer may be a symbolic link to another
//! ```

use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use racker_store::{Image, Store};
use serde::Deserialize;

use super::assemble::{self, Origin};
use super::config::Config;
use super::error::{Error, Result};
use super::layers::{Source, Wanted};
use super::manifest::{CONFIG_MAX, LAYERS_MAX, MANIFEST_MAX, sha256};
use super::options::Options;
use super::reference::Reference;
use super::stream::Cancellable;
use super::tarball::Tarball;

/// The list of an archive's images.
pub(crate) const LIST: &str = "manifest.json";

/// One image of an archive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

impl Entry {
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.repo_tags.iter().flatten().map(String::as_str)
    }

    /// The digest in the name of the configuration's file, as far as it has one.
    pub(crate) fn id(&self) -> &str {
        let stem = self.config.rsplit('/').next().unwrap_or_default();
        let stem = stem.strip_suffix(".json").unwrap_or(stem);
        stem.strip_prefix("sha256:").unwrap_or(stem)
    }
}

/// Imports the image tagged `tag`, or the only one there is, under `name`.
pub fn import(
    store: &Store,
    file: &Path,
    tag: Option<&str>,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let archive = Tarball::open(store, file)?;
    let entries = entries(&archive)?;
    let entry = choose(&archive, &entries, tag)?;
    import_entry(store, &archive, entry, name, options)
}

/// The images of an archive.
pub(crate) fn entries(archive: &Tarball) -> Result<Vec<Entry>> {
    serde_json::from_slice(&archive.read(LIST, MANIFEST_MAX)?)
        .map_err(|error| archive.wrong(format!("{LIST}: {error}")))
}

/// The image tagged `tag`, or the only one there is.
pub(crate) fn choose<'e>(
    archive: &Tarball,
    entries: &'e [Entry],
    tag: Option<&str>,
) -> Result<&'e Entry> {
    if let Some(tag) = tag {
        return entries
            .iter()
            .find(|entry| entry.tags().any(|it| is_called(it, tag)))
            .ok_or_else(|| archive.wrong(format!("it has no image tagged `{tag}`")));
    }
    let [only] = entries else {
        let all: Vec<&str> = entries.iter().flat_map(Entry::tags).collect();
        let (count, all) = (entries.len(), all.join(", "));
        return Err(archive.wrong(format!(
            "it has {count} images, name one of the tags: {all}"
        )));
    };
    Ok(only)
}

/// Whether the name of an image is the one that is asked for: in full, in short, or, if it is one of
/// a machine's own, without that.
pub(crate) fn is_called(name: &str, asked: &str) -> bool {
    let canonical = |text: &str| Reference::parse(text).ok().map(|it| it.to_string());
    let name = canonical(name);
    let own = (!asked.contains('/')).then(|| canonical(&format!("localhost/{asked}")));
    name.is_some() && (name == canonical(asked) || Some(name) == own)
}

/// Imports one image under `name`.
pub(crate) fn import_entry(
    store: &Store,
    archive: &Tarball,
    entry: &Entry,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let shown = archive.shown().display().to_string();
    let paths = entry.layers.clone().unwrap_or_default();
    let config = config(archive, entry, paths.len())?;
    assemble::check_platform(&config, &shown, options)?;
    let wanted: Vec<Wanted> = config
        .diff_ids
        .iter()
        .map(|diff_id| assemble::wanted(None, *diff_id, None))
        .collect();
    // Whether all are there is known before the first is read.
    for path in &paths {
        archive.stream(path)?;
    }
    let source = Layers { archive, paths };
    let origin = Origin {
        name: name.to_owned(),
        source: Some(format!("docker-archive:{shown}")),
        manifest: None,
        index: None,
    };
    assemble::from_layers(store, origin, &config, &wanted, &source, options)
}

fn config(archive: &Tarball, entry: &Entry, layers: usize) -> Result<Config> {
    let shown = archive.shown().display().to_string();
    let bytes = archive.read(&entry.config, CONFIG_MAX)?;
    // By convention the file's name is its digest.
    if let Ok(expected) = format!("sha256:{}", entry.id()).parse() {
        let actual = sha256(&bytes);
        if actual != expected {
            let what = format!("{} in {shown}", entry.config);
            return Err(Error::DigestMismatch {
                what,
                expected,
                actual,
            });
        }
    }
    if layers > LAYERS_MAX {
        return Err(archive.wrong(format!("the image has more than {LAYERS_MAX} layers")));
    }
    Config::parse(&bytes, layers, &shown)
}

struct Layers<'a> {
    archive: &'a Tarball,
    paths: Vec<String>,
}

impl Source for Layers<'_> {
    fn open<'s>(
        &'s self,
        index: usize,
        cancel: &'s AtomicBool,
    ) -> Result<Box<dyn Read + Send + 's>> {
        let stream = self.archive.stream(&self.paths[index])?;
        Ok(Box::new(Cancellable::new(stream, cancel)))
    }
}
