//! The resolve phase: the image's own apk says what it would install.

use std::fs;

use super::index::Indices;
use super::{COMMON, change};
use crate::package::Manager;
use crate::provision::job::{environment, shell};
use crate::provision::{Error, Exchange, Job, Network, Request, Resolution, Result};

const SCRIPT: &str = include_str!("resolve.sh");

/// The job that fills `result/` and `metadata/` of the exchange directory.
pub(super) fn job(request: &Request, exchange: &Exchange) -> Result<Job> {
    validate(request)?;
    if !request.hold.is_empty() {
        return Err(unfit("updates of some packages alone: update all of them"));
    }
    let directory = exchange.fresh("resolve")?;
    let path = directory.join("remove");
    fs::write(&path, lines(&request.remove)).map_err(Error::io(&path))?;
    let trust = if request.unsigned {
        "untrusted"
    } else {
        "trusted"
    };
    let arguments = [trust.to_owned()]
        .into_iter()
        .chain(request.install.clone());
    Ok(Job {
        argv: shell(&[COMMON, SCRIPT].concat(), arguments),
        env: environment(None, &[]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

fn unfit(what: impl Into<String>) -> Error {
    Error::Unfit {
        manager: Manager::Apk,
        what: what.into(),
    }
}

/// Refuses what apk has no answer to, or racker none to apk's.
pub(super) fn validate(request: &Request) -> Result<()> {
    request.validate()?;
    if request.recommends {
        return Err(unfit("recommendations: leave `recommends` out"));
    }
    if !request.debconf.is_empty() {
        return Err(unfit("debconf to answer"));
    }
    if !request.files.is_empty() {
        return Err(unfit(
            "package files beside the recipe that can be locked: put them into a repository",
        ));
    }
    Ok(())
}

pub(super) fn lines(names: &[String]) -> String {
    names.iter().flat_map(|name| [name, "\n"]).collect()
}

/// Reads what the job found out, or why it failed.
pub(super) fn resolution(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    let Some(list) = exchange.read("result/list")? else {
        return Err(failure(exchange)?);
    };
    validate(request)?;
    let indices = Indices::read(exchange)?;
    let mut packages = Vec::new();
    for (name, version) in change::parse(&list)? {
        let found = indices
            .find(&name, &version)
            .ok_or_else(|| Error::Metadata {
                file: "APKINDEX".to_owned(),
                reason: format!("there is not exactly one {name} {version}"),
            })?;
        packages.push(found.clone());
    }
    packages.sort();
    packages.dedup();
    Ok(Resolution {
        packages,
        date: indices.date().ok_or(Error::NoSources)?,
        metadata: indices.digest(),
    })
}

fn failure(exchange: &Exchange) -> Result<Error> {
    let read = |name: &str| exchange.read(name);
    if let Some(which) = read("result/untrusted")? {
        let which = which.trim_end().to_owned();
        return Ok(Error::Untrusted { which });
    }
    if let Some(what) = read("result/unfit")? {
        return Ok(unfit(format!(
            "repositories that racker reads: `{}`",
            what.trim_end()
        )));
    }
    if let Some(unknown) = read("result/unknown")? {
        let mut words = unknown.trim_end().splitn(3, ' ').map(str::to_owned);
        if let (Some(word), Some(name), Some(version)) = (words.next(), words.next(), words.next())
        {
            return Ok(match &*word {
                "version" => Error::UnknownVersion { name, version },
                _ => Error::UnknownPackage { name },
            });
        }
    }
    Ok(super::explain(&read("result/errors")?.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_and_its_answer() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(directory.path());
        let request = Request {
            install: vec!["nginx=1.26*".to_owned()],
            remove: vec!["nano".to_owned()],
            ..Request::default()
        };
        let job = job(&request, &exchange).unwrap();
        assert_eq!(job.argv[5..], ["trusted", "nginx=1.26*"]);
        assert_eq!(job.network, Network::Host);
        assert_eq!(exchange.read("resolve/remove").unwrap().unwrap(), "nano\n");
        let result = exchange.fresh("result").unwrap();
        let told = |name: &str, text: &str| {
            fs::write(result.join(name), text).unwrap();
            resolution(&request, &exchange).unwrap_err().to_string()
        };
        assert!(told("errors", "ERROR: oh\n").contains("apk failed: oh"));
        assert!(told("unknown", "name a 1\n").contains("unknown package `a`"));
        assert!(told("unfit", "v3 http://m.test\n").starts_with("apk has no repositories that"));
        assert!(told("untrusted", "it\n").contains("without a signature: it"));
        assert!(told("list", "").contains("no package repository"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for request in [
            Request {
                recommends: true,
                ..Request::default()
            },
            Request {
                files: vec!["a.apk".into()],
                ..Request::default()
            },
            Request {
                debconf: [("a b".to_owned(), "c".to_owned())].into(),
                ..Request::default()
            },
        ] {
            let directory = tempfile::tempdir().unwrap();
            let error = job(&request, &Exchange::new(directory.path())).unwrap_err();
            assert!(error.to_string().starts_with("apk has no "), "{error}");
        }
    }
}
