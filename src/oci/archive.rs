//! Images in a tar file as `docker save` writes it (`docker-archive:FILE`).
//!
//! ```text
//! manifest.json                 [{ "Config": PATH, "RepoTags": [...], "Layers": [PATH, ...] }]
//! <config>.json  <layer>.tar    members in any order; a layer may be a symbolic link to another
//! ```
//!
//! The file is read where it lies: one pass finds the members, then each is read at its place.
//! A file that is compressed as a whole is unpacked into the store's staging area first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use racker_store::{Image, Store};
use serde::Deserialize;

use super::assemble::{self, Origin};
use super::config::Config;
use super::decompress::{Compression, Decompress};
use super::error::{Error, Result};
use super::layers::{Source, Wanted};
use super::manifest::{CONFIG_MAX, LAYERS_MAX, MANIFEST_MAX, sha256};
use super::options::Options;
use super::reference::Reference;
use super::stream::Cancellable;

/// Members of one archive.
const MEMBERS: usize = 100_000;
/// Symbolic links in a row.
const LINKS: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// Imports the image tagged `tag`, or the only one there is, under `name`.
pub fn import(
    store: &Store,
    file: &Path,
    tag: Option<&str>,
    name: &str,
    options: &Options<'_>,
) -> Result<Image> {
    let failed = |error| Error::io(file.display(), error);
    let stage = store
        .stage()
        .map_err(|error| Error::store(file.display(), error))?;
    let mut opened = File::open(file).map_err(failed)?;
    let mut head = [0; Compression::MAGIC];
    let length = opened.read(&mut head).map_err(failed)?;
    opened.rewind().map_err(failed)?;
    let plain = stage.path().join("archive.tar");
    let path = if Compression::sniff(&head[..length]) == Compression::None {
        file
    } else {
        let mut reader = Decompress::new(opened).map_err(failed)?;
        let mut copy = File::create(&plain).map_err(failed)?;
        io::copy(&mut reader, &mut copy).map_err(|error| Error::Decompress {
            what: file.display().to_string(),
            reason: error.to_string(),
        })?;
        &plain
    };
    let archive = Archive::scan(path, file)?;
    let entries: Vec<Entry> = serde_json::from_slice(&archive.read("manifest.json", MANIFEST_MAX)?)
        .map_err(|error| archive.wrong(format!("manifest.json: {error}")))?;
    let entry = archive.choose(&entries, tag)?;
    let paths = entry.layers.clone().unwrap_or_default();
    let config = archive.config(entry, paths.len().min(LAYERS_MAX + 1))?;
    assemble::check_platform(&config, &file.display().to_string(), options)?;
    let mut wanted = Vec::new();
    let mut members = Vec::new();
    for (path, diff_id) in paths.iter().zip(&config.diff_ids) {
        members.push(archive.member(path)?);
        let item = diff_id.hex()[..12].to_owned();
        wanted.push(Wanted {
            item,
            blob: None,
            diff_id: *diff_id,
        });
    }
    let source = Layers {
        archive: &archive,
        members,
    };
    let origin = Origin {
        name: name.to_owned(),
        source: Some(format!("docker-archive:{}", file.display())),
        manifest: None,
    };
    assemble::from_layers(store, origin, &config, &wanted, &source, options)
}

#[derive(Clone, Copy, Debug)]
struct Member {
    offset: u64,
    size: u64,
}

#[derive(Debug)]
enum Found {
    File(Member),
    Link(String),
}

struct Archive<'a> {
    /// The plain tar.
    path: &'a Path,
    /// The file as the user knows it.
    shown: &'a Path,
    members: BTreeMap<String, Found>,
}

impl<'a> Archive<'a> {
    fn scan(path: &'a Path, shown: &'a Path) -> Result<Self> {
        let failed = |error| Error::io(shown.display(), error);
        let mut archive = Self {
            path,
            shown,
            members: BTreeMap::new(),
        };
        let mut tar = tar::Archive::new(File::open(path).map_err(failed)?);
        for entry in tar.entries_with_seek().map_err(failed)? {
            let entry = entry.map_err(|error| archive.wrong(format!("not a tar file: {error}")))?;
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else {
                continue;
            };
            let kind = entry.header().entry_type();
            let found = if kind.is_file() {
                Found::File(Member {
                    offset: entry.raw_file_position(),
                    size: entry.size(),
                })
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let Ok(target) = String::from_utf8(target) else {
                    continue;
                };
                let base = if kind.is_symlink() {
                    name.rsplit_once('/').map(|(d, _)| d)
                } else {
                    None
                };
                Found::Link(base.map_or(target.clone(), |base| format!("{base}/{target}")))
            } else {
                continue;
            };
            archive.members.insert(normal(&name), found);
            if archive.members.len() > MEMBERS {
                return Err(archive.wrong(format!("it has more than {MEMBERS} members")));
            }
        }
        Ok(archive)
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Archive {
            path: self.shown.to_owned(),
            reason,
        }
    }

    fn choose<'e>(&self, entries: &'e [Entry], tag: Option<&str>) -> Result<&'e Entry> {
        let tags = |entry: &'e Entry| entry.repo_tags.iter().flatten().map(String::as_str);
        let canonical = |text: &str| Reference::parse(text).map(|reference| reference.to_string());
        if let Some(tag) = tag {
            let wanted = canonical(tag)?;
            let is_it = |text: &str| canonical(text).is_ok_and(|text| text == wanted);
            return entries
                .iter()
                .find(|entry| tags(entry).any(is_it))
                .ok_or_else(|| self.wrong(format!("it has no image tagged `{tag}`")));
        }
        let [only] = entries else {
            let all: Vec<&str> = entries.iter().flat_map(tags).collect();
            let count = entries.len();
            let all = all.join(", ");
            return Err(self.wrong(format!(
                "it has {count} images, name one of the tags: {all}"
            )));
        };
        Ok(only)
    }

    fn config(&self, entry: &Entry, layers: usize) -> Result<Config> {
        let shown = self.shown.display().to_string();
        let bytes = self.read(&entry.config, CONFIG_MAX)?;
        // By convention the file's name is its digest.
        let stem = entry.config.rsplit('/').next().unwrap_or_default();
        let stem = stem.strip_suffix(".json").unwrap_or(stem);
        let stem = stem.strip_prefix("sha256:").unwrap_or(stem);
        if let Ok(expected) = format!("sha256:{stem}").parse() {
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
            return Err(self.wrong(format!("the image has more than {LAYERS_MAX} layers")));
        }
        Config::parse(&bytes, layers, &shown)
    }

    fn member(&self, name: &str) -> Result<Member> {
        let mut name = normal(name);
        for _ in 0..LINKS {
            match self.members.get(&name) {
                Some(Found::File(member)) => return Ok(*member),
                Some(Found::Link(target)) => name = normal(target),
                None => return Err(self.wrong(format!("`{name}` is missing"))),
            }
        }
        Err(self.wrong(format!("`{name}` is a loop of links")))
    }

    fn open(&self, member: Member) -> Result<io::Take<File>> {
        let failed = |error| Error::io(self.shown.display(), error);
        let mut file = File::open(self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(member.offset)).map_err(failed)?;
        Ok(file.take(member.size))
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let member = self.member(name)?;
        if member.size > limit {
            return Err(Error::TooLarge {
                what: name.to_owned(),
                limit,
            });
        }
        let mut bytes = Vec::with_capacity(member.size as usize);
        let mut file = self.open(member)?;
        file.read_to_end(&mut bytes)
            .map_err(|error| Error::io(self.shown.display(), error))?;
        Ok(bytes)
    }
}

struct Layers<'a> {
    archive: &'a Archive<'a>,
    members: Vec<Member>,
}

impl Source for Layers<'_> {
    fn open<'s>(
        &'s self,
        index: usize,
        cancel: &'s AtomicBool,
    ) -> Result<Box<dyn Read + Send + 's>> {
        Ok(Box::new(Cancellable::new(
            self.archive.open(self.members[index])?,
            cancel,
        )))
    }
}

/// A member's name without `.`, `..` and empty components; names only, no file is followed.
fn normal(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn names_are_normal() {
        for (name, expected) in [
            ("./a//b", "a/b"),
            ("a/../b/l.tar", "b/l.tar"),
            ("../../x", "x"),
        ] {
            assert_eq!(normal(name), expected);
        }
    }
}
