//! The install phase: by name, from the synthetic repository, without a network.

use super::{FIVE, arguments, command, write};
use crate::provision::job::shell;
use crate::provision::rpmmd::{Installation, document, pinned};
use crate::provision::{Exchange, Fetched, Job, Request, Result};

const SCRIPT: &str = include_str!("install.sh");

/// The job that changes the tree; writes the repository into the exchange directory.
pub(super) fn job(
    request: &Request,
    packages: &[Fetched],
    epoch: i64,
    exchange: &Exchange,
) -> Result<Job> {
    let installation = Installation::write(request, packages, epoch, exchange)?;
    let mut install = pinned(request, packages);
    install.extend(installation.local());
    let document = document(request, &install, &[]);
    write(&exchange.host().join("install"), &document)?;
    let command = command::arguments(request, &install, &[]);
    let argv = shell(&[FIVE, SCRIPT].concat(), arguments(request, command));
    Ok(installation.job(argv, &[("PYTHONHASHSEED", "0")]))
}
