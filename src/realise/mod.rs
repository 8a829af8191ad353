//! Realising a plan: recipes in, an image in the store out.
//!
//! ```text
//! chain ─> bake ─┬─ base     what the first step starts from
//!                └─ step ────┬─ packages, bootstrap   resolve ─> fetch ─> install
//!    key known: cached       ├─ run, units            a command in a snapshot
//!    else: make, normalise,  └─ copy, fetch           files put into the tree
//!          record
//! ```
//!
//! This is where recipes, registries, package managers and containers meet; each of those knows
//! nothing of the others.

mod added;
mod archives;
mod bake;
mod base;
mod bootstrap;
mod cache;
mod check;
mod error;
mod fetch;
mod files;
mod guest;
mod image;
mod last_log;
mod metadata;
mod outcome;
mod packages;
mod place;
mod prospect;
mod report;
mod run;
mod settle;
mod share;
mod step;
mod verify_lock;
mod workshop;

pub use added::{Added, Addition, Ready, add, is_file, ready};
pub use bake::{Baked, Options, Update, bake, complete};
pub use base::HIDDEN;
pub use check::{Finding, Unequal};
pub use error::Error;
pub use guest::process;
pub use last_log::last_log;
pub use prospect::{Prospect, prospect};
pub use report::{Event, Reporter};
pub use verify_lock::{LockReport, WrongEntry, verify_lock};
pub use workshop::Workshop;
