//! What a command line asks of a container: docker's options, one meaning each.
//!
//! ```text
//! options ─┐   ┌─ image, mounts, network, rights, health ─┐
//! values   ├──>│                                          ├──> config: what the container is to be
//! refused ─┘   └─ command, environment, labels ───────────┘
//! ```

mod command;
mod config;
mod health;
mod image;
#[cfg(test)]
mod line;
mod mounted;
mod mounts;
mod network;
mod options;
mod refused;
mod rights;
pub(super) mod values;
mod what;

pub(super) use config::{create, settle};
pub(super) use options::{Options, Systemd};
pub(super) use what::What;
