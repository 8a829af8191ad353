//! The install phase: by name, from the synthetic repository, without a network.

use std::fs;

use super::write;
use crate::provision::job::{environment, shell};
use crate::provision::rpmmd::{Repository, document, local, pinned};
use crate::provision::{Error, Exchange, Fetched, Job, Network, Request, Result};

const SCRIPT: &str = include_str!("install.sh");

/// The job that changes the tree; writes the repository into the exchange directory.
pub(super) fn job(
    request: &Request,
    packages: &[Fetched],
    epoch: i64,
    exchange: &Exchange,
) -> Result<Job> {
    request.validate()?;
    let files = request.files.iter().map(|it| local(it));
    let files = files.collect::<Result<Vec<_>>>()?;
    Repository { epoch }.write_parts(&exchange.fresh("repo")?, packages, &files)?;
    let mut install = pinned(request, packages);
    for file in &files {
        let package = &file.package;
        let name = format!("{}.{}", package.name, package.arch);
        install.push((name, Some(package.version.clone())));
    }
    let directory = exchange.fresh("install")?;
    write(&directory, &document(request, &install, &[]))?;
    let spared = request.spared.iter().flat_map(|path| [path, "\n"]);
    for (name, content) in [
        ("spared", spared.collect()),
        ("finish.sh", request.finish.clone()),
    ] {
        let path = directory.join(name);
        fs::write(&path, content).map_err(Error::io(&path))?;
    }
    let mut env: Vec<(&str, &str)> = request
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    env.extend([("PYTHONHASHSEED", "0"), ("SYSTEMD_OFFLINE", "1")]);
    Ok(Job {
        argv: shell(SCRIPT, []),
        env: environment(Some(epoch), &env),
        binds: vec![exchange.bind()],
        network: if request.network {
            Network::Host
        } else {
            Network::None
        },
    })
}
