//! Containers: a tree, a writable layer over it, and a process in it.
//!
//! ```text
//! ids ─┐
//! cgroup ─┼─> slot (guarded) ─> mount ─> snapshot ─┬─> direct   command under racker's own pid 1
//! guard ─┘                                        └─> guest    init; its PID 1 is asked
//!                                                       ├─> booted   a command as a transient unit
//!                                                       └─> units    units started and watched
//! ```
//!
//! Everything a container holds on the host hangs on its [`slot::Slot`]: a cgroup, a block of ids,
//! a run directory. The mounts live in a private mount namespace and end with its last process. A
//! guard process clears the rest whenever the racker that made it ends, however it ends.
//!
//! nspawn's arguments are made in [`nspawn`] alone.

mod agent;
pub mod boot;
pub mod booted;
pub mod bridge;
mod bus;
pub mod capabilities;
pub mod cgroup;
pub mod direct;
pub mod error;
mod filters;
pub mod guard;
pub mod guest;
pub mod host;
pub mod hosts;
mod ids;
pub mod inside;
mod launch;
pub mod limits;
pub mod machine;
pub mod meeting;
pub mod mount;
pub mod network;
mod notify;
pub mod nspawn;
pub mod pasta;
pub mod ports;
pub mod process;
mod relay;
pub mod root;
mod signals;
pub mod slot;
pub mod snapshot;
pub mod terminal;
pub mod terminal_guard;
mod unit_state;
pub mod units;
pub mod users;
mod wire;

pub use booted::REBOOTED;
pub use error::Error;
pub use guest::Guest;
pub use mount::Method;
pub use process::{Console, Exit, Process, Streams};
pub use root::Root;
pub use snapshot::{Snapshot, Upper, on_own_thread};
