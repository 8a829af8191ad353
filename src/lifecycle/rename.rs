//! Giving a container another name.

use super::{Error, Kept, Yard};
use crate::container::machine;

/// Gives a container another name, by which the host's machined knows it from now on too, if it
/// does.
///
/// Errors: another container or machine has the name; then it keeps its own.
pub fn rename(yard: &Yard, kept: &mut Kept, name: &str) -> Result<(), Error> {
    let before = kept.config.name.clone();
    yard.rename(kept, name)?;
    let (from, to) = (machine::name(&before), machine::name(name));
    let (status, state) = kept.status()?;
    let known = kept.config.register && status.runs();
    if !known || from == to {
        return Ok(());
    }
    machine::rename(&from, &to, state.leader).or_else(|error| {
        yard.rename(kept, &before)?;
        Err(error.into())
    })
}
