//! `racker create`

use super::Context;
use super::asked::{self, Options, What};
use crate::container;
use crate::failure::Failure;
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, args_override_self = true)]
pub(super) struct Args {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    what: What,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    container::slot::require_root()?;
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let kept = asked::create(shop, &args.options, &args.what, true)?;
        context.ui.data(&kept.config.id)?;
        Ok(0)
    })
}
