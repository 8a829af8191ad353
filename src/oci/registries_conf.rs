//! One file of `registries.conf`: its text, and what in it cannot be meant.
//!
//! What is not understood is refused where it may be a wish to keep racker away from a registry: an entry that
//! no name ever matches blocks nothing. Source: containers-registries.conf(5).

use std::collections::BTreeMap;

use serde::Deserialize;

/// How the reason begins where a file is of the first version.
pub(super) const VERSION_1: &str = "it is of version 1";

/// A file of version 2.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) registry: Vec<Entry>,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) unqualified_search_registries: Option<Vec<String>>,
    /// What version 1 had: `[registries.search]`, `[registries.insecure]`, `[registries.block]`.
    registries: Option<toml::Table>,
}

/// A `[[registry]]`; after [`parse`] it has a prefix, and a location unless the prefix is a wildcard.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Entry {
    pub(super) prefix: String,
    pub(super) location: String,
    pub(super) insecure: bool,
    pub(super) blocked: bool,
    pub(super) mirror: Vec<Mirror>,
    pub(super) mirror_by_digest_only: bool,
    /// Belongs to mirrors.
    pull_from_mirror: Option<PullFromMirror>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Mirror {
    pub(super) location: String,
    pub(super) insecure: bool,
    #[serde(rename = "pull-from-mirror")]
    pub(super) takes: Option<PullFromMirror>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PullFromMirror {
    All,
    DigestOnly,
    TagOnly,
}

/// Reads a file; the error is the reason why it is refused.
pub(super) fn parse(text: &str) -> Result<File, String> {
    let mut file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.registries.is_some() {
        let own = !file.registry.is_empty() || file.unqualified_search_registries.is_some();
        let mixed = if own { ", mixed with version 2" } else { "" };
        return Err(format!("{VERSION_1} (it has `[registries]`){mixed}"));
    }
    for entry in &mut file.registry {
        complete(entry)?;
    }
    for (at, one) in file.registry.iter().enumerate() {
        for other in &file.registry[..at] {
            agree(one, other)?;
        }
    }
    Ok(file)
}

fn complete(entry: &mut Entry) -> Result<(), String> {
    place(&mut entry.location)?;
    place(&mut entry.prefix)?;
    if entry.prefix.is_empty() {
        entry.prefix.clone_from(&entry.location);
    }
    let prefix = &entry.prefix;
    if prefix.is_empty() {
        return Err("a [[registry]] has neither prefix nor location".to_owned());
    }
    let wildcard = prefix.strip_prefix("*.");
    if wildcard.unwrap_or(prefix).contains('*') || wildcard.is_some_and(|it| it.contains('/')) {
        return Err(format!(
            "the prefix `{prefix}`: a wildcard is of the form *.HOST, without a path"
        ));
    }
    if entry.pull_from_mirror.is_some() {
        return Err(format!(
            "`pull-from-mirror` of `{prefix}` belongs to one of its mirrors"
        ));
    }
    for mirror in &mut entry.mirror {
        place(&mut mirror.location)?;
        if mirror.location.is_empty() {
            return Err(format!("a mirror of `{prefix}` has no location"));
        }
        if entry.mirror_by_digest_only && mirror.takes.is_some() {
            return Err(format!(
                "`mirror-by-digest-only` of `{prefix}` and `pull-from-mirror` of its mirror `{}` \
                 exclude each other",
                mirror.location
            ));
        }
    }
    if entry.location.is_empty() && wildcard.is_none() {
        entry.location.clone_from(prefix);
    }
    Ok(())
}

/// Makes `host[:port][/path]` of what a file says.
fn place(text: &mut String) -> Result<(), String> {
    if text.contains("://") {
        return Err(format!(
            "`{text}` is not of the form host[:port]/path: it has no `https://` or the like"
        ));
    }
    text.truncate(text.trim_end_matches('/').len());
    Ok(())
}

/// Two entries for the same may not say different things of who may be asked, and how.
fn agree(one: &Entry, other: &Entry) -> Result<(), String> {
    let same =
        one.prefix == other.prefix || (one.location == other.location && !one.location.is_empty());
    let differs = [
        ("blocked", one.blocked != other.blocked),
        ("insecure", one.insecure != other.insecure),
    ];
    match differs.into_iter().find(|(_, differs)| same && *differs) {
        Some((setting, _)) => Err(format!(
            "`{}` is there several times, and `{setting}` is not the same",
            if one.prefix == other.prefix {
                &one.prefix
            } else {
                &one.location
            }
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, reason) in [
            ("registry = 3", "invalid type"),
            (
                "[[registry]]\ninsecure = true",
                "neither prefix nor location",
            ),
            (
                "[[registry]]\nlocation = 'a'\n[[registry.mirror]]",
                "no location",
            ),
            ("[registries.block]\nregistries = ['a.example']", VERSION_1),
            (
                "[registries.search]\nregistries = []\n[[registry]]\nlocation = 'a'",
                "mixed",
            ),
            (
                "[[registry]]\nprefix = '*.a.example/x'\nblocked = true",
                "*.HOST",
            ),
            (
                "[[registry]]\nprefix = 'a.*.example'\nblocked = true",
                "*.HOST",
            ),
            (
                "[[registry]]\nprefix = 'https://a.example'\nblocked = true",
                "host[:port]",
            ),
            (
                "[[registry]]\nprefix = 'a'\nblocked = true\n[[registry]]\nprefix = 'a/'",
                "`blocked` is not the same",
            ),
            (
                "[[registry]]\nlocation = 'a'\n[[registry]]\nprefix = 'b'\nlocation = 'a'\ninsecure = true",
                "`a` is there several times, and `insecure`",
            ),
            (
                "[[registry]]\nlocation = 'a'\nmirror-by-digest-only = true\n[[registry.mirror]]\n\
                 location = 'm'\npull-from-mirror = 'tag-only'",
                "exclude each other",
            ),
            (
                "[[registry]]\nlocation = 'a'\npull-from-mirror = 'all'",
                "one of its mirrors",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn places_are_completed() {
        let text = "[[registry]]\nprefix = 'a.example/'\nblocked = true\n[[registry]]\nprefix = '*.b'\n\
                    [[registry]]\nlocation = 'c//'\n[[registry.mirror]]\nlocation = 'm/x/'";
        let file = parse(text).unwrap();
        let places: Vec<_> = file
            .registry
            .iter()
            .map(|entry| (entry.prefix.as_str(), entry.location.as_str()))
            .collect();
        assert_eq!(
            places,
            [("a.example", "a.example"), ("*.b", ""), ("c", "c")]
        );
        assert_eq!(file.registry[2].mirror[0].location, "m/x");
    }
}
