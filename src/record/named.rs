//! Package files of the recipe's own directory that went into a step: the document's `files`.

use serde_json::Value;

use crate::plan::KeyDocument;

/// A package file that a recipe names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its path as the recipe has it.
    pub path: String,
    /// BLAKE3 of its bytes, in hexadecimal digits.
    pub blake3: String,
}

/// Reads the package files that a step's recipe names; most steps have none.
pub fn named(document: &KeyDocument) -> Vec<Named> {
    let files = document.get("files").and_then(Value::as_object);
    files
        .into_iter()
        .flatten()
        .filter_map(|(path, digest)| {
            Some(Named {
                path: path.clone(),
                blake3: digest.as_str()?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_read_back() {
        let of = |document| named(&KeyDocument::from_value(&document).unwrap());
        let all = of(json!({ "files": { "./x.deb": "ab", "odd": 1 } }));
        assert_eq!(all.len(), 1);
        assert_eq!((&*all[0].path, &*all[0].blake3), ("./x.deb", "ab"));
        assert_eq!(of(json!({})), []);
    }
}
