//! `racker network`

use serde_json::{Value, json};

use super::Context;
use crate::container::network::{DEFAULT, Network, Networks};
use crate::failure::{FAILED, Failure};
use crate::ui::{Column, Wish};

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
    Ls {
        /// Show names alone
        #[arg(short, long = "names")]
        quiet: bool,
        /// Show by a Go template, `table TEMPLATE`, or `json`
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
    },
    /// Show everything about networks
    Inspect {
        /// Networks
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Remove networks
    #[command(alias = "remove")]
    Rm {
        /// Networks
        #[arg(required = true)]
        names: Vec<String>,
    },
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
        Verb::Ls { quiet, format } => {
            let rows: Vec<Value> = networks.all()?.iter().map(row).collect();
            let wish = Wish {
                only: quiet.then_some("Name"),
                format: format.as_deref(),
            };
            context.ui.listing(&rows, &COLUMNS, wish)?;
        }
        Verb::Inspect { names } => {
            let found = names
                .iter()
                .map(|name| need(&networks, name).map(|it| row(&it)));
            context.ui.json(&found.collect::<Result<Vec<_>, _>>()?)?;
        }
        Verb::Rm { names } => {
            for name in names {
                let network = need(&networks, name)?;
                if let Some(id) = network.members.keys().next() {
                    return Err(Failure::new(
                        FAILED,
                        format!("network {name} is in use by container {id}"),
                    ));
                }
                networks.remove(&network)?;
                context.ui.data(name)?;
            }
        }
        Verb::Prune { force } => {
            if !force
                && !super::prune::confirmed("This will remove all networks that nobody is in.")?
            {
                return Ok(0);
            }
            for network in networks.all()? {
                if network.members.is_empty() && network.name != DEFAULT {
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
    if matches!(name, "none" | "host" | "bridge" | "default" | DEFAULT) {
        return Err(Failure::new(
            FAILED,
            format!("network name {name} is racker's own"),
        ));
    }
    if !plain || !first {
        return Err(Failure::new(
            FAILED,
            format!("invalid network name {name:?}"),
        ));
    }
    Ok(())
}

fn need(networks: &Networks, name: &str) -> Result<Network, Failure> {
    networks
        .find(name)?
        .ok_or_else(|| Failure::new(FAILED, format!("network {name} not found")))
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
