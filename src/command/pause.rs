//! `racker pause` and `racker unpause`

use super::Context;
use super::each::each;
use crate::failure::Failure;
use crate::lifecycle::stop;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(super) fn pause(context: &Context, args: &Args) -> Result<u8, Failure> {
    each(context, &args.containers, |store, kept| {
        stop::pause(store, kept)?;
        Ok(None)
    })
}

pub(super) fn unpause(context: &Context, args: &Args) -> Result<u8, Failure> {
    each(context, &args.containers, |store, kept| {
        stop::unpause(store, kept)?;
        Ok(None)
    })
}
