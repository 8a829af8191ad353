//! `racker volume`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Context;
use super::named::{Listing, Names, need};
use crate::container::slot::random_id;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::volume::{self, Volume};
use crate::ui::Column;
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
    Ls(Listing),
    /// Show everything about volumes
    Inspect(Names),
    /// Remove volumes
    #[command(alias = "remove")]
    Rm {
        /// Be content with those that are not there
        #[arg(short, long)]
        force: bool,
        #[command(flatten)]
        names: Names,
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
        Verb::Ls(listing) => {
            let all = volume::all(&store)?;
            let rows: Vec<Value> = all.iter().map(|it| document(&store, it)).collect();
            listing.show(context, &rows, &COLUMNS)?;
        }
        Verb::Inspect(names) => {
            names.inspect(context, |name| Ok(document(&store, &find(&store, name)?)))?;
        }
        Verb::Rm { force, names } => names.each(context, |name| {
            if *force && volume::find(&store, name)?.is_none() {
                return Ok(());
            }
            Ok(volume::remove(&store, &find(&store, name)?)?)
        })?,
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

fn find(store: &Store, name: &str) -> Result<Volume, Failure> {
    need(volume::find(store, name)?, || {
        format!("no such volume: {name}")
    })
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
