//! A tar archive to a changeset and objects, in one pass.
//!
//! ```text
//! reader -> tap --- every byte ------------------> SHA-256 (a thread of its own) = diff id
//!            |----- all but file bodies ---------> split stream
//!            '-- headers -> records -> entries --> changeset
//!                  bodies <= 1 MiB -> pool of threads -> objects
//!                  larger bodies   -> hashed and written as they pass
//! ```
//!
//! Headers are read here and not by the `tar` crate, for three reasons. It splits PAX records at
//! line ends, but their values are binary (a file capability may hold a line end), and a length
//! it overlooks would shift the whole archive; it knows no PAX sparse files; and a split stream
//! needs to know which bytes are whose. What a path means is decided by
//! [`Changeset`](crate::Changeset) alone: nothing is ever unpacked.

mod header;
mod import;
mod pax;
mod pool;
mod record;
mod sparse;
mod tap;

pub use import::{ImportedTar, Limits};
