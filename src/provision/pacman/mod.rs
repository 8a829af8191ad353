//! pacman: Arch and what is made of it.
//!
//! `resolve` asks the image's own pacman for a solution and `databases` knows what its repositories
//! say of the packages; `repository` turns the fetched files into repositories that have nothing
//! else in them; `install` installs from those by name, which keeps apart what was asked for and
//! what came along.
//!
//! pacman installs what is newest and knows no other version. What is installed already stays as it
//! is, unless the solution needs another version of it: as with `pacman -Sy NAME`, and with its
//! danger where the image is older than the repositories.

mod archive;
mod configuration;
mod databases;
mod desc;
mod explain;
mod install;
mod pkginfo;
mod repository;
mod resolve;

pub use databases::Databases;
pub use explain::explain;
pub use pkginfo::PackageInfo;

use super::{Error, Exchange, Fetched, Job, PackageManager, Request, Resolution, Result};
use crate::package::Manager;

/// How every script begins.
const COMMON: &str = include_str!("common.sh");

/// Arch's package manager.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacman;

impl PackageManager for Pacman {
    fn manager(&self) -> Manager {
        Manager::Pacman
    }

    fn resolve(&self, request: &Request, exchange: &Exchange) -> Result<Job> {
        resolve::job(request, exchange)
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

    fn explain(&self, output: &str) -> Error {
        explain(output)
    }

    fn known(&self, exchange: &Exchange) -> Result<Resolution> {
        let databases = Databases::read(exchange)?;
        Ok(Resolution {
            packages: databases.packages(),
            date: databases.date().unwrap_or_default(),
            metadata: databases.digest(),
        })
    }
}
