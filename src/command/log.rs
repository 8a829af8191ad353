//! `racker log`

use std::fs::File;
use std::io;

use racker_store::Store;

use super::{Context, bake, failed};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::realise;
use crate::subject::parse_step;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Recipe (its last step that has a log), or a step as `plan` names it
    #[arg(value_name = "RECIPE|STEP")]
    what: String,
    /// Print JSON about the log instead of its text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let Some((step, id)) = find(&store, &args.what)? else {
        return Err(failed(format!("no log of {}", args.what))
            .hint("racker plan RECIPE names the steps; only steps that ran something have a log"));
    };
    let path = store.log_path(&id);
    if args.json {
        context
            .ui
            .json(&serde_json::json!({ "step": step, "log": id, "path": path }))?;
        return Ok(0);
    }
    let mut file =
        File::open(&path).map_err(|error| failed(format!("read {}: {error}", path.display())))?;
    io::copy(&mut file, &mut io::stdout().lock())
        .map_err(|error| failed(format!("write output: {error}")))?;
    Ok(0)
}

fn find(store: &Store, what: &str) -> Result<Option<(String, String)>, Failure> {
    if let Some((recipe, place)) = parse_step(what) {
        return newest(store, recipe, place);
    }
    // The steps of a recipe file, or of the recipe that an image was baked from; the last first.
    let steps: Vec<(String, usize)> = match bake::load(what, &[]) {
        Ok(chain) => {
            let plan = Plan::new(&chain);
            plan.steps
                .into_iter()
                .map(|step| (step.recipe, step.place))
                .collect()
        }
        Err(_) => (0..=64).map(|place| (what.to_owned(), place)).collect(),
    };
    for (recipe, place) in steps.iter().rev() {
        if let Some(found) = newest(store, recipe, *place)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn newest(store: &Store, recipe: &str, place: usize) -> Result<Option<(String, String)>, Failure> {
    let id = if place == 0 {
        format!("{recipe}/bootstrap")
    } else {
        format!("{recipe}/{place}")
    };
    Ok(realise::last_log(store, recipe, place)?.map(|log| (id, log)))
}
