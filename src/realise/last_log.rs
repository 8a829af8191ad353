//! Which log a step left last: `logs/last.RECIPE.PLACE` names it.
//!
//! A realisation keeps the log of the first time that it came about; a failure leaves none at all.

use std::fs;
use std::path::PathBuf;

use racker_store::Store;

use super::Error;

fn path(store: &Store, recipe: &str, place: usize) -> PathBuf {
    store.log_path(&format!("last.{recipe}.{place}"))
}

/// Notes that the step was tried, whatever came of it, and left this log.
pub(super) fn note(store: &Store, recipe: &str, place: usize, log: &str) -> Result<(), Error> {
    let path = path(store, recipe, place);
    fs::write(&path, log).map_err(Error::io(format!("write {}", path.display())))
}

/// The newest log of a step, of a failure or a success.
pub fn last_log(store: &Store, recipe: &str, place: usize) -> Result<Option<String>, Error> {
    if let Ok(last) = fs::read_to_string(path(store, recipe, place)) {
        return Ok(Some(last));
    }
    let realised = store.recent(recipe, place)?;
    Ok(realised.into_iter().find_map(|found| found.log))
}
