//! Probes: does this hold in a booted snapshot?
//!
//! ```text
//! image + packages ──realise::add──> tree ──session──> guest ─┬─ units      started, watched by signals
//!                                                             ├─ network    asked from inside its namespace
//!                                                             └─ claims ─┬─ files, users, packages: its root
//!                                                                        ├─ ports, processes, mounts: the kernel
//!                                                                        ├─ http, dns, addr: as network
//!                                                                        └─ commands: transient units
//!                                                       checks that fail ──evidence──> Probed
//! ```
//!
//! Checks start as soon as the guest's PID 1 answers; the rest of its boot goes on meanwhile. No
//! tool of the image is needed but systemd.

mod accounts;
mod change;
mod claims;
mod dns;
mod evidence;
mod file;
mod http;
mod mounts;
mod network;
mod observed;
mod outcome;
mod privileges;
mod processes;
mod purge;
mod resolver;
mod session;
mod sockets;
mod units;
mod view;

pub use evidence::Evidence;
pub use outcome::{Outcome, Probed};
pub use privileges::{Privileged, privileged};
pub use purge::Purge;
pub use session::{Limits, Plan, Seen, Stage, probe};
