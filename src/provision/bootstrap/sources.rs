//! The host's package sources, in both notations.

use std::fs;
use std::path::Path;

/// One source: a repository with one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) suite: String,
    pub(super) components: Vec<String>,
    /// A path or a key itself.
    pub(super) signed_by: Option<String>,
}

/// The enabled sources of binary packages, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub(super) Vec<Source>);

impl Sources {
    /// Reads `sources.list` and `sources.list.d` in a directory like `/etc/apt`; what is not there
    /// says nothing.
    pub fn read(directory: &Path) -> Sources {
        let mut files = vec![directory.join("sources.list")];
        let parts = fs::read_dir(directory.join("sources.list.d"))
            .into_iter()
            .flatten()
            .flatten();
        let mut parts: Vec<_> = parts.map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
        let mut sources = Sources::default();
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("list") => sources.0.extend(text.lines().filter_map(line)),
                Some("sources") => sources.0.extend(stanzas(&text)),
                _ => {}
            }
        }
        sources
    }

    /// Reads a text in either notation.
    #[cfg(test)]
    pub(super) fn parse(text: &str) -> Sources {
        Sources(text.lines().filter_map(line).chain(stanzas(text)).collect())
    }
}

/// `deb [signed-by=/path arch=amd64] URI SUITE COMPONENT...`
fn line(text: &str) -> Option<Source> {
    let text = text.split('#').next()?.trim().strip_prefix("deb")?;
    let mut rest = text.strip_prefix(char::is_whitespace)?.trim_start();
    let mut signed_by = None;
    if let Some(options) = rest.strip_prefix('[') {
        let (options, tail) = options.split_once(']')?;
        signed_by = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(str::to_owned);
        rest = tail;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uri: words.next()?,
        suite: words.next()?,
        components: words.collect(),
        signed_by,
    })
}

/// The deb822 notation: stanzas of fields, continued by lines that begin with a blank.
fn stanzas(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .chain([""])
    {
        if line.trim().is_empty() {
            sources.extend(stanza(&fields));
            fields.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                let line = line.trim();
                value.push('\n');
                value.push_str(if line == "." { "" } else { line });
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn stanza(fields: &[(String, String)]) -> Vec<Source> {
    let field = |name: &str| {
        fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, v)| v.as_str())
    };
    let words = |name: &str| field(name).unwrap_or_default().split_whitespace();
    let off = |value: &str| ["no", "false", "without", "off", "disable"].contains(&value);
    if !words("types").any(|kind| kind == "deb") || field("enabled").is_some_and(off) {
        return Vec::new();
    }
    let mut sources = Vec::new();
    for uri in words("uris") {
        for suite in words("suites") {
            sources.push(Source {
                uri: uri.to_owned(),
                suite: suite.to_owned(),
                components: words("components").map(str::to_owned).collect(),
                signed_by: field("signed-by").map(str::trim).map(str::to_owned),
            });
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations() {
        let sources = Sources::parse(
            "deb [arch=amd64 signed-by=/k.gpg] http://m.test/debian bookworm main # x\n\
             deb-src http://m.test/debian bookworm main\n#deb http://off.test x main\n",
        );
        assert_eq!(sources.0.len(), 1);
        assert_eq!(sources.0[0].uri, "http://m.test/debian");
        assert_eq!(sources.0[0].signed_by.as_deref(), Some("/k.gpg"));
        let sources = Sources::parse(
            "Types: deb deb-src\n# a comment\nURIs: http://m.test/debian\n\
             Suites: bookworm bookworm-updates\nComponents: main\nSigned-By:\n -----BEGIN\n .\n x\n\n\
             Types: deb\nEnabled: no\nURIs: http://off.test\nSuites: x\n",
        );
        assert_eq!(sources.0.len(), 2);
        assert_eq!(sources.0[1].suite, "bookworm-updates");
        assert_eq!(sources.0[1].signed_by.as_deref(), Some("-----BEGIN\n\nx"));
    }
}
