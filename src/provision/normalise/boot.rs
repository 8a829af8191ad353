//! What makes an image boot fast.

use racker_store::{NodeRef, Time};

use super::context::Context;
use crate::provision::Result;

/// systemd compares the stamps with `/usr`: where it is newer, several services of the first boot
/// rebuild what the packages' scripts have built already.
pub(super) fn update_stamps(context: &mut Context<'_>) -> Result<()> {
    if !context.has_systemd() {
        return Ok(());
    }
    let usr = match context.tree.get(b"usr") {
        Some(NodeRef::Directory(directory)) => directory.metadata.mtime,
        _ => Time::default(),
    };
    let usr = usr.seconds + i64::from(usr.nanoseconds > 0);
    let epoch = std::mem::replace(&mut context.epoch, 0);
    context.epoch = epoch.max(usr);
    let text = format!("TIMESTAMP_NSEC={}000000000\n", context.epoch);
    let written = ["etc/.updated", "var/.updated"]
        .iter()
        .try_for_each(|path| context.write(path, 0o644, text.as_bytes()));
    context.epoch = epoch;
    written
}
