//! `racker restart`

use std::time::Duration;

use super::Context;
use super::each::each;
use super::run::in_background;
use crate::failure::Failure;
use crate::lifecycle::stop;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Seconds to wait before it is killed [default: the container's own, else 10]
    #[arg(short, long, visible_alias = "timeout", value_name = "SECONDS")]
    time: Option<u64>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let timeout = args.time.map(Duration::from_secs);
    each(context, &args.containers, |store, kept| {
        stop::stop(store, kept, timeout, None)?;
        in_background(context, kept, false)?;
        Ok(None)
    })
}
