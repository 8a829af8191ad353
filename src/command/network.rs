//! `racker network`

use serde_json::{Value, json};

use super::Context;
use super::named::{Listing, Names, need};
use crate::container::network::{DEFAULT, Network, Networks};
use crate::failure::{FAILED, Failure};
use crate::lifecycle::config::PASTA_NETWORK;
use crate::ui::Column;

const COLUMNS: [Column; 3] = [
    ("NAME", "Name"),
    ("SUBNET", "Subnet"),
    ("CONTAINERS", "Containers"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a network, in which containers find each other by name
    Create {
        /// Its name
        name: String,
        /// Without a way out
        #[arg(long)]
        internal: bool,
    },
    /// List networks
    #[command(alias = "list")]
    Ls(Listing),
    /// Show everything about networks
    Inspect(Names),
    /// Remove networks
    #[command(alias = "remove")]
    Rm(Names),
    /// Remove networks that nobody is in
    Prune {
        /// Do not ask
        #[arg(short, long)]
        force: bool,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    crate::container::slot::require_root()?;
    let networks = Networks::lock()?;
    match &args.verb {
        Verb::Create { name, internal } => {
            check(name)?;
            if networks.find(name)?.is_some() {
                return Err(Failure::new(
                    FAILED,
                    format!("network with name {name} already exists"),
                ));
            }
            networks.create(name, *internal)?;
            context.ui.data(name)?;
        }
        Verb::Ls(listing) => {
            let rows: Vec<Value> = networks.all()?.iter().map(row).collect();
            listing.show(context, &rows, &COLUMNS)?;
        }
        Verb::Inspect(names) => names.inspect(context, |name| Ok(row(&find(&networks, name)?)))?,
        Verb::Rm(names) => names.each(context, |name| {
            not_own(name)?;
            let network = find(&networks, name)?;
            if let Some(id) = network.user() {
                return Err(Failure::new(
                    FAILED,
                    format!("network {name} is in use by container {id}"),
                ));
            }
            Ok(networks.remove(&network)?)
        })?,
        Verb::Prune { force } => {
            if !force
                && !super::prune::confirmed("This will remove all networks that nobody is in.")?
            {
                return Ok(0);
            }
            for network in networks.all()? {
                if network.user().is_none() && network.name != DEFAULT {
                    networks.remove(&network)?;
                    context.ui.data(&network.name)?;
                }
            }
        }
    }
    Ok(0)
}

/// Names that mean something else, or are no file's name.
fn check(name: &str) -> Result<(), Failure> {
    let plain = name
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || b"_.-".contains(&it));
    let first = name
        .bytes()
        .next()
        .is_some_and(|it| it.is_ascii_alphanumeric());
    not_own(name)?;
    if !plain || !first {
        return Err(Failure::new(
            FAILED,
            format!("invalid network name {name:?}"),
        ));
    }
    Ok(())
}

/// That a name is none of those that networks of racker's own have.
fn not_own(name: &str) -> Result<(), Failure> {
    let own = [DEFAULT, PASTA_NETWORK, "none", "host", "bridge", "default"];
    if own.contains(&name) {
        return Err(
            Failure::new(FAILED, format!("network name {name} is racker's own"))
                .hint("such can neither be created nor removed"),
        );
    }
    Ok(())
}

fn find(networks: &Networks, name: &str) -> Result<Network, Failure> {
    need(networks.find(name)?, || format!("network {name} not found"))
}

fn row(network: &Network) -> Value {
    let members: Vec<Value> = network
        .members
        .iter()
        .map(|(id, it)| json!({ "ID": id, "Name": it.names.first(), "Address": it.address }))
        .collect();
    json!({
        "Name": network.name,
        "Subnet": network.subnet(),
        "Gateway": network.gateway(),
        "Interface": network.bridge(),
        "Internal": network.internal,
        "Containers": members.len(),
        "Members": members,
    })
}
