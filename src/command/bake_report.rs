//! What `racker bake` says at its end.

use serde::Serialize;

use super::Context;
use crate::failure::{Failure, NOT_REPRODUCIBLE};
use crate::provision::normalise::{Likely, Reason};
use crate::realise::{Baked, Unequal};
use crate::ui::file_line;

/// A baked image in JSON.
#[derive(Serialize)]
struct Document<'a> {
    name: String,
    tree_id: racker_store::TreeId,
    steps: usize,
    made: usize,
    /// Of `--check`: steps that came out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    unequal: Option<&'a [Unequal]>,
}

/// Shows what came of each recipe; an error if one failed, or came out otherwise.
pub(super) fn report(
    context: &Context,
    results: Vec<Result<Baked, Failure>>,
    checked: bool,
    as_json: bool,
) -> Result<u8, Failure> {
    let (mut baked, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => baked.push(one),
            Err(failure) => failures.push(failure),
        }
    }
    if as_json {
        let documents: Vec<_> = baked
            .iter()
            .map(|baked| Document {
                name: crate::image::short(&baked.image.name),
                tree_id: baked.image.tree,
                steps: baked.steps,
                made: baked.made,
                unequal: checked.then_some(&baked.unequal),
            })
            .collect();
        context.ui.json(&documents)?;
    } else {
        for baked in &baked {
            let name = crate::image::short(&baked.image.name);
            context.ui.data(format!("{name} {}", baked.image.tree))?;
        }
    }
    let unequal: Vec<&Unequal> = baked.iter().flat_map(|baked| &baked.unequal).collect();
    if !unequal.is_empty() {
        if !as_json {
            for unequal in &unequal {
                show(context, unequal)?;
            }
        }
        failures.push(not_reproducible(&unequal));
    }
    let Some(last) = failures.pop() else {
        return Ok(0);
    };
    for failure in failures {
        context.ui.error(failure.render());
    }
    Err(last)
}

fn show(context: &Context, unequal: &Unequal) -> Result<(), Failure> {
    let ui = &context.ui;
    ui.data("")?;
    let impure = if unequal.impure {
        ", which uses the network"
    } else {
        ""
    };
    ui.data(format!("{}{impure}", unequal.step))?;
    ui.data(format!("  recorded {}", unequal.recorded))?;
    ui.data(format!("  made now {}", unequal.made))?;
    for finding in &unequal.files {
        ui.data(format!("  {}", file_line(&finding.file)))?;
        if let Some(likely) = finding.likely {
            ui.data(format!("      rule {}", rule_line(likely)))?;
        }
    }
    Ok(())
}

fn rule_line(likely: Likely) -> String {
    let why = match likely.reason {
        Reason::SwitchedOff => "would cover it, but the recipe switches it off",
        Reason::OtherSteps => "would cover it, but is not applied after steps like this",
        Reason::NotCovered => "is for such things, but does not cover this one",
    };
    format!("{} {why}", likely.rule)
}

fn not_reproducible(unequal: &[&Unequal]) -> Failure {
    let steps: Vec<&str> = unequal.iter().map(|it| &*it.step).collect();
    let mut failure = Failure::new(
        NOT_REPRODUCIBLE,
        format!("not reproducible: {}", steps.join(", ")),
    );
    if unequal.iter().any(|it| it.impure) {
        failure = failure.hint("network = true takes what the network gives; fetch what can be");
    }
    let all = || unequal.iter().flat_map(|it| &it.files);
    if all().any(|it| it.likely.is_some_and(|it| it.reason == Reason::SwitchedOff)) {
        failure = failure.hint(
            "a rule that `normalise` of the recipe switches off is on again without its name there",
        );
    }
    if all().any(|it| it.likely.is_none_or(|it| it.reason != Reason::SwitchedOff)) {
        failure = failure.hint(
            "what no rule covers is for the step to remove, or to write without times, random \
             numbers and the order of directories",
        );
    }
    failure
}
