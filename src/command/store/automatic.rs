//! What a bake and a pull collect at their end, where the disk is nearly full.

use racker_store::Store;

use crate::command::Context;
use crate::realise::HIDDEN;
use crate::ui::size;

/// Does what `racker store gc` does where less is free than `gc-min-free` says; one call where there
/// is enough. What was asked for is done by now, so a failure is only told.
pub(in crate::command) fn collect_when_low(context: &Context, store: &Store) {
    let Some(wanted) = context.settings.gc.when_below else {
        return;
    };
    let line = match collect(context, store, wanted) {
        Ok(None) => return,
        Ok(Some((before, freed))) => format!(
            "Reclaimed {}: {} was free, and gc-min-free is {}",
            size(freed),
            size(before),
            size(wanted)
        ),
        Err(error) => format!("Not collected, though gc-min-free says so: {error}"),
    };
    context.ui.say(line);
}

/// Bytes that were free, and those that became so; none where nothing had to be done.
fn collect(
    context: &Context,
    store: &Store,
    wanted: u64,
) -> racker_store::Result<Option<(u64, u64)>> {
    let before = store.free()?;
    if before >= wanted {
        return Ok(None);
    }
    let images = store.images()?.into_iter().map(|image| image.name);
    let hidden = images.filter(|name| name.starts_with(HIDDEN)).collect();
    let collected = store.collect(&context.settings.gc.policy(hidden), false)?;
    Ok(Some((before, collected.total().bytes)))
}
