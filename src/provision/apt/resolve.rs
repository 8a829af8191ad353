//! The resolve phase: the image's own apt says what it would fetch.

use std::fs;

use super::settings::{Settings, option};
use super::{Releases, uris};
use crate::provision::exchange::GUEST;
use crate::provision::job::{environment, shell};
use crate::provision::{Error, Exchange, Job, Network, Request, Resolution, Result};

const SCRIPT: &str = include_str!("resolve.sh");

/// The job that fills `result/` of the exchange directory.
pub(super) fn job(request: &Request, settings: &Settings, exchange: &Exchange) -> Result<Job> {
    request.validate()?;
    let config = exchange.fresh("resolve")?.join("apt.conf");
    fs::write(&config, conf(request.recommends, settings, GUEST)).map_err(Error::io(&config))?;
    Ok(Job {
        argv: shell(SCRIPT, selectors(request)),
        env: environment(None, &[("DEBIAN_FRONTEND", "noninteractive")]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

/// What `apt-get install` is given: names, and names with a minus for what goes.
pub(super) fn selectors(request: &Request) -> Vec<String> {
    let removed = request.remove.iter().map(|name| format!("{name}-"));
    request.install.iter().cloned().chain(removed).collect()
}

/// apt's configuration for solving, with everything that it writes below `directory`.
pub(crate) fn conf(recommends: bool, settings: &Settings, directory: &str) -> String {
    let mut text = String::from("#clear APT::Update::Post-Invoke;\n");
    text.push_str("#clear APT::Update::Post-Invoke-Success;\n");
    for (name, value) in [
        ("Dir::State::lists", format!("{directory}/lists/").as_str()),
        ("Dir::Cache", &format!("{directory}/cache/")),
        ("Dir::Cache::pkgcache", "pkgcache.bin"),
        ("Dir::Cache::srcpkgcache", "srcpkgcache.bin"),
        ("Acquire::ForceHash", "SHA256"),
        ("Acquire::Languages", "none"),
        ("Acquire::PDiffs", "false"),
        ("Acquire::GzipIndexes", "false"),
        ("Acquire::Retries", "3"),
        ("Acquire::http::Timeout", "30"),
        ("Acquire::https::Timeout", "30"),
        (
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled",
            "false",
        ),
        (
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled",
            "false",
        ),
        ("APT::Get::allow-downgrades", "true"),
        (
            "APT::Install-Recommends",
            if recommends { "true" } else { "false" },
        ),
        ("APT::Install-Suggests", "false"),
        ("APT::Sandbox::User", "root"),
        ("APT::Update::Error-Mode", "any"),
    ] {
        text.push_str(&option(name, value));
    }
    text + &settings.to_conf()
}

/// Reads what the job found out, or why it failed.
pub(super) fn resolution(exchange: &Exchange) -> Result<Resolution> {
    let releases = exchange.read("result/releases")?;
    let Some(list) = exchange.read("result/uris")? else {
        let said = exchange.read("result/errors")?.unwrap_or_default();
        return Err(match super::explain(&said) {
            Error::UnknownPackage { .. } if releases.as_deref() == Some("") => Error::NoSources,
            error => error,
        });
    };
    let releases = Releases::parse(&releases.unwrap_or_default())?;
    Ok(Resolution {
        packages: uris::parse(&list)?,
        epoch: releases.epoch().ok_or(Error::NoSources)?,
        metadata: releases.digest(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_and_its_answer() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(directory.path());
        let request = Request {
            install: vec!["nginx=1.22*".to_owned(), "curl".to_owned()],
            remove: vec!["nano".to_owned()],
            ..Request::default()
        };
        let settings = Settings::parse("Acquire::Check-Valid-Until \"false\";\n");
        let job = job(&request, &settings, &exchange).unwrap();
        assert_eq!(job.argv[5..], ["nginx=1.22*", "curl", "nano-"]);
        assert_eq!(job.network, Network::Host);
        let conf = exchange.read("resolve/apt.conf").unwrap().unwrap();
        assert!(conf.contains("Dir::State::lists \"/run/racker/lists/\";\n"));
        assert!(conf.ends_with("Acquire::Check-Valid-Until \"false\";\n"));

        let result = exchange.fresh("result").unwrap();
        fs::write(
            result.join("errors"),
            "E: Unable to locate package nosuch\n",
        )
        .unwrap();
        let error = resolution(&exchange).unwrap_err();
        assert!(matches!(error, Error::UnknownPackage { name } if name == "nosuch"));
        fs::write(result.join("uris"), "").unwrap();
        assert!(matches!(resolution(&exchange), Err(Error::NoSources)));
        let hash = "0".repeat(64);
        let text = format!("{hash}  m_dists_x_InRelease\nDate: Thu, 01 Jan 1970 00:01:00 UTC\n");
        fs::write(result.join("releases"), text).unwrap();
        let resolution = resolution(&exchange).unwrap();
        assert_eq!((resolution.epoch, resolution.packages.len()), (60, 0));
    }
}
