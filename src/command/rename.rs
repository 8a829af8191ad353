//! `racker rename`

use super::Context;
use crate::failure::Failure;
use crate::lifecycle::{Yard, events, rename};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container
    container: String,
    /// What it is to be called
    name: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let yard = Yard::of(&store);
    let mut kept = yard.find(&args.container)?;
    rename::rename(&yard, &mut kept, &args.name)?;
    events::put(&store, &kept.config, "rename", &[]);
    Ok(0)
}
