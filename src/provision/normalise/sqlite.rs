//! SQLite databases, written anew: the same rows give the same bytes.
//!
//! A database's pages come in the order in which they were needed, free ones keep what was there, and
//! what was written last may still lie in a `-wal` beside it. `VACUUM INTO` writes all rows in their
//! order into a new file; what counts changes in its header is set.
//!
//! The database comes from a guest. It is opened as a copy, no function of its schema that could do
//! something is trusted, and it may not grow.

use std::io;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// Fields of the file's header that count changes or name who wrote it, and what they become: the
/// change counter, the schema's cookie, the counter that the version is valid for, the version.
/// Source: "Database File Format", 1.3.
const COUNTERS: [(usize, u32); 4] = [(24, 1), (40, 1), (92, 1), (96, 3_040_000)];

/// What ends with a reason in words.
pub(super) type Result<T> = std::result::Result<T, String>;

/// A copy of a database in a directory of its own.
#[derive(Debug)]
pub(super) struct Copy {
    directory: tempfile::TempDir,
    pub(super) connection: Connection,
}

impl Copy {
    /// Copies a database with what lies in its `-wal`.
    pub(super) fn open(database: &[u8], wal: &[u8]) -> Result<Self> {
        let make = || -> io::Result<tempfile::TempDir> {
            let directory = tempfile::tempdir()?;
            std::fs::write(directory.path().join("db"), database)?;
            if !wal.is_empty() {
                std::fs::write(directory.path().join("db-wal"), wal)?;
            }
            Ok(directory)
        };
        let directory = make().map_err(|error| error.to_string())?;
        let connection = open(&directory.path().join("db")).map_err(|error| error.to_string())?;
        Ok(Self {
            directory,
            connection,
        })
    }

    /// The database's bytes, written anew.
    pub(super) fn write(self) -> Result<Vec<u8>> {
        let path = self.directory.path().join("new");
        let shown = path.to_string_lossy();
        self.connection
            .execute("VACUUM INTO ?1", [&*shown])
            .map_err(|error| error.to_string())?;
        let mut bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        for (place, value) in COUNTERS {
            if let Some(field) = bytes.get_mut(place..place + 4) {
                field.copy_from_slice(&u32::to_be_bytes(value));
            }
        }
        Ok(bytes)
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    let pages: i64 = connection.query_row("PRAGMA page_count", (), |row| row.get(0))?;
    // A pragma that gives its value back.
    let limit = pages.saturating_mul(2).saturating_add(64);
    connection.query_row(&format!("PRAGMA max_page_count = {limit}"), (), |_| Ok(()))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rows_count() {
        let make = |detour: bool| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x");
            let connection = Connection::open(&path).unwrap();
            let mode = "PRAGMA journal_mode = wal";
            connection.query_row(mode, (), |_| Ok(())).unwrap();
            connection
                .execute_batch(
                    "CREATE TABLE t (a INTEGER PRIMARY KEY, b); PRAGMA wal_autocheckpoint=0",
                )
                .unwrap();
            if detour {
                connection
                    .execute("INSERT INTO t VALUES (7, 'gone')", ())
                    .unwrap();
                connection.execute("DELETE FROM t", ()).unwrap();
            }
            for number in if detour { [2, 1] } else { [1, 2] } {
                connection
                    .execute("INSERT INTO t VALUES (?1, 'x')", [number])
                    .unwrap();
            }
            // Before the connection ends, and tidies up.
            let wal = std::fs::read(directory.path().join("x-wal")).unwrap();
            (std::fs::read(&path).unwrap(), wal)
        };
        let written = |(database, wal): (Vec<u8>, Vec<u8>)| {
            Copy::open(&database, &wal).unwrap().write().unwrap()
        };
        let (plain, detour) = (make(false), make(true));
        assert_ne!(plain.1, detour.1);
        let plain = written(plain);
        assert_eq!(plain, written(detour));
        assert_eq!(plain, written((plain.clone(), Vec::new())));
    }

    #[test]
    fn what_is_no_database_is_an_error() {
        assert!(Copy::open(b"something else that is long enough", b"").is_err());
    }
}
