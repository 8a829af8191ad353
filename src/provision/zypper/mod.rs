//! zypper: SUSE.
//!
//! `resolve` asks the image's own zypper for a dry run, and `summary` reads what it would do;
//! `install` does it, from repositories that have nothing but the locked files in them. Marks of what
//! came along automatically (`/var/lib/zypp/AutoInstalled`) are zypper's own.

mod explain;
mod install;
mod resolve;
mod summary;

use std::path::Path;

use super::rpmmd::{Kept, sha512};
use super::{Error, Exchange, Fetched, Job, PackageManager, Request, Resolution, Result};
use crate::package::Manager;

/// SUSE's package manager.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zypper;

impl PackageManager for Zypper {
    fn manager(&self) -> Manager {
        Manager::Zypper
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
        explain::explain(output)
    }

    fn known(&self, exchange: &Exchange) -> Result<Resolution> {
        Kept::read(exchange)?.everything(exchange)
    }

    fn identity(&self, file: &Path) -> Result<String> {
        sha512(file)
    }
}

/// What both scripts are given: options, and what `zypper install` is asked for. A name with a
/// minus is one that goes.
fn arguments(request: &Request, install: Vec<(String, Option<String>)>) -> Vec<String> {
    let weak = if request.recommends {
        "--recommends"
    } else {
        "--no-recommends"
    };
    let unsigned = if request.unsigned { "yes" } else { "no" };
    let named = |(name, version)| match version {
        Some(version) => format!("{name}={version}"),
        None => name,
    };
    let mut all = vec![weak.to_owned(), unsigned.to_owned()];
    all.extend(install.into_iter().map(named));
    all.extend(request.remove.iter().map(|name| format!("-{name}")));
    all
}
