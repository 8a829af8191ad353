//! The headers in `rpmdb.sqlite`.
//!
//! ```text
//! table Packages: hnum INTEGER PRIMARY KEY, blob BLOB    one header per package
//! the other tables are indexes over it
//! ```
//!
//! SQLite opens files, so the database is copied to a temporary directory with the `-wal` beside it
//! if there is one: what rpm wrote there and did not check in yet counts. (Opening the bytes in
//! memory is no choice: it knows no `-wal`, and SQLite does not promise to keep to the end of a
//! damaged database there.) A `-journal` is refused: it would name a further file, on the host,
//! that SQLite looks at and may remove.
//!
//! The database comes from an image. It is read for one column of one table, which must be a plain
//! one: a view or a computed column would be a program of the image's. All rows together cannot have
//! more bytes than the file: a damaged one may lead to the same page again and again.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::Error;
use super::files::{Files, Found};

/// Most bytes of a database.
const MAX_DATABASE: u64 = 1 << 30;
/// Most bytes of one header.
const MAX_HEADER: i32 = 32 << 20;

/// Hands the header of every package to `take`.
pub(super) fn headers(
    files: &Files<'_>,
    path: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let journal = format!("{path}-journal");
    if files.find(&journal).is_some_and(|journal| journal.size > 0) {
        return Err(Error::Unfinished { path: journal });
    }
    let directory = tempfile::tempdir().map_err(|source| copy_error(path, source))?;
    let database = directory.path().join("rpmdb.sqlite");
    let mut left = 0;
    for suffix in ["", "-wal"] {
        let path = format!("{path}{suffix}");
        if let Some(found) = files.find(&path) {
            left += found.size;
            let target = directory.path().join(format!("rpmdb.sqlite{suffix}"));
            copy(files, &path, &found, &target)?;
        }
    }
    let damaged = |error: rusqlite::Error| Error::damaged(path, error);
    let connection = open(&database).map_err(damaged)?;
    if !is_plain(&connection).map_err(damaged)? {
        return Err(Error::damaged(path, "it has no plain table of packages"));
    }
    let mut query = connection
        .prepare("SELECT blob FROM Packages")
        .map_err(damaged)?;
    let mut rows = query.query(()).map_err(damaged)?;
    while let Some(row) = rows.next().map_err(damaged)? {
        let blob = row.get_ref(0).map_err(damaged)?;
        let blob = blob
            .as_blob()
            .map_err(|error| Error::damaged(path, error))?;
        left = left
            .checked_sub(blob.len().max(1) as u64)
            .ok_or_else(|| Error::damaged(path, "its rows have more bytes than it has"))?;
        take(blob)?;
    }
    Ok(())
}

fn copy(files: &Files<'_>, path: &str, found: &Found, target: &Path) -> Result<(), Error> {
    if found.size > MAX_DATABASE {
        return Err(Error::Limit {
            path: path.to_owned(),
            limit: MAX_DATABASE,
        });
    }
    let mut file = File::create(target).map_err(|source| copy_error(path, source))?;
    if let Some(object) = found.object {
        let mut bytes = files.store.open_object(object)?.take(MAX_DATABASE);
        io::copy(&mut bytes, &mut file).map_err(|source| copy_error(path, source))?;
    }
    Ok(())
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_HEADER)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Whether `Packages` is a table of its own pages with a stored column `blob`.
fn is_plain(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_schema
         WHERE name = 'Packages' AND type = 'table' AND rootpage > 0",
        (),
        |row| row.get(0),
    )?;
    let columns: i64 = connection.query_row(
        "SELECT count(*) FROM pragma_table_xinfo('Packages') WHERE name = 'blob' AND hidden = 0",
        (),
        |row| row.get(0),
    )?;
    Ok(tables == 1 && columns == 1)
}

fn copy_error(path: &str, source: io::Error) -> Error {
    Error::Copy {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[path = "rpm_database_tests.rs"]
mod tests;
