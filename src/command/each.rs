//! Doing something to each of several containers, as docker's verbs do: what went well is printed,
//! what did not is said, and the exit code tells whether anything failed.

use racker_store::Store;

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::{Kept, Yard};

/// Does `work` to the containers of these names; its answer is printed, the name as given else.
pub(super) fn each(
    context: &Context,
    names: &[String],
    work: impl Fn(&Store, &Kept) -> Result<Option<String>, Failure>,
) -> Result<u8, Failure> {
    let store = context.store()?;
    let yard = Yard::of(&store);
    let mut code = 0;
    for name in names {
        let result = yard
            .find(name)
            .map_err(Failure::from)
            .and_then(|kept| work(&store, &kept));
        match result {
            Ok(answer) => context.ui.data(answer.as_deref().unwrap_or(name))?,
            Err(failure) => {
                context.ui.error(failure.render());
                code = FAILED;
            }
        }
    }
    Ok(code)
}
