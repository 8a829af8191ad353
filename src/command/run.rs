//! `racker run`

use super::Context;
use super::asked::{self, Options, What};
use crate::container;
use crate::failure::{Failure, RUN_FAILED};
use crate::lifecycle::{Kept, Place, Supervisor, background, volume};
use crate::ui::Bars;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, args_override_self = true)]
pub(super) struct Args {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Run it in the background and print its id
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    what: What,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    container::slot::require_root()?;
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let kept = asked::create(shop, &args.options, &args.what, args.detach)?;
        context.phase("container made");
        if args.detach {
            let started = in_background(context, &kept, false);
            if started.is_err() && kept.config.remove {
                let _ = volume::remove_with_anonymous(shop.store, &kept);
            }
            started?;
            context.ui.data(&kept.config.id)?;
            return Ok(0);
        }
        let supervisor = Supervisor {
            store: shop.store,
            method: context.settings.tree_mount,
            place: Place::Foreground {
                terminal: kept.config.tty,
            },
            started: &|| context.phase("command runs"),
            phase: &|what| context.phase(what),
        };
        let result = supervisor.run(&kept);
        if result.is_err() && kept.config.remove {
            // It may not have come so far as to be removed at its end.
            let _ = volume::remove_with_anonymous(shop.store, &kept);
        }
        Ok(result?.0)
    })
}

/// Starts a container in the background.
pub(super) fn in_background(context: &Context, kept: &Kept, viewer: bool) -> Result<(), Failure> {
    let method = context.settings.tree_mount.name();
    match background::start(&context.settings.store, kept, method, viewer)? {
        Ok(()) => Ok(()),
        Err(error) => {
            let mut lines = error.text.lines();
            let mut failure =
                Failure::new(error.code.max(RUN_FAILED), lines.next().unwrap_or_default());
            for line in lines {
                failure = failure.hint(line.strip_prefix("hint: ").unwrap_or(line));
            }
            Err(failure)
        }
    }
}
