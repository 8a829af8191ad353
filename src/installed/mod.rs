//! Which packages a tree has, and which of them owns a path: what the databases of package managers
//! say, read through the tree.
//!
//! ```text
//! var/lib/dpkg/status, info/*.list, status.d/     dpkg    ─┐
//! usr/lib/sysimage/rpm/ or var/lib/rpm/            rpm     ─┤   list of packages
//! var/lib/pacman/local/*/{desc,files}              pacman  ─┼─> + owners: path -> package
//! lib/apk/db/installed or usr/lib/apk/db/installed apk     ─┘
//! etc/os-release or usr/lib/os-release             os      ──>  the operating system's names
//! ```
//!
//! Nothing of the tree runs, and none of its paths is opened on the host: a database is a file of
//! the tree and its bytes an object of the store. A tree without any database has no packages; one
//! with several has those of all.
//!
//! An image is not trusted. Every count and length in a database is held against the bytes that
//! are there, what is read of one tree altogether is limited (`files`), and no text keeps a
//! control character (`text`).

mod apk;
mod dpkg;
mod error;
mod files;
mod listing;
mod os;
mod owners;
mod package;
mod pacman;
mod rpm;
mod rpm_database;
mod stanza;
mod text;

pub use error::Error;
pub(crate) use files::Files;
pub use listing::Installed;
pub use os::Os;
pub use package::{Database, Package, Source};
pub(crate) use rpm::package as rpm_package;
