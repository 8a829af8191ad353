//! `postroj invoke`

use crate::command::failed;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Options and the command
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    _words: Vec<String>,
}

pub(super) fn run(_: &Args) -> Result<u8, Failure> {
    Err(
        failed("invoke is not there yet: commands run on Linux images alone")
            .hint("racker run IMAGE COMMAND runs one there"),
    )
}
