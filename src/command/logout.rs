//! `racker logout`

use super::Context;
use super::login::registry;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Registry
    #[arg(default_value = "docker.io")]
    registry: String,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let registry = registry(&args.registry)?;
    let registries = context.registries()?;
    let keyring = registries.keyring();
    if keyring.remove(&registry)? {
        context
            .ui
            .data(format!("Removing login credentials for {registry}"))?;
    } else {
        context.ui.say(format!("Not logged in to {registry}"));
    }
    // What another program keeps is not racker's to remove.
    if keyring.find(&registry)?.is_some() {
        context.ui.say(format!(
            "{registry} is still known by another file of docker's or podman's"
        ));
    }
    Ok(0)
}
