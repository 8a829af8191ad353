//! `racker top`

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::{Yard, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container
    container: String,
    /// Options for the host's ps
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PS-OPTION"
    )]
    options: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let kept = Yard::of(&context.store()?).find(&args.container)?;
    kept.running()?;
    let pids: Vec<String> = usage::pids(&kept)?
        .iter()
        .map(ToString::to_string)
        .collect();
    let options = if args.options.is_empty() {
        vec!["-f".to_owned()]
    } else {
        args.options.clone()
    };
    let status = std::process::Command::new("ps")
        .args(options)
        .arg("-p")
        .arg(pids.join(","))
        .status()
        .map_err(|error| {
            Failure::new(FAILED, format!("start ps: {error}"))
                .hint("install it: apt-get install procps")
        })?;
    Ok(u8::from(!status.success()))
}
