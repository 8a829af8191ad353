//! What is on record about how an image was made: the key documents of its steps, read back.
//!
//! ```text
//! image.layers[n].step_key ─> a realisation of the key ─> its document ─┬─ packages   locked files
//!                                                                       ├─ placed     copied, fetched
//!                                                                       └─ the rest   what was asked
//! ```
//!
//! A step key is the digest of its document, so a document that has another digest is no record of
//! the step: it was changed. Nothing here needs the recipe or its lock, or that they still exist.
//! The fields are those of the table in [`plan::key`](mod@crate::plan::key).

mod error;
mod locked;
mod named;
mod placed;
mod step;

pub use error::Error;
pub use locked::{Locked, locked};
pub use named::{Named, named};
pub use placed::{Origin, Placed, placed};
pub use step::{Step, steps};
