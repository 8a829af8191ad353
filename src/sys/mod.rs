//! The system calls that no safe wrapper offers; the only place where `unsafe` may appear.
//!
//! Each file holds one capability, each `unsafe` block says why it is sound. Everything else the
//! program asks of the kernel goes through `rustix` and `std`.

mod child;
mod connect;
mod filters;
mod idmap;
mod loop_device;
mod message;
mod namespace;

pub use child::{enter_cgroup, enter_network, ignore_terminal_stops, signal};
pub use connect::connect_inside;
pub use filters::seccomp_filters;
pub use idmap::{IdMap, user_namespace, with_id_map};
pub use loop_device::loop_device;
pub use message::message;
pub use namespace::{network_is_own, private_mounts};
