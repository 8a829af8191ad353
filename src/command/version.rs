//! `racker version`

use serde_json::json;

use super::Context;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        context.ui.json(&json!({ "version": version }))?;
    } else {
        context.ui.data(format!("racker {version}"))?;
    }
    Ok(0)
}
