//! racker: bakes, runs and probes operating-system images.
//!
//! ```text
//! check                      what can be checked of a guest, as values
//! recipe ─> plan ─> realise ─┬─ provision   a package manager's commands
//!                            ├─ oci         registries, layouts, archives
//!                            └─ container   snapshots, commands in them ─ sys
//! cache                      results of steps in registries, shared by machines
//! installed ─┬─ compare      packages and owners in a tree; what differs between two trees
//! record ────┴─ sbom, provenance   what is in an image; what went into its steps
//! rpm                        headers of rpm packages
//! package, rules, canonical  words and forms that several of them share
//! image, subject             what a name on the command line stands for
//! purl, shown                names of packages, paths as text
//! amount                     sizes and ages as people write them
//! files                      documents replaced at once, ends of logs
//! replace                    files of people, replaced at once
//! command, ui                the terminal, and nobody else
//! ```
//!
//! `docs/architecture.md` follows one bake and one run through these files.

pub mod addition;
mod amount;
pub mod cache;
mod canonical;
pub mod check;
pub mod command;
pub mod compare;
pub mod container;
pub mod failure;
mod files;
pub mod image;
pub mod installed;
pub mod learned;
pub mod lifecycle;
pub mod oci;
pub mod package;
pub mod plan;
pub mod probe;
pub mod provenance;
pub mod provision;
pub mod purl;
pub mod realise;
pub mod recipe;
pub mod record;
mod replace;
mod rpm;
pub mod rules;
pub mod sbom;
pub mod settings;
pub mod shown;
pub mod subject;
mod suggest;
pub mod sys;
pub mod sysext;
pub mod systemd;
pub mod ui;
pub mod uuid;
