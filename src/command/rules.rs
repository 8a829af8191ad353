//! `racker rules`

use super::Context;
use crate::failure::Failure;
use crate::provision::normalise::RULES;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    if args.json {
        context.ui.json(&RULES)?;
        return Ok(0);
    }
    let mut table = Table::new(["RULE", "VERSION", "WHAT IT DOES"]);
    for rule in RULES {
        table.row([
            rule.name.to_owned(),
            rule.version.to_string(),
            rule.does.to_owned(),
        ]);
    }
    for line in table.lines() {
        context.ui.data(line)?;
    }
    Ok(0)
}
