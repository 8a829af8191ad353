//! `racker commit`

use serde_json::Map;

use super::{Context, instruction};
use crate::failure::{FAILED, Failure};
use crate::image;
use crate::lifecycle::changes::{self, Commit};
use crate::lifecycle::{Yard, events};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who makes the image
    #[arg(short, long)]
    author: Option<String>,
    /// Why
    #[arg(short, long)]
    message: Option<String>,
    /// Instruction for the image's configuration: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL,
    /// USER, VOLUME, WORKDIR
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Freeze the container meanwhile
    #[arg(short, long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pause: bool,
    /// Container
    container: String,
    /// Name of the image [default: committed-ID, by the container's id]
    #[arg(value_name = "NAME[:TAG]")]
    name: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let kept = Yard::of(&store).find(&args.container)?;
    let name = match &args.name {
        Some(name) => image::full_name(name)?,
        None => format!("localhost/committed-{}:latest", &kept.config.id[..12]),
    };
    let mut config = Map::new();
    for line in &args.change {
        instruction::apply(&mut config, line).map_err(|text| Failure::new(FAILED, text))?;
    }
    let made = changes::commit(
        &store,
        &kept,
        &Commit {
            name,
            author: args.author.as_deref(),
            message: args.message.as_deref(),
            config,
            keep_running: !args.pause,
        },
    )?;
    events::put(&store, &kept.config, "commit", &[("image", &made.name)]);
    context.ui.data(made.tree.to_string())?;
    Ok(0)
}
