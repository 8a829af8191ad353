//! `racker kill`

use super::Context;
use super::asked::values;
use super::each::each;
use crate::failure::Failure;
use crate::lifecycle::stop;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Signal to send; KILL ends all of the container
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = values::signal)]
    signal: i32,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    each(context, &args.containers, |store, kept| {
        stop::signal(store, kept, args.signal)?;
        Ok(None)
    })
}
