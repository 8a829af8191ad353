//! What a command line asks of a container: docker's options, one meaning each.
//!
//! ```text
//! options ─┐
//! values   ├─> config: what the container is to be
//! refused ─┘
//! ```

mod config;
mod options;
mod refused;
pub(super) mod values;

pub(super) use config::{create, settle};
pub(super) use options::{Options, Systemd};
