//! Plans: what a chain of recipes comes to, as plain data, and what identifies each step.
//!
//! ```text
//! Chain ──▶ Plan ──▶ PlannedStep ─┐
//!                       Lock ─────┼──▶ KeyDocument ──BLAKE3──▶ StepKey
//!           tree id of the parent ┤          └── compared with an earlier one ──▶ Why
//!      digests of copied sources ─┘
//! ```
//!
//! Nothing here builds, downloads or mounts. The only reading is that of copied sources, to digest
//! them. A step's key needs the tree that the step before it gave, so keys are computed one by one
//! while a build goes on; a plan alone knows them up to the first step that is not built yet.

pub mod inputs;
pub mod key;
pub mod lock;
mod lock_change;
mod lock_text;
mod planned;
pub mod request;
pub mod why;

pub use self::inputs::{Input, InputKind, Inputs};
pub use self::key::{KeyDocument, Surroundings};
pub use self::lock::{Lock, Section};
pub use self::lock_change::{LockChange, changes};
pub use self::planned::{Action, KeyContext, KeyError, Plan, PlannedStep, key};
pub use self::why::{FieldChange, Why, why};
