//! `index.db`: what the files say, in an order that files do not have.
//!
//! A cache and nothing more. It is opened when first needed, made again when it does not count as
//! many realisations as there are files, and a failure to write it is no failure of the store.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use crate::error::{At as _, Result};
use crate::id::{StepKey, TreeId};
use crate::image::Image;
use crate::realisation::Realisation;
use crate::store::{Access, Store, list};

/// Bumped when the tables change; an index with another number is made again.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    DROP TABLE IF EXISTS realisations;
    DROP TABLE IF EXISTS images;
    DROP TABLE IF EXISTS files;
    CREATE TABLE realisations (
        key TEXT NOT NULL, tree TEXT NOT NULL, recipe TEXT NOT NULL, place INTEGER NOT NULL,
        built INTEGER NOT NULL, PRIMARY KEY (key, tree)) STRICT, WITHOUT ROWID;
    CREATE INDEX realisations_place ON realisations (recipe, place, built);
    CREATE TABLE images (
        name TEXT PRIMARY KEY, tree TEXT NOT NULL, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE files (
        kind TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;";

/// An open index.
#[derive(Debug)]
pub(crate) struct Index(Connection);

impl Store {
    /// Makes the index again from the files.
    pub fn reindex(&self) -> Result<()> {
        self.writable()?;
        let mut index = self
            .index
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let index = match &mut *index {
            Some(index) => index,
            none => none.insert(Index(connect(&self.root().join("index.db"))?)),
        };
        self.fill(&mut index.0)
    }

    fn fill(&self, connection: &mut Connection) -> Result<()> {
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        for realisation in self.all_realisations()? {
            insert_realisation(&transaction, &realisation)?;
        }
        for image in self.images()? {
            insert_image(&transaction, &image)?;
        }
        let mut insert = transaction.prepare("INSERT OR REPLACE INTO files VALUES (?, ?, ?)")?;
        for (kind, directory) in [
            ("tree", "trees"),
            ("layer", "layers"),
            ("blob", "blobs/sha256"),
        ] {
            for path in list(&self.root().join(directory))? {
                let paths = if path.is_dir() {
                    list(&path)?
                } else {
                    vec![path]
                };
                for path in paths {
                    let name = path
                        .strip_prefix(self.root().join(directory))
                        .unwrap_or(&path);
                    let size = path.metadata().map_or(0, |stat| stat.len() as i64);
                    insert.execute(params![kind, name.to_string_lossy(), size])?;
                }
            }
        }
        drop(insert);
        transaction.pragma_update(None, "user_version", VERSION)?;
        Ok(transaction.commit()?)
    }

    /// Runs something on the index; none where there is no index to be had.
    fn with_index<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut index = self
            .index
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let index = match &mut *index {
            Some(index) => index,
            none => none.insert(self.open_index().ok()?),
        };
        run(&index.0).ok()
    }

    fn open_index(&self) -> Result<Index> {
        let path = self.root().join("index.db");
        if self.access() == Access::ReadOnly {
            let path = path.display().to_string();
            let path = path
                .replace('%', "%25")
                .replace('?', "%3f")
                .replace('#', "%23");
            let uri = format!("file:{path}?immutable=1");
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_URI
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(uri, flags)?;
            return if self.fresh(&connection) {
                Ok(Index(connection))
            } else {
                Err(rusqlite::Error::InvalidQuery.into())
            };
        }
        let mut connection = connect(&path)?;
        if !self.fresh(&connection) {
            self.fill(&mut connection)?;
        }
        Ok(Index(connection))
    }

    /// Whether the index counts as many realisations as there are files.
    fn fresh(&self, connection: &Connection) -> bool {
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap_or(0);
        let rows = connection.query_row("SELECT count(*) FROM realisations", [], |row| {
            row.get::<_, i64>(0)
        });
        let mut files = 0;
        for shard in list(&self.root().join("realisations")).unwrap_or_default() {
            for key in list(&shard).unwrap_or_default() {
                files += list(&key).map_or(0, |files| files.len() as i64);
            }
        }
        version == VERSION && rows.is_ok_and(|rows| rows == files)
    }

    pub(crate) fn index_realisation(&self, realisation: &Realisation) {
        self.with_index(|index| insert_realisation(index, realisation));
    }

    pub(crate) fn index_image(&self, image: &Image) {
        self.with_index(|index| insert_image(index, image));
    }

    pub(crate) fn unindex_image(&self, name: &str) {
        self.with_index(|index| index.execute("DELETE FROM images WHERE name = ?", [name]));
    }

    /// Whether the index says what the files say. One that is not there says nothing wrong, nor does one
    /// that cannot be read because nothing may be written beside it.
    pub(crate) fn index_is_true(&self) -> bool {
        let path = self.root().join("index.db");
        if !path.exists() || self.access() == Access::ReadOnly {
            return true;
        }
        let rows = || -> Result<bool> {
            let connection = connect(&path)?;
            let version: i64 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if version != VERSION {
                return Ok(true);
            }
            let sound: String =
                connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
            let mut query = connection.prepare("SELECT key, tree FROM realisations")?;
            let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let rows: rusqlite::Result<HashSet<(String, String)>> =
                query.query_map([], pair)?.collect();
            let files = self.realisation_paths()?;
            let files: HashSet<(String, String)> = files
                .iter()
                .filter_map(|path| {
                    let name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
                    let tree = name(path)?.strip_suffix(".json")?.to_owned();
                    Some((name(path.parent()?)?, tree))
                })
                .collect();
            let rows = rows?;
            // With another number of rows it is made again when it is opened, as after a crash.
            Ok(sound == "ok" && (rows.len() != files.len() || rows == files))
        };
        rows().unwrap_or(false)
    }

    /// Throws the index away and makes it again.
    pub(crate) fn remake_index(&self) -> Result<()> {
        *self
            .index
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let path = self.root().join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                result => result.at("remove", &path)?,
            }
        }
        self.reindex()
    }

    /// Forgets realisations whose files are gone.
    pub(crate) fn unindex_realisations(&self, gone: &[(StepKey, TreeId)]) {
        if gone.is_empty() || !self.root().join("index.db").exists() {
            return;
        }
        self.with_index(|index| {
            let transaction = index.unchecked_transaction()?;
            for (key, tree) in gone {
                let row = params![key.to_string(), tree.to_string()];
                transaction.execute("DELETE FROM realisations WHERE key = ? AND tree = ?", row)?;
            }
            transaction.commit()
        });
    }

    /// Realisations of one place of a recipe, the newest first; none without an index.
    pub(crate) fn indexed_realisations(
        &self,
        recipe: &str,
        place: usize,
    ) -> Option<Vec<(StepKey, TreeId)>> {
        let rows = self.with_index(|index| {
            let mut query = index.prepare(
                "SELECT key, tree FROM realisations WHERE recipe = ? AND place = ? ORDER BY built DESC, tree",
            )?;
            let rows = query.query_map(params![recipe, place as i64], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter()
            .map(|(key, tree)| Some((key.parse().ok()?, tree.parse().ok()?)))
            .collect()
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn insert_realisation(index: &Connection, realisation: &Realisation) -> rusqlite::Result<()> {
    let Realisation {
        key,
        tree,
        recipe,
        place,
        built,
        ..
    } = realisation;
    index
        .execute(
            "INSERT OR IGNORE INTO realisations VALUES (?, ?, ?, ?, ?)",
            params![
                key.to_string(),
                tree.to_string(),
                recipe,
                *place as i64,
                built
            ],
        )
        .map(drop)
}

fn insert_image(index: &Connection, image: &Image) -> rusqlite::Result<()> {
    index
        .execute(
            "INSERT OR REPLACE INTO images VALUES (?, ?, ?)",
            params![image.name, image.tree.to_string(), image.created],
        )
        .map(drop)
}
