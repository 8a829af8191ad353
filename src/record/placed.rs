//! The files that a step put into the tree as they were: those of `copy` and `fetch`.

use racker_store::{Digest, ObjectId, PathBytes};
use serde_json::Value;

use crate::plan::KeyDocument;

/// A file that a step put into the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where, as the recipe says: links on the way are not followed.
    pub path: PathBytes,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Fetched by its digest.
    Fetched(Digest),
    /// Copied from the recipe's directory.
    Copied {
        /// Its path there, as text.
        from: String,
        /// BLAKE3 of its bytes.
        blake3: ObjectId,
    },
}

/// Reads the files of a step, sorted by path; a step that runs something has none.
pub fn placed(document: &KeyDocument) -> Vec<Placed> {
    let text = |field| document.get(field).and_then(Value::as_str);
    let Some(to) = text("to") else {
        return Vec::new();
    };
    match text("kind") {
        Some("fetch") => {
            let digest = text("digest").and_then(|digest| digest.parse().ok());
            let placed = |digest| Placed {
                path: to.trim_matches('/').into(),
                origin: Origin::Fetched(digest),
            };
            digest.map(placed).into_iter().collect()
        }
        Some("copy") => copied(document, to, text("from").unwrap_or_default()),
        _ => Vec::new(),
    }
}

fn copied(document: &KeyDocument, to: &str, from: &str) -> Vec<Placed> {
    let Some(inputs) = document.get("inputs") else {
        return Vec::new();
    };
    let directory = inputs.get("directory") == Some(&Value::Bool(true));
    let entries = inputs.get("entries").and_then(Value::as_object);
    let placed = |(name, entry): (&String, &Value)| {
        let blake3 = entry.get("blake3")?.as_str()?.parse().ok()?;
        let mut path: PathBytes = to.trim_matches('/').into();
        if directory || to.ends_with('/') {
            path.push(b'/');
            path.extend(unescape(name));
        }
        let from = if directory {
            format!("{}/{name}", from.trim_end_matches('/'))
        } else {
            from.to_owned()
        };
        let origin = Origin::Copied { from, blake3 };
        Some(Placed { path, origin })
    };
    entries.into_iter().flatten().filter_map(placed).collect()
}

/// Reads what a document writes for bytes: `\\` for a backslash, `\xNN` for what is no UTF-8.
fn unescape(text: &str) -> PathBytes {
    let mut out = PathBytes::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(1..3).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        match (first, tail.first(), byte) {
            (b'\\', Some(b'\\'), _) => {
                out.push(b'\\');
                rest = &tail[1..];
            }
            (b'\\', Some(b'x'), Some(byte)) => {
                out.push(byte);
                rest = &tail[3..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(document: &Value) -> Vec<String> {
        let all = placed(&KeyDocument::from_value(document).unwrap());
        let path = |it: Placed| String::from_utf8_lossy(&it.path).into_owned();
        all.into_iter().map(path).collect()
    }

    #[test]
    fn files_land_where_the_step_puts_them() {
        let file = json!({ "kind": "file", "blake3": ObjectId::of(b"x").to_string(), "size": 1 });
        let copy = |to: &str, directory: bool, name: &str| {
            paths(&json!({
                "kind": "copy", "from": "site", "to": to,
                "inputs": { "directory": directory, "entries": {
                    name: file, "sub": { "kind": "directory" },
                } },
            }))
        };
        assert_eq!(copy("/var/www/", true, "a/b"), ["var/www/a/b"]);
        assert_eq!(copy("/var/www", true, "a"), ["var/www/a"]);
        assert_eq!(copy("/etc/x", false, "site"), ["etc/x"]);
        assert_eq!(copy("/etc/", false, "site"), ["etc/site"]);
        let fetch = json!({
            "kind": "fetch", "to": "/opt/tool", "digest": Digest::of(b"x").to_string(),
        });
        assert_eq!(paths(&fetch), ["opt/tool"]);
        assert_eq!(paths(&json!({ "kind": "run", "to": "/x" })), [""; 0]);
    }

    #[test]
    fn bytes_come_back() {
        assert_eq!(unescape(r"a\\x41\xff\x"), b"a\\x41\xff\\x");
        assert_eq!(unescape(r"\"), b"\\");
    }
}
