//! `racker rm`

use super::Context;
use super::each::each;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::{Error, Yard, events, stop, volume};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Kill those that run, and be content with those that are not there
    #[arg(short, long)]
    force: bool,
    /// Remove the volumes that belong to them alone
    #[arg(short, long)]
    volumes: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let yard = Yard::of(&store);
    let mut names = Vec::new();
    for name in &args.containers {
        match yard.find(name) {
            Err(Error::NoSuch(_)) if args.force => {}
            Err(Error::Damaged { .. }) if args.force && yard.remove_damaged(name)? => {
                context.ui.data(name)?;
            }
            _ => names.push(name.clone()),
        }
    }
    each(context, &names, |store, kept| {
        if args.force && kept.is_supervised() {
            stop::signal(store, kept, libc::SIGKILL)?;
        }
        let removed = if args.volumes {
            volume::remove_with_anonymous(store, kept)
        } else {
            Yard::of(store).remove(kept)
        };
        match removed {
            // It had `--rm`.
            Err(Error::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound && args.force => {}
            Err(Error::Running(name)) => {
                return Err(Failure::new(
                    FAILED,
                    format!("cannot remove container {name}: container is running"),
                )
                .hint("stop the container before removal or force remove (-f)"));
            }
            other => other?,
        }
        events::put(store, &kept.config, "destroy", &[]);
        Ok(None)
    })
}
