//! The install phase, as far as it is the same for every package manager of rpm packages.

use std::ffi::OsString;
use std::fs;

use super::Repository;
use super::selection::local;
use crate::provision::job::environment;
use crate::provision::{Error, Exchange, Fetched, Job, Network, Request, Result};

/// An installation whose repository is written.
#[derive(Debug)]
pub(in super::super) struct Installation<'a> {
    request: &'a Request,
    epoch: i64,
    exchange: &'a Exchange,
    files: Vec<Fetched>,
}

impl<'a> Installation<'a> {
    /// Writes the repositories, and what the end of the script needs, into `install/`.
    pub(in super::super) fn write(
        request: &'a Request,
        packages: &[Fetched],
        epoch: i64,
        exchange: &'a Exchange,
    ) -> Result<Self> {
        request.validate()?;
        let files = request.files.iter().map(|it| local(it));
        let files = files.collect::<Result<Vec<_>>>()?;
        Repository { epoch }.write_parts(&exchange.fresh("repo")?, packages, &files)?;
        let directory = exchange.fresh("install")?;
        let spared = request.spared.iter().flat_map(|path| [path, "\n"]);
        for (name, content) in [
            ("spared", spared.collect()),
            ("finish.sh", request.finish.clone()),
        ] {
            let path = directory.join(name);
            fs::write(&path, content).map_err(Error::io(&path))?;
        }
        Ok(Self {
            request,
            epoch,
            exchange,
            files,
        })
    }

    /// What is asked for of the recipe's package files.
    pub(in super::super) fn local(&self) -> Vec<(String, Option<String>)> {
        super::selection::exact(&self.files)
    }

    /// The job; `extra` goes into its environment.
    pub(in super::super) fn job(&self, argv: Vec<OsString>, extra: &[(&str, &str)]) -> Job {
        let own = self.request.env.iter();
        let mut env: Vec<(&str, &str)> = own.map(|(k, v)| (k.as_str(), v.as_str())).collect();
        env.push(("SYSTEMD_OFFLINE", "1"));
        env.extend(extra);
        Job {
            argv,
            env: environment(Some(self.epoch), &env),
            binds: vec![self.exchange.bind()],
            network: if self.request.network {
                Network::Host
            } else {
                Network::None
            },
        }
    }
}
