//! `racker volume`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Context;
use crate::container::slot::random_id;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::volume::{self, Volume};
use crate::ui::{Column, Wish};
use racker_store::Store;

const COLUMNS: [Column; 2] = [("DRIVER", "Driver"), ("VOLUME NAME", "Name")];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a volume
    Create {
        /// Say something of it
        #[arg(long, value_name = "NAME[=VALUE]")]
        label: Vec<String>,
        /// Its name; a random one where none is given
        name: Option<String>,
    },
    /// List volumes
    #[command(alias = "list")]
    Ls {
        /// Show names alone
        #[arg(short, long = "names")]
        quiet: bool,
        /// Show by a Go template, `table TEMPLATE`, or `json`
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
    },
    /// Show everything about volumes
    Inspect {
        /// Volumes
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Remove volumes
    #[command(alias = "remove")]
    Rm {
        /// Be content with those that are not there
        #[arg(short, long)]
        force: bool,
        /// Volumes
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Remove anonymous volumes that no container uses
    Prune {
        /// Those with a name too
        #[arg(short, long)]
        all: bool,
        /// Do not ask
        #[arg(short, long)]
        force: bool,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    match &args.verb {
        Verb::Create { label, name } => {
            let labels: BTreeMap<String, String> = label
                .iter()
                .map(|text| text.split_once('=').unwrap_or((text, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let random = || random_id().map_err(|it| Failure::new(FAILED, it.to_string()));
            let anonymous = name.is_none();
            let name = name.clone().map_or_else(random, Ok)?;
            volume::create(&store, &name, labels, anonymous)?;
            context.ui.data(name)?;
        }
        Verb::Ls { quiet, format } => {
            let all = volume::all(&store)?;
            let rows: Vec<Value> = all.iter().map(|it| document(&store, it)).collect();
            let wish = Wish {
                only: quiet.then_some("Name"),
                format: format.as_deref(),
            };
            context.ui.listing(&rows, &COLUMNS, wish)?;
        }
        Verb::Inspect { names } => {
            let found = names
                .iter()
                .map(|name| need(&store, name).map(|it| document(&store, &it)));
            context.ui.json(&found.collect::<Result<Vec<_>, _>>()?)?;
        }
        Verb::Rm { force, names } => {
            for name in names {
                match volume::find(&store, name)? {
                    Some(volume) => volume::remove(&store, &volume)?,
                    None if *force => {}
                    None => drop(need(&store, name)?),
                }
                context.ui.data(name)?;
            }
        }
        Verb::Prune { all, force } => {
            let which = if *all { "all" } else { "anonymous" };
            let warning = format!("This will remove {which} volumes that no container uses.");
            if !force && !super::prune::confirmed(&warning)? {
                return Ok(0);
            }
            for volume in volume::all(&store)? {
                if (*all || volume.anonymous) && volume::users(&store, &volume.name)?.is_empty() {
                    volume::remove(&store, &volume)?;
                    context.ui.data(&volume.name)?;
                }
            }
        }
    }
    Ok(0)
}

fn need(store: &Store, name: &str) -> Result<Volume, Failure> {
    volume::find(store, name)?
        .ok_or_else(|| Failure::new(FAILED, format!("no such volume: {name}")))
}

fn document(store: &Store, volume: &Volume) -> Value {
    json!({
        "Driver": "local",
        "Name": volume.name,
        "Mountpoint": volume.data(store),
        "Labels": volume.labels,
        "Anonymous": volume.anonymous,
        "Scope": "local",
    })
}
