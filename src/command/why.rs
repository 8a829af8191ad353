//! `racker why`

use super::{Context, plan};
use crate::failure::Failure;

/// The same as `plan` takes.
pub(super) type Args = plan::Args;

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let all = plan::prospects(context, &args)?;
    if args.json {
        context.ui.json(&all)?;
        return Ok(0);
    }
    for prospect in &all {
        let impure = if prospect.impure { " (impure)" } else { "" };
        context
            .ui
            .data(format!("{}: {}{impure}", prospect.id, prospect.summary))?;
        for line in prospect.why.to_string().lines() {
            context.ui.data(format!("    {line}"))?;
        }
        if let Some(place) = &prospect.shared {
            context.ui.data(format!("    in the cache {place}"))?;
        }
    }
    Ok(0)
}
