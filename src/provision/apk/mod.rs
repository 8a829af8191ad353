//! apk: Alpine and what is made of it, with indices and packages of version 2 of the format.
//!
//! Written from the documentation and the sources of apk-tools 2.14 and 3.0; *no apk was at hand to
//! try it with*.
//!
//! `resolve` asks the image's own apk what it would install; `index` knows what repositories say of
//! the packages; `install` installs by name from a repository of exactly the locked files, so that
//! `/etc/apk/world` gets what the step names and nothing else.
//!
//! An index tells a package by the SHA-1 of its control segment, which has the SHA-256 of its data
//! (`package`). So a package must be fetched before the lock can say what it is.

mod change;
mod explain;
mod index;
mod install;
mod package;
mod resolve;

pub use explain::explain;
pub use index::Indices;
pub use package::ApkFile;

use std::path::Path;

use super::{Error, Exchange, Fetched, Job, PackageManager, Request, Resolution, Result};
use crate::package::Manager;

/// How every script begins.
const COMMON: &str = include_str!("common.sh");

/// Alpine's package manager.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apk;

impl PackageManager for Apk {
    fn manager(&self) -> Manager {
        Manager::Apk
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
        let indices = Indices::read(exchange)?;
        Ok(Resolution {
            packages: indices.packages(),
            date: indices.date().unwrap_or_default(),
            metadata: indices.digest(),
        })
    }

    fn identity(&self, file: &Path) -> Result<String> {
        Ok(ApkFile::read(file)?.identity)
    }
}
