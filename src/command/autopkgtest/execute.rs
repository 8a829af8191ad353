//! The program that autopkgtest runs commands of the testbed with.

use crate::command::Context;
use crate::container::{Console, Exit};
use crate::failure::{Failure, NOT_EXECUTED};
use crate::lifecycle::process::Wanted;
use crate::lifecycle::{Yard, exec};

/// The hidden verb.
pub(super) const WORD: &str = "autopkgtest-execute";

/// What a command's own code is shown as where that would mean that it was not run.
const SHOWN: u8 = 253;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Container
    container: String,
    /// Command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

pub(crate) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let kept = Yard::of(&context.store()?).find(&args.container)?;
    let state = kept.running()?;
    let console = Console::own(true);
    let Exit(code) = exec::run(
        &kept,
        &state,
        args.command,
        &Wanted::default(),
        console,
        true,
    )?;
    Ok(if code < NOT_EXECUTED { code } else { SHOWN })
}
