//! Recipes: TOML text to values, with messages that point into the text.
//!
//! ```text
//! FILE.toml ──parse──▶ Recipe ──from = another──▶ Recipe ──…──▶ base
//!                         └───────────── Chain, oldest first ─────────┘
//! ```
//!
//! Everything here is a value made of text: nothing is read but the recipe files themselves, and
//! whether a source, an image or a package exists is for others to find out. A recipe that was
//! loaded is complete: arguments are expanded, defaults filled in, every value checked for its form.
//! All mistakes of a file are reported together; a chain stops at the first file with mistakes.

mod args;
mod chain;
mod check;
mod curated;
mod diagnostics;
mod error;
mod fields;
mod from;
mod image;
mod mode;
mod name;
mod owner;
mod parse;
mod parse_parts;
mod parse_step;
mod probe;
mod problem;
mod reader;
#[expect(
    clippy::module_inception,
    reason = "the module is named for its main noun"
)]
mod recipe;
mod schema;
mod span_of_time;
mod step;
#[cfg(test)]
mod tests;

use crate::suggest;

pub use self::chain::{Chain, MAX_DEPTH, MAX_SIZE, load, load_curated};
pub use self::curated::{Curated, all, curated, listed};
pub use self::diagnostics::{Diagnostic, Diagnostics, Source, Span};
pub use self::error::Error;
pub(crate) use self::from::is_url;
pub use self::from::{Bootstrap, Distribution, From, Location};
pub use self::image::ImageConfig;
pub use self::mode::Mode;
pub use self::name::check_name;
pub use self::owner::Owner;
pub use self::parse::{Context, parse};
pub use self::probe::Probe;
pub use self::problem::Problem;
pub use self::recipe::{Origin, Places, Recipe};
pub use self::schema::schema;
pub use self::span_of_time::parse_duration;
pub use self::step::{CopyStep, FetchStep, PackagesStep, Preseed, RunStep, Step, UnitsStep};
