//! `racker store reindex`

use crate::command::Context;
use crate::failure::Failure;

pub(super) fn run(context: &Context) -> Result<u8, Failure> {
    context.store()?.reindex()?;
    context.ui.say("the index is made again");
    Ok(0)
}
