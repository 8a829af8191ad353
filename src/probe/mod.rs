//! Probes: does this hold in a booted snapshot?
//!
//! ```text
//! image + packages ──realise::add──> tree ──session──> guest ─┬─ unit      started, watched by signals
//!                                                             ├─ network   asked from inside its namespace
//!                                                             ├─ file      looked at through its root
//!                                                             └─ command   run as a transient unit
//!                                                       checks that fail ──evidence──> Probed
//! ```
//!
//! Checks start as soon as the guest's PID 1 answers; the rest of its boot goes on meanwhile. No
//! tool of the image is needed but systemd.

mod check;
mod evidence;
mod network;
mod outcome;
mod session;

pub use check::{Address, BadAddress, Check, Scheme, unit_name};
pub use outcome::{Evidence, Outcome, Probed};
pub use session::{Limits, Seen, probe};
