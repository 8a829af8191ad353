//! apt: Debian and everything made of it.
//!
//! `resolve` asks the image's own apt for a solution and `uris` reads it; `repository` turns
//! the fetched files into a repository that has nothing else in it; `install` installs from
//! that by name. Installing by name, and not by file, keeps apt's marks of what was asked for and
//! what came along automatically equal to those of an installation from the network.

mod dates;
mod debconf;
mod explain;
pub(crate) mod hold;
mod install;
mod lists;
pub(crate) mod repository;
mod resolve;
mod settings;
pub(crate) mod uris;

mod deb;

pub use dates::parse_date;
pub use deb::Deb;
pub use explain::explain;
pub(crate) use install::{own_like, pinned};
pub use lists::Lists;
pub(super) use repository::field;
pub use repository::{Bodies, Repository};
pub(crate) use resolve::conf as resolve_conf;
pub use settings::Settings;

use super::{Exchange, Fetched, Job, PackageManager, Request, Resolution, Result};
use crate::package::Manager;

/// Debian's package manager.
#[derive(Clone, Debug, Default)]
pub struct Apt {
    /// What this host's apt knows about the network, passed on to the image's.
    pub settings: Settings,
}

impl PackageManager for Apt {
    fn manager(&self) -> Manager {
        Manager::Apt
    }

    fn resolve(&self, request: &Request, exchange: &Exchange) -> Result<Job> {
        resolve::job(request, &self.settings, exchange)
    }

    fn resolution(&self, request: &Request, exchange: &Exchange) -> Result<Resolution> {
        resolve::resolution(request, exchange)
    }

    fn install(
        &self,
        request: &Request,
        packages: &[Fetched],
        epoch: i64,
        exchange: &Exchange,
    ) -> Result<Job> {
        install::job(request, packages, epoch, exchange)
    }

    fn known(&self, exchange: &Exchange) -> Result<Resolution> {
        let lists = Lists::read(exchange)?;
        Ok(Resolution {
            packages: lists.packages(exchange)?,
            date: lists.date().unwrap_or_default(),
            metadata: lists.digest(),
        })
    }

    fn explain(&self, output: &str) -> super::Error {
        explain(output)
    }
}
