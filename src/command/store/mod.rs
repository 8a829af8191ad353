//! `racker store`: what is done to the store as a whole, one verb per file.

mod automatic;
mod gc;
mod reindex;
mod stats;
mod verify;

pub(super) use automatic::collect_when_low;

use super::Context;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Remove what nothing needs
    Gc(gc::Args),
    /// Read everything and say what is damaged
    Verify(verify::Args),
    /// Make the index again from the files
    Reindex,
    /// Show how much there is and what is shared
    Stats(stats::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    match &args.verb {
        Verb::Gc(args) => gc::run(context, args),
        Verb::Verify(args) => verify::run(context, args),
        Verb::Reindex => reindex::run(context),
        Verb::Stats(args) => stats::run(context, args),
    }
}
