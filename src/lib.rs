//! racker: bakes, runs and probes operating-system images.
//!
//! ```text
//! recipe ─> plan ─> realise ─┬─ provision   a package manager's commands
//!                            ├─ oci         registries, layouts, archives
//!                            └─ container   snapshots, commands in them ─ sys
//! package, rules             words that several of them share
//! image                      what a name on the command line stands for
//! command, ui                the terminal, and nobody else
//! ```
//!
//! `docs/architecture.md` follows one bake and one run through these files.

pub mod command;
pub mod container;
pub mod failure;
pub mod image;
pub mod oci;
pub mod package;
pub mod plan;
pub mod provision;
pub mod realise;
pub mod recipe;
pub mod rules;
pub mod settings;
pub mod sys;
pub mod ui;
