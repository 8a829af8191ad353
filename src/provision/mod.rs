//! Provisioning: what turns a package step into commands and data.
//!
//! Nothing in here starts a container. A step is described by plain [`Job`]s, which somebody else
//! runs in a snapshot of the step's parent tree, and by files in an [`Exchange`] directory that
//! host and guest share at [`exchange::GUEST`]. The one exception is the resolving half of
//! [`bootstrap`], which asks the host's own apt, because there is no guest yet.
//!
//! A package step goes through three phases, and only the first two see the network:
//!
//! ```text
//! resolve   Job (network)      the image's own package manager solves      -> Resolution
//! fetch     somebody else      files by digest into the store              -> paths
//! install   Repository + Job   synthetic repository, no network at all     -> changed tree
//! ```
//!
//! [`PackageManager`] is the border: one implementation per package manager, found from the files
//! of the tree ([`manager_of`]) and never from the name of an image.
//! [`normalise`] then takes out of the changed tree what differs between two equal runs.

pub mod apk;
pub mod apt;
pub mod archives;
pub mod bootstrap;
pub mod dnf;
pub mod error;
pub mod exchange;
pub mod job;
pub mod manager;
pub mod normalise;
pub mod package;
pub mod pacman;
pub mod removal;
pub mod request;
mod rpmmd;
pub mod tested;
pub mod units;
pub mod zypper;

pub use error::Error;
pub use exchange::Exchange;
pub use job::{Bind, Job, Network};
pub use manager::{PackageManager, implementation, manager_of};
pub use package::{Fetched, Found, Identity, Resolution};
pub use removal::removal;
pub use request::{Request, check_name};
pub use tested::{Tested, tested};
pub use units::has_systemd;

/// The result of everything in this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;
