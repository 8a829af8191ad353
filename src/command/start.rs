//! `racker start`

use super::Context;
use super::attach;
use super::each::each;
use super::run::in_background;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::Yard;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Show it, and end with its exit code
    #[arg(short, long)]
    attach: bool,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    if args.attach || args.interactive {
        let [name] = &args.containers[..] else {
            return Err(Failure::new(
                FAILED,
                "cannot start and attach multiple containers at once",
            ));
        };
        let kept = Yard::of(&context.store()?).find(name)?;
        if kept.is_supervised() {
            return Err(Failure::new(FAILED, format!("container {name} is running"))
                .hint(format!("racker attach {name}")));
        }
        in_background(context, &kept, true)?;
        return attach::show(&kept, args.interactive);
    }
    each(context, &args.containers, |_, kept| {
        if !kept.is_supervised() {
            in_background(context, kept, false)?;
        }
        Ok(None)
    })
}
