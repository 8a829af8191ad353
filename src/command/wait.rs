//! `racker wait`

use super::Context;
use super::each::each;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    each(context, &args.containers, |_, kept| {
        Ok(Some(kept.wait()?.to_string()))
    })
}
