//! What dnf 5 says: a transaction that it stored, and where its packages are.
//!
//! ```text
//! result/stored/transaction.json    { "rpms": [ { "action", "nevra", "repo_id", ... } ], ... }
//! result/places                     a line each: repository, name, version, architecture, address
//! ```
//!
//! Source: manual pages `dnf5-replay(8)`, `dnf5-repoquery(8)`.

use serde::Deserialize;

use crate::provision::rpmmd::{Place, Wanted};

/// Actions that bring a package.
const COMING: [&str; 4] = ["Install", "Upgrade", "Downgrade", "Reinstall"];
/// What dnf 5 calls the repository of files that it was given.
const FILES: &str = "@commandline";

#[derive(Deserialize)]
struct Transaction {
    version: String,
    #[serde(default)]
    rpms: Vec<Rpm>,
}

#[derive(Deserialize)]
struct Rpm {
    action: String,
    #[serde(default)]
    nevra: String,
    #[serde(default)]
    repo_id: String,
}

/// The packages that come, each with its places; in a place, the address is the package's own.
pub(super) fn coming(transaction: &str, places: &str) -> Result<Vec<Wanted>, String> {
    let read: Transaction = serde_json::from_str(transaction).map_err(|e| e.to_string())?;
    if !read.version.starts_with("1.") {
        return Err(format!("a transaction of version {}", read.version));
    }
    let mut all = Vec::new();
    for rpm in read.rpms {
        if !COMING.contains(&&*rpm.action) || rpm.repo_id.contains(FILES) {
            continue;
        }
        let (name, version, arch) = split(&rpm.nevra).ok_or_else(|| rpm.nevra.clone())?;
        let here = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let mut next = || words.next();
            let (id, n, v, a, address) = (next()?, next()?, next()?, next()?, next()?);
            let same = (n, plain(v), a) == (&*name, &*version, &*arch);
            (same && address.contains("://")).then(|| Place {
                repository: id.to_owned(),
                base: address.to_owned(),
            })
        };
        let mut places: Vec<Place> = places.lines().filter_map(here).collect();
        // The one that dnf chose comes first.
        places.sort_by_key(|place| !rpm.repo_id.contains(&place.repository));
        all.push(Wanted {
            places,
            name,
            version,
            arch,
        });
    }
    Ok(all)
}

/// Splits `name-epoch:version-release.arch`.
fn split(nevra: &str) -> Option<(String, String, String)> {
    let (rest, arch) = nevra.rsplit_once('.')?;
    let (rest, release) = rest.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let version = format!("{}-{release}", plain(version));
    Some((name.to_owned(), version, arch.to_owned()))
}

/// A version without an epoch of 0.
fn plain(version: &str) -> &str {
    version.strip_prefix("0:").unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_where_it_is() {
        let transaction = r#"{"rpms":[
            {"action":"Install","nevra":"nginx-core-1:1.26.2-1.fc41.x86_64","reason":"User",
             "repo_id":"@stored_transaction(updates)","package_path":"./packages/x.rpm"},
            {"action":"Upgrade","nevra":"zlib-0:1.3-1.fc41.noarch","reason":"Dependency",
             "repo_id":"@stored_transaction(fedora)"},
            {"action":"Replaced","nevra":"zlib-1.2-1.fc41.noarch","reason":"Dependency",
             "repo_id":"@System"},
            {"action":"Install","nevra":"mine-1-1.noarch","reason":"User","repo_id":"@commandline"}
            ],"version":"1.0"}"#;
        let places = "fedora nginx-core 1:1.26.2-1.fc41 x86_64 http://m.test/f/n.rpm\n\
                      updates nginx-core 1:1.26.2-1.fc41 x86_64 http://m.test/u/n.rpm\n\
                      fedora zlib 1.3-1.fc41 noarch http://m.test/f/z.rpm\n";
        let all = coming(transaction, places).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((&*all[0].name, &*all[0].arch), ("nginx-core", "x86_64"));
        assert_eq!(all[0].version, "1:1.26.2-1.fc41");
        assert_eq!(all[0].places[0].base, "http://m.test/u/n.rpm");
        assert_eq!(all[0].places.len(), 2);
        assert_eq!(all[1].version, "1.3-1.fc41");
        assert!(coming(&transaction.replace("1.0", "2.0"), places).is_err());
    }
}
