//! Which log belongs to the last failure of a step: `logs/failed.RECIPE.PLACE` names it.
//!
//! A success has its log in its realisation; a failure leaves no realisation.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use racker_store::Store;

use super::Error;

fn path(store: &Store, recipe: &str, place: usize) -> PathBuf {
    store.log_path(&format!("failed.{recipe}.{place}"))
}

/// Notes that the step's last try failed and left this log.
pub(super) fn note_failure(
    store: &Store,
    recipe: &str,
    place: usize,
    log: &str,
) -> Result<(), Error> {
    let path = path(store, recipe, place);
    fs::write(&path, log).map_err(Error::io(format!("write {}", path.display())))
}

/// The newest log of a step, of a failure or a success.
pub fn last_log(store: &Store, recipe: &str, place: usize) -> Result<Option<String>, Error> {
    let failed = fs::read_to_string(path(store, recipe, place)).ok();
    let realised = store
        .recent(recipe, place)?
        .into_iter()
        .find_map(|found| found.log);
    let age = |log: &String| -> SystemTime {
        fs::metadata(store.log_path(log))
            .and_then(|metadata| metadata.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    };
    Ok(failed.into_iter().chain(realised).max_by_key(age))
}
