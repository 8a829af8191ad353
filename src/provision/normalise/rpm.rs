//! What rpm, dnf and zypper leave behind.

use rusqlite::Connection;

use super::context::Context;
use super::sqlite::Copy;
use crate::provision::{Error, Result};
use crate::rpm::{Header, tag};

const RPM: [&str; 2] = [
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/rpmdb.sqlite",
];
/// dnf 4 and dnf 5.
const HISTORY: [&str; 2] = [
    "var/lib/dnf/history.sqlite",
    "usr/lib/sysimage/libdnf5/transaction_history.sqlite",
];

/// Writes rpm's database anew; times of installation become the epoch.
pub(super) fn database(context: &mut Context<'_>) -> Result<()> {
    RPM.iter()
        .try_for_each(|path| rewrite(context, path, clamp_packages))
}

/// Writes the history of dnf anew; times of transactions become the epoch.
pub(super) fn history(context: &mut Context<'_>) -> Result<()> {
    HISTORY
        .iter()
        .try_for_each(|path| rewrite(context, path, clamp_transactions))
}

/// Changes rows that a base does not have; they are numbered in the order in which they came.
type Edit = fn(&Connection, Option<&Connection>, i64) -> std::result::Result<(), String>;

fn rewrite(context: &mut Context<'_>, path: &str, edit: Edit) -> Result<()> {
    let (wal, index) = (format!("{path}-wal"), format!("{path}-shm"));
    let bad = |reason: String| Error::Database {
        path: path.to_owned(),
        reason,
    };
    let beside = context.read(&wal)?;
    if context.changed(path) || context.changed(&wal) && !beside.is_empty() {
        let copy = Copy::open(&context.whole(path)?, &beside).map_err(bad)?;
        let base = context.whole_of_base(path)?;
        let base = if base.is_empty() {
            None
        } else {
            Some(Copy::open(&base, &context.whole_of_base(&wal)?).map_err(bad)?)
        };
        let base = base.as_ref().map(|it| &it.connection);
        edit(&copy.connection, base, context.epoch).map_err(bad)?;
        context.replace(path, &copy.write().map_err(bad)?)?;
        // All that was in it is in the database now, whoever wrote it.
        context.drop(&wal);
        context.drop(&index);
    }
    context.remove(&wal);
    context.remove(&index);
    Ok(())
}

fn clamp_packages(
    new: &Connection,
    base: Option<&Connection>,
    epoch: i64,
) -> std::result::Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let last = last(base, "SELECT max(hnum) FROM Packages").map_err(text)?;
    let epoch = u32::try_from(epoch.clamp(0, u32::MAX.into())).unwrap_or(u32::MAX);
    let mut select = new
        .prepare("SELECT hnum, blob FROM Packages WHERE hnum > ?1 ORDER BY hnum")
        .map_err(text)?;
    let rows = select.query_map([last], |row| Ok((row.get(0)?, row.get(1)?)));
    let rows: Vec<(i64, Vec<u8>)> = rows.and_then(Iterator::collect).map_err(text)?;
    for (number, mut blob) in rows {
        let places = {
            let header = Header::parse(&blob)?;
            [
                header.place(tag::INSTALL_TIME)?,
                header.place(tag::INSTALL_TID)?,
            ]
        };
        for place in places.into_iter().flatten() {
            if let Some(bytes) = blob.get_mut(place..place + 4) {
                let time = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                bytes.copy_from_slice(&time.min(epoch).to_be_bytes());
            }
        }
        new.execute(
            "UPDATE Packages SET blob = ?2 WHERE hnum = ?1",
            (number, blob),
        )
        .map_err(text)?;
        // The index has the number in the order of bytes of the machine that wrote it.
        let keys: Vec<Vec<u8>> = new
            .prepare("SELECT key FROM Installtid WHERE hnum = ?1")
            .and_then(|mut it| it.query_map([number], |row| row.get(0))?.collect())
            .map_err(text)?;
        for key in keys {
            let Ok(bytes) = <[u8; 4]>::try_from(&key[..]) else {
                continue;
            };
            let time = u32::from_ne_bytes(bytes).min(epoch).to_ne_bytes();
            new.execute(
                "UPDATE Installtid SET key = ?2 WHERE hnum = ?1",
                (number, &time[..]),
            )
            .map_err(text)?;
        }
    }
    Ok(())
}

fn clamp_transactions(
    new: &Connection,
    base: Option<&Connection>,
    epoch: i64,
) -> std::result::Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let last = last(base, "SELECT max(id) FROM trans").map_err(text)?;
    for column in ["dt_begin", "dt_end"] {
        let update = format!("UPDATE trans SET {column} = ?1 WHERE id > ?2 AND {column} > ?1");
        new.execute(&update, (epoch, last)).map_err(text)?;
    }
    Ok(())
}

/// The last row that a base has.
fn last(base: Option<&Connection>, query: &str) -> rusqlite::Result<i64> {
    let number = match base {
        Some(base) => base.query_row(query, (), |row| row.get::<_, Option<i64>>(0))?,
        None => None,
    };
    Ok(number.unwrap_or(0))
}

/// Removes what dnf downloaded, and what it counts.
pub(super) fn dnf_cache(context: &mut Context<'_>) {
    for directory in [
        "var/cache/dnf",
        "var/cache/yum",
        "var/cache/libdnf5",
        "var/lib/dnf/repos",
    ] {
        for path in context.changed_below(directory) {
            context.remove(&path);
        }
        context.remove_empty_in(directory);
    }
}

/// Removes what zypper downloaded and the identity it made up; takes the time out of its marks.
pub(super) fn zypper_state(context: &mut Context<'_>) -> Result<()> {
    context.remove("var/lib/zypp/AnonymousUniqueId");
    context.remove("var/lib/YaST2/cookies");
    for path in context.changed_below("var/cache/zypp") {
        context.remove(&path);
    }
    context.remove_empty_in("var/cache/zypp");
    let marks = "var/lib/zypp/AutoInstalled";
    if context.changed(marks) {
        let text = context.whole(marks)?;
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        if lines[0].starts_with(b"# AutoInstalled generated") {
            lines[0] = b"# AutoInstalled";
        }
        context.replace(marks, &lines.join(&b'\n'))?;
    }
    Ok(())
}
