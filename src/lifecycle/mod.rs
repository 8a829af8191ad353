//! Containers from their making to their removal, as docker's users know them.
//!
//! ```text
//! config ──> kept (a directory in the store) <── yard: all of them
//!              │ lock
//!              v
//!          supervise ──> container part: snapshot, direct or booted
//!           │     ├─ surroundings   files, volumes, devices, name servers
//!           │     ├─ connection     its way out, ports that lead in
//!           │     ├─ log, attach    what it writes, who looks at it
//!           │     └─ checks         health
//!           └─ background           a supervisor of its own
//!
//! exec, stop   work on a container that somebody else supervises
//! testbed      one after the other, each on a thread of this process
//! ```
//!
//! No daemon: a container is held by the racker that shows it, or by a supervisor of its own, and
//! whether it runs is asked of a lock that dies with them.

pub mod attach;
pub mod background;
pub mod changes;
mod checks;
pub mod config;
mod connection;
pub mod copy;
mod error;
pub mod events;
pub mod exec;
pub mod health;
mod kept;
pub mod log;
mod name;
mod pids;
pub mod process;
pub mod rename;
pub mod state;
pub mod stop;
pub mod supervise;
mod surroundings;
pub mod testbed;
pub mod usage;
pub mod volume;
mod yard;

pub use config::Config;
pub use error::Error;
pub use kept::{Held, Kept};
pub use state::{State, Status};
pub use supervise::{Place, Supervisor};
pub use testbed::Testbeds;
pub use yard::Yard;

use crate::container;
use crate::failure::{NOT_EXECUTABLE, NOT_FOUND, RUN_FAILED};

/// Docker's exit code for an error of starting a command.
pub fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Container(container::Error::CommandNotFound(_)) => NOT_FOUND,
        Error::Container(container::Error::CommandDenied(_)) => NOT_EXECUTABLE,
        _ => RUN_FAILED,
    }
}
