//! The package files that went into a step: the document's `packages`.

use racker_store::Digest;
use serde_json::Value;

use crate::installed::Database;
use crate::plan::KeyDocument;

/// A package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The kind of its package manager's database.
    pub database: Database,
    /// Its name.
    pub name: String,
    /// Its version, with epoch and release.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The file's digest.
    pub sha256: Digest,
}

/// Reads the package files of a step, sorted by name; a step of another kind has none.
pub fn locked(document: &KeyDocument) -> Vec<Locked> {
    let Some(packages) = document.get("packages").and_then(Value::as_object) else {
        return Vec::new();
    };
    let database = match document.get("manager").and_then(Value::as_str) {
        // A bootstrap has no manager: it is dpkg's.
        None | Some("apt") => Database::Dpkg,
        Some("pacman") => Database::Pacman,
        Some("apk") => Database::Apk,
        Some(_) => Database::Rpm,
    };
    packages
        .iter()
        .filter_map(|(key, value)| {
            let version = value.get("version")?.as_str()?;
            let sha256 = value.get("sha256")?.as_str()?.parse().ok()?;
            // A package that stands twice has its version in the key, the second time.
            let key = key
                .strip_suffix(version)
                .and_then(|key| key.strip_suffix('='))
                .unwrap_or(key);
            let (name, architecture) = key.rsplit_once(':')?;
            Some(Locked {
                database,
                name: name.to_owned(),
                version: version.to_owned(),
                architecture: architecture.to_owned(),
                sha256,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packages_are_read_back() {
        let sha256 = Digest::of(b"x");
        let entry = |version: &str| json!({ "version": version, "sha256": sha256.to_string() });
        let document = json!({
            "manager": "dnf",
            "packages": {
                "kernel:x86_64": entry("1-1"),
                "kernel:x86_64=2-1": entry("2-1"),
                "odd": entry("1"),
                "bad:all": { "version": "1" },
            },
        });
        let all = locked(&KeyDocument::from_value(&document).unwrap());
        let words: Vec<_> = all
            .iter()
            .map(|it| format!("{} {} {}", it.name, it.architecture, it.version))
            .collect();
        assert_eq!(words, ["kernel x86_64 1-1", "kernel x86_64 2-1"]);
        assert_eq!(all[0].database, Database::Rpm);
    }

    #[test]
    fn other_steps_have_none() {
        let document = json!({ "kind": "run", "script": "true" });
        assert_eq!(locked(&KeyDocument::from_value(&document).unwrap()), []);
    }
}
