//! What can be checked of a booted guest, as values.
//!
//! ```text
//! options ──────────────────────┐
//! [probe] of a recipe ──> Node ─┼─> Check ─┬─ Unit       it can be started and stays so
//! goss.yaml ──yaml──────> Node ─┘          ├─ Network    it answers
//!                                          └─ Claim      a thing, and what must hold of it
//! ```
//!
//! A claim speaks goss's language: its kinds of things, their properties and the matchers. What
//! there is of it stands in one table ([`Kind`]), by which files are read, the schema is made and
//! mistakes are found. Everything here is made of text; looking at a guest is [`probe`](crate::probe)'s.

mod address;
#[expect(
    clippy::module_inception,
    reason = "the module is named for its main noun"
)]
mod check;
mod expected;
mod kind;
mod matching;
mod node;
mod read;
mod subject;
mod yaml;

pub use address::{Address, BadAddress, Scheme};
pub use check::{Check, Claim, concrete_unit, is_unit, unit_name};
pub use expected::{Expected, Pattern, Seen};
pub use kind::{Form, Kind, Property, Setting};
pub use node::{Content, Entry, Mistake, Node};
pub use read::{claims, goss, plain};
pub(crate) use subject::port;
pub use yaml::parse as parse_yaml;
