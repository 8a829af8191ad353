//! Repositories of rpm packages, as dnf and zypper know them: "rpm-md".
//!
//! ```text
//! repodata/repomd.xml                which files there are, and their checksums; signed, if any is
//!          ...-primary.xml.gz        the packages: names, versions, checksums, dependencies
//! ```
//!
//! [`Kept`] reads what a package manager downloaded of it. [`Repository`] writes one of exactly the
//! locked files, for an installation without a network: `createrepo_c` is not in images.

mod compressed;
mod describe;
mod installation;
mod kept;
mod primary;
mod repomd;
mod repository;
mod selection;
mod xml;

pub(super) use installation::Installation;
pub(super) use kept::{Kept, Place, Wanted, restore, sha512};
pub(super) use repository::Repository;
pub(super) use selection::{
    document, local, pinned, selectors, show_local, write_hold, write_local,
};
pub(super) use xml::{Seen, attribute, walk};
