//! What recipes mean, and what is said about mistaken ones.

mod chains;
mod good;
mod mistakes;
mod shipped;

use std::path::PathBuf;

use super::{Context, Diagnostics, Origin, Recipe, Source, parse};

/// Parses a text as `web.toml`.
fn read(text: &str) -> Result<Recipe, Diagnostics> {
    let source = Source::new("web.toml", text);
    let origin = Origin::Path(PathBuf::from("web.toml"));
    parse(
        &source,
        Context {
            origin,
            directory: PathBuf::from("."),
            default_name: "web",
            sets: &[],
        },
    )
}

/// Renders what is said about a text.
#[track_caller]
fn mistakes(text: &str) -> String {
    read(text)
        .expect_err("the recipe has a mistake")
        .to_string()
}

/// Parses one step.
fn step(text: &str) -> Result<Recipe, Diagnostics> {
    read(&format!("from = \"scratch\"\n[[step]]\n{text}\n"))
}
