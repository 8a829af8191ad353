//! dnf: Fedora and its kin.
//!
//! dnf 4 is a Python program, and its documented interface in Python tells exactly what would be
//! installed. So both phases run one script (`transaction.py`) under the Python that the image's
//! dnf runs under: `resolve` writes down what the solver chose, `install` does it, from a
//! repository that has nothing else in it. Reasons (what was asked for, what came along) are dnf's
//! own.
//!
//! dnf 5 is no Python program. It is asked by its command line: `--store` writes the transaction
//! down instead of performing it (`stored`). It has not been tried against the real program yet.

mod command;
mod explain;
mod install;
mod resolve;
mod stored;

use std::path::Path;

use super::rpmmd::{Kept, sha512};
use super::{Error, Exchange, Fetched, Job, PackageManager, Request, Resolution, Result};
use crate::package::Manager;

/// Fedora's package manager.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dnf;

const SCRIPT: &str = include_str!("transaction.py");
/// How every script begins.
const FIVE: &str = include_str!("five.sh");

impl PackageManager for Dnf {
    fn manager(&self) -> Manager {
        Manager::Dnf
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

/// What both shell scripts are given: options, and the command line of dnf 5.
fn arguments(request: &Request, command: Vec<String>) -> Vec<String> {
    let weak = if request.recommends { "True" } else { "False" };
    let unsigned = if request.unsigned { "yes" } else { "no" };
    let mut all = vec![weak.to_owned(), unsigned.to_owned()];
    all.extend(command);
    all
}

/// Writes the script and what it is told into a phase's directory.
fn write(directory: &Path, request: &serde_json::Value) -> Result<()> {
    for (name, content) in [
        ("transaction.py", SCRIPT.to_owned()),
        ("request.json", request.to_string()),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, content).map_err(Error::io(&path))?;
    }
    Ok(())
}
