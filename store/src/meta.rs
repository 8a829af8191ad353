//! `meta.toml`: which format a store has.
//!
//! ```toml
//! format = 1
//! compatible = []        # unknown ones may be ignored
//! ro-compatible = []     # with an unknown one: reading only
//! incompatible = []      # with an unknown one: hands off
//! ```

use std::path::Path;

use crate::error::{Error, Result};

/// The format this crate reads and writes.
const FORMAT: u32 = 1;
/// Features of the two binding kinds that this crate knows: none so far.
const KNOWN: &[&str] = &[];

/// What a new store gets.
pub(crate) const TEXT: &str = "# A store of racker; see FORMAT.md.\n\
    format = 1\ncompatible = []\nro-compatible = []\nincompatible = []\n";

/// Checks the text of `meta.toml`; says whether the store may be written to.
pub(crate) fn check(root: &Path, text: &str) -> Result<bool> {
    let fail = |reason: String| Error::Format {
        path: root.to_owned(),
        reason,
    };
    let mut format = None;
    let mut writable = true;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(fail(format!("meta.toml has the line {line:?}")));
        };
        let unknown = || {
            value
                .split(['[', ']', ',', '"'])
                .map(str::trim)
                .find(|name| !name.is_empty() && !KNOWN.contains(name))
        };
        match key.trim() {
            "format" => format = value.trim().parse::<u32>().ok(),
            "ro-compatible" => writable &= unknown().is_none(),
            "incompatible" => {
                if let Some(name) = unknown() {
                    return Err(fail(format!(
                        "it has the feature {name:?}, which this version does not know"
                    )));
                }
            }
            _ => {}
        }
    }
    match format {
        Some(FORMAT) => Ok(writable),
        Some(other) => Err(fail(format!(
            "it has format {other}, this version knows format {FORMAT}"
        ))),
        None => Err(fail("meta.toml names no format".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_features_bind_as_they_should() {
        let root = Path::new("/s");
        assert!(check(root, TEXT).unwrap());
        assert!(check(root, "format = 1\ncompatible = [\"x\"]\nfuture = 3\n").unwrap());
        assert!(!check(root, "format = 1\nro-compatible = [\"x\"]\n").unwrap());
        let error = check(root, "format = 1\nincompatible = [\"x\"]\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "store /s: it has the feature \"x\", which this version does not know"
        );
        check(root, "format = 2\n").unwrap_err();
        check(root, "").unwrap_err();
    }
}
