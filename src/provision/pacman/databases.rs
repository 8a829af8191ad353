//! The databases of repositories, as pacman downloaded them.
//!
//! ```text
//! metadata/sync/REPOSITORY.db            a compressed tar of NAME-VERSION/desc
//!               REPOSITORY.db.sig        its signature, where it has one
//! metadata/repositories/REPOSITORY       how it was configured then
//! ```
//!
//! The digest of it all is SHA-256 over a line for each database, sorted: `REPOSITORY SHA256`, so
//! that two mirrors give the same. Databases have no date of their own: the newest time of an entry
//! in the archive, or of the build of a package, stands for it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;

use racker_store::Digest;

use super::{archive, desc};
use crate::provision::{Error, Exchange, Found, Identity, Result};

const SYNC: &str = "metadata/sync";
/// The largest database that is read.
const LIMIT: u64 = 256 << 20;
/// The longest entry that is believed.
const ENTRY_LIMIT: u64 = 4 << 20;

/// The databases of one resolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Databases(Vec<Database>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Database {
    name: String,
    digest: Digest,
    date: i64,
    packages: Vec<Found>,
}

impl Databases {
    /// Reads what lies in an exchange directory. The URL of a package is its file's name.
    pub fn read(exchange: &Exchange) -> Result<Databases> {
        let mut all = Vec::new();
        for path in exchange.files(SYNC)? {
            let name = path[SYNC.len() + 1..].strip_suffix(".db");
            let Some(name) = name.filter(|name| !name.contains('/')) else {
                continue;
            };
            let Some(file) = exchange.open(&path)? else {
                continue;
            };
            all.push(Database::read(name, file).map_err(|error| Error::Metadata {
                file: format!("{name}.db"),
                reason: error.to_string(),
            })?);
        }
        Ok(Databases(all))
    }

    /// The newest date; `None` where there is no database at all.
    pub fn date(&self) -> Option<i64> {
        self.0.iter().map(|database| database.date).max()
    }

    /// One digest over everything.
    pub fn digest(&self) -> Digest {
        let line = |it: &Database| format!("{} {}\n", it.name, it.digest.hex());
        let mut lines: Vec<String> = self.0.iter().map(line).collect();
        lines.sort();
        Digest::of(lines.concat().as_bytes())
    }

    /// Every package of every database.
    pub fn packages(&self) -> Vec<Found> {
        let all = self.0.iter().flat_map(|database| &database.packages);
        all.cloned().collect()
    }

    /// A package of a repository in a version.
    pub(super) fn find(&self, repository: &str, name: &str, version: &str) -> Option<&Found> {
        let database = self.0.iter().find(|it| it.name == repository)?;
        let same = |it: &&Found| it.name == name && it.version == version;
        database.packages.iter().find(same)
    }
}

impl Database {
    fn read(name: &str, file: File) -> io::Result<Database> {
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LIMIT {
            return Err(io::Error::other("too large"));
        }
        let mut database = Database {
            name: name.to_owned(),
            digest: Digest::of(&bytes),
            date: 0,
            packages: Vec::new(),
        };
        // An empty database is an empty file, to some who make them.
        if bytes.is_empty() {
            return Ok(database);
        }
        archive::walk(&bytes[..], |entry| {
            database.date = database.date.max(entry.mtime);
            if entry.name.ends_with("/desc") {
                let text = entry.text(ENTRY_LIMIT)?;
                let fields = desc::parse(&text);
                let built = fields.get("BUILDDATE").and_then(|it| it.parse().ok());
                database.date = database.date.max(built.unwrap_or(0));
                let found = package(&fields).ok_or_else(|| {
                    io::Error::other(format!("{} names no file with a SHA-256", entry.name))
                })?;
                database.packages.push(found);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(database)
    }
}

fn package(fields: &std::collections::HashMap<&str, &str>) -> Option<Found> {
    let field = |name| fields.get(name).copied();
    let file = field("FILENAME").filter(|file| !file.contains('/'))?;
    Some(Found {
        name: field("NAME")?.to_owned(),
        version: field("VERSION")?.to_owned(),
        arch: field("ARCH")?.to_owned(),
        url: file.to_owned(),
        size: field("CSIZE")?.parse().ok()?,
        identity: Identity::Sha256(format!("sha256:{}", field("SHA256SUM")?).parse().ok()?),
        signed: false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::archive::tests::tarball;
    use super::*;

    fn exchange(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Exchange) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join(SYNC)).unwrap();
        for (name, bytes) in files {
            fs::write(directory.path().join(SYNC).join(name), bytes).unwrap();
        }
        let exchange = Exchange::new(directory.path());
        (directory, exchange)
    }

    fn entry(version: &str) -> String {
        format!(
            "%FILENAME%\na-{version}-any.pkg.tar.zst\n\n%NAME%\na\n\n%VERSION%\n{version}\n\n\
             %CSIZE%\n9\n\n%SHA256SUM%\n{:064}\n\n%ARCH%\nany\n\n%BUILDDATE%\n60\n\n",
            0
        )
    }

    #[test]
    fn databases_are_read_and_digested() {
        let one = tarball(&[("a-1-1/desc", &entry("1-1"))]);
        let two = tarball(&[("a-2-1/desc", &entry("2-1"))]);
        let (_directory, exchange) = exchange(&[("x.db", &one), ("y.db", &two), ("x.db.sig", b"")]);
        let read = Databases::read(&exchange).unwrap();
        assert_eq!((read.packages().len(), read.date()), (2, Some(100)));
        assert!(read.find("y", "a", "2-1").is_some());
        assert!(read.find("x", "a", "2-1").is_none());
        let (_other, exchange) = self::exchange(&[("x.db", &two), ("y.db", &one)]);
        let swapped = Databases::read(&exchange).unwrap();
        assert_ne!(read.digest(), swapped.digest());
    }

    #[test]
    fn what_names_no_file_is_an_error() {
        for text in [
            entry("1").replace("SHA256SUM", "MD5SUM"),
            entry("1").replace("a-1-any", "../a-1-any"),
            entry("1").replace("\n9\n", "\nnine\n"),
        ] {
            let (_directory, exchange) = exchange(&[("x.db", &tarball(&[("a-1/desc", &text)]))]);
            let error = Databases::read(&exchange).unwrap_err();
            assert!(error.to_string().starts_with("repository metadata x.db: "));
        }
        let (_directory, exchange) = exchange(&[("x.db", b""), ("y.db", b"junk")]);
        assert!(Databases::read(&exchange).is_err());
    }
}
