//! `racker port`

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::Yard;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container
    container: String,
    /// Port of the container alone
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let kept = Yard::of(&context.store()?).find(&args.container)?;
    let (status, state) = kept.status()?;
    let mut found = false;
    for port in state.ports.iter().filter(|_| status.runs()) {
        let inner = format!("{}/{}", port.container, port.protocol);
        match &args.port {
            Some(wanted) if *wanted != inner && format!("{wanted}/tcp") != inner => {}
            Some(_) => {
                found = true;
                context.ui.data(port.outer())?;
            }
            None => context.ui.data(format!("{inner} -> {}", port.outer()))?,
        }
    }
    match &args.port {
        Some(port) if !found => Err(Failure::new(
            FAILED,
            format!("no public port '{port}' published for {}", args.container),
        )),
        _ => Ok(0),
    }
}
