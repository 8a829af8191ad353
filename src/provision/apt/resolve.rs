//! The resolve phase: the image's own apt says what it would fetch.

use std::fs;

use super::install::read_local;
use super::lists::Lists;
use super::repository::file_name;
use super::settings::{Settings, option};
use super::{hold, uris};
use crate::provision::exchange::{GUEST, METADATA};
use crate::provision::job::{environment, shell};
use crate::provision::{Error, Exchange, Job, Network, Request, Resolution, Result};

const SCRIPT: &str = include_str!("resolve.sh");
/// Where, in the exchange directory, the recipe's package files are.
const LOCAL: &str = "local";

/// The job that fills `result/` and `metadata/` of the exchange directory.
pub(super) fn job(request: &Request, settings: &Settings, exchange: &Exchange) -> Result<Job> {
    request.validate()?;
    let directory = exchange.fresh("resolve")?;
    let mut conf = conf(request.recommends, settings, GUEST);
    conf.push_str(&hold::write(&request.hold, exchange, GUEST)?);
    let path = directory.join("apt.conf");
    fs::write(&path, conf).map_err(Error::io(&path))?;
    let mut arguments = selectors(request);
    arguments.extend(local(request, exchange)?);
    Ok(Job {
        argv: shell(SCRIPT, arguments),
        env: environment(None, &[("DEBIAN_FRONTEND", "noninteractive")]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

/// Shows the recipe's package files to the guest; where.
fn local(request: &Request, exchange: &Exchange) -> Result<Vec<String>> {
    let directory = exchange.fresh(LOCAL)?;
    let mut paths = Vec::new();
    for file in &request.files {
        let package = read_local(file)?.package;
        let name = file_name(&package);
        let path = directory.join(&name);
        fs::copy(file, &path).map_err(Error::io(&path))?;
        paths.push(Exchange::guest(&format!("{LOCAL}/{name}")));
    }
    Ok(paths)
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
        (
            "Dir::State::lists",
            format!("{directory}/{METADATA}/lists/").as_str(),
        ),
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
pub(super) fn resolution(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    let lists = Lists::read(exchange)?;
    let Some(list) = exchange.read("result/uris")? else {
        let said = exchange.read("result/errors")?.unwrap_or_default();
        return Err(match super::explain(&said) {
            Error::UnknownPackage { .. } if lists.date().is_none() => Error::NoSources,
            error => error,
        });
    };
    if !request.unsigned {
        let untrusted = exchange.read("result/untrusted")?;
        let untrusted = untrusted.as_deref().and_then(|text| text.lines().next());
        if let Some(which) = untrusted.or(lists.unsigned()) {
            let which = which.to_owned();
            return Err(Error::Untrusted { which });
        }
    }
    // The recipe's own files are at hand already.
    let own = format!("'file:{GUEST}/{LOCAL}/");
    let list: Vec<&str> = list.lines().filter(|it| !it.starts_with(&own)).collect();
    let mut packages = uris::parse(&list.join("\n"))?;
    hold::restore(&mut packages, &request.hold, GUEST);
    Ok(Resolution {
        packages,
        date: lists.date().ok_or(Error::NoSources)?,
        metadata: lists.digest(),
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
        assert!(conf.contains("Dir::State::lists \"/run/racker/metadata/lists/\";\n"));
        assert!(conf.ends_with("Acquire::Check-Valid-Until \"false\";\n"));

        let result = exchange.fresh("result").unwrap();
        fs::write(
            result.join("errors"),
            "E: Unable to locate package nosuch\n",
        )
        .unwrap();
        // Without any metadata it is no wonder that the package is unknown.
        let error = resolution(&request, &exchange).unwrap_err();
        assert!(matches!(error, Error::NoSources), "{error}");
        let lists = exchange.fresh(METADATA).unwrap().join("lists");
        fs::create_dir(&lists).unwrap();
        let text = "Date: Thu, 01 Jan 1970 00:01:00 UTC\n";
        fs::write(lists.join("m_dists_x_InRelease"), text).unwrap();
        let error = resolution(&request, &exchange).unwrap_err();
        assert!(matches!(error, Error::UnknownPackage { name } if name == "nosuch"));
        fs::write(result.join("uris"), "").unwrap();
        let found = resolution(&request, &exchange).unwrap();
        assert_eq!((found.date, found.packages.len()), (60, 0));
        fs::write(result.join("untrusted"), "/etc/apt/sources.list\n").unwrap();
        let error = resolution(&request, &exchange).unwrap_err();
        assert!(matches!(error, Error::Untrusted { which } if which == "/etc/apt/sources.list"));
    }
}
