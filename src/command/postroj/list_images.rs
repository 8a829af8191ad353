//! `postroj list-images`

use super::Context;
use crate::failure::Failure;
use crate::recipe;

pub(super) fn run(context: &Context) -> Result<u8, Failure> {
    let labels: Vec<&str> = recipe::listed().iter().map(|it| it.label).collect();
    context.ui.json(&labels)?;
    Ok(0)
}
