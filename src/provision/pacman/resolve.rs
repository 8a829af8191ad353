//! The resolve phase: the image's own pacman says what it would install.

use std::fs;

use super::configuration::Configuration;
use super::databases::Databases;
use super::install::read_local;
use super::{COMMON, repository};
use crate::provision::exchange::GUEST;
use crate::provision::job::{environment, shell};
use crate::provision::{
    Error, Exchange, Fetched, Found, Job, Network, Request, Resolution, Result,
};

const SCRIPT: &str = include_str!("resolve.sh");
/// The repositories of what is held; that of the recipe's package files.
const HELD: [(&str, &str); 2] = [
    ("racker-held-signed", repository::SIGNED),
    ("racker-held", repository::PLAIN),
];
const LOCAL: &str = "racker-local";

/// The job that fills `result/` and `metadata/` of the exchange directory.
pub(super) fn job(request: &Request, exchange: &Exchange) -> Result<Job> {
    validate(request)?;
    let mut own = String::new();
    let mut selectors = request.install.clone();
    if !request.hold.is_empty() {
        repository::write(&exchange.fresh("hold")?, &request.hold)?;
        for (name, database) in HELD {
            own.push_str(&format!("{name} {GUEST}/hold/{database}\n"));
        }
    }
    if !request.files.is_empty() {
        let files = request.files.iter().map(|file| read_local(file));
        let files = files.collect::<Result<Vec<_>>>()?;
        repository::write(&exchange.fresh("local")?, &files)?;
        own.push_str(&format!("{LOCAL} {GUEST}/local/{}\n", repository::PLAIN));
        let named = |it: &Fetched| format!("{LOCAL}/{}", it.package.name);
        selectors.extend(files.iter().map(named));
    }
    let directory = exchange.fresh("resolve")?;
    for (name, text) in [("own", own), ("remove", lines(&request.remove))] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }
    Ok(Job {
        argv: shell(&[COMMON, SCRIPT].concat(), selectors),
        env: environment(None, &[]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

/// Refuses what pacman has no answer to.
pub(super) fn validate(request: &Request) -> Result<()> {
    request.validate()?;
    let unfit = |what: &str| Error::Unfit {
        manager: crate::package::Manager::Pacman,
        what: what.to_owned(),
    };
    if request.recommends {
        return Err(unfit(
            "recommendations (optional dependencies are extras that it never \
             installs by itself): leave `recommends` out, and name what is wanted",
        ));
    }
    if !request.debconf.is_empty() {
        return Err(unfit("debconf to answer"));
    }
    Ok(())
}

pub(super) fn lines(names: &[String]) -> String {
    names.iter().flat_map(|name| [name, "\n"]).collect()
}

/// Reads what the job found out, or why it failed.
pub(super) fn resolution(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    let configuration = exchange.read("result/configuration")?.unwrap_or_default();
    let configuration = Configuration::parse(&configuration)?;
    let Some(list) = exchange.read("result/list")? else {
        return Err(failure(&configuration, exchange)?);
    };
    let databases = Databases::read(exchange)?;
    let mut packages = Vec::new();
    for line in list.lines() {
        let Some(rest) = line.strip_prefix("racker ") else {
            continue;
        };
        packages.extend(package(rest, request, &configuration, &databases)?);
    }
    packages.sort();
    packages.dedup();
    Ok(Resolution {
        packages,
        date: databases.date().ok_or(Error::NoSources)?,
        metadata: databases.digest(),
    })
}

/// One line of the solution, `REPOSITORY NAME VERSION`; the recipe's own files are at hand already.
fn package(
    line: &str,
    request: &Request,
    configuration: &Configuration,
    databases: &Databases,
) -> Result<Option<Found>> {
    let unclear = || Error::Output {
        tool: "pacman",
        line: line.to_owned(),
    };
    let mut words = line.split(' ');
    let (Some(from), Some(name), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(unclear());
    };
    if from == LOCAL {
        return Ok(None);
    }
    if HELD.iter().any(|(held, _)| *held == from) {
        let held = request.hold.iter().map(|it| &it.package);
        let mut same = held.filter(|it| it.name == name && it.version == version);
        let package = same.next().ok_or_else(unclear)?;
        return Ok(Some(Found::from(package)));
    }
    let repository = configuration.get(from).ok_or_else(unclear)?;
    let listed = databases.find(from, name, version).ok_or_else(unclear)?;
    let server = repository.servers.first().ok_or_else(unclear)?;
    let trust = repository.trust;
    // Whoever vouches for the package does so by its signature, or by that of the database.
    if !trust.package.holds() && !trust.database.holds() && !request.unsigned {
        return Err(Error::Untrusted {
            which: from.to_owned(),
        });
    }
    let mut found = listed.clone();
    found.url = format!("{}/{}", server.trim_end_matches('/'), found.url);
    found.signed = trust.package.holds();
    Ok(Some(found))
}

fn failure(configuration: &Configuration, exchange: &Exchange) -> Result<Error> {
    if let Some(unknown) = exchange.read("result/unknown")? {
        let mut words = unknown.trim_end().splitn(3, ' ');
        if let (Some(word), Some(name), Some(version)) = (words.next(), words.next(), words.next())
        {
            let (name, version) = (name.to_owned(), version.to_owned());
            return Ok(match word {
                "version" => Error::UnknownVersion { name, version },
                _ => Error::UnknownPackage { name },
            });
        }
    }
    if configuration.repositories.is_empty() {
        return Ok(Error::NoSources);
    }
    let said = exchange.read("result/errors")?.unwrap_or_default();
    Ok(super::explain(&said))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::archive::tests::tarball;
    use super::*;

    const CONFIGURATION: &str = "[options]\nSigLevel = PackageRequired\nSigLevel = DatabaseOptional\n\
                                 [x]\nServer = http://m.test/x/\n[lax]\nSigLevel = PackageOptional\n\
                                 Server = http://m.test/lax\n";

    fn entry(name: &str) -> Vec<u8> {
        let text = format!(
            "%FILENAME%\n{name}-1-1-any.pkg.tar.zst\n\n%NAME%\n{name}\n\n%VERSION%\n1-1\n\n\
             %CSIZE%\n9\n\n%SHA256SUM%\n{:064}\n\n%ARCH%\nany\n\n",
            0
        );
        tarball(&[(&format!("{name}-1-1/desc"), &text)])
    }

    fn answered(directory: &Path) -> Exchange {
        let exchange = Exchange::new(directory);
        let metadata = exchange.fresh("metadata").unwrap();
        fs::create_dir(metadata.join("sync")).unwrap();
        for (name, package) in [("x", "a"), ("lax", "b")] {
            fs::write(metadata.join(format!("sync/{name}.db")), entry(package)).unwrap();
        }
        let result = exchange.fresh("result").unwrap();
        fs::write(result.join("configuration"), CONFIGURATION).unwrap();
        exchange
    }

    #[test]
    fn a_solution_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = answered(directory.path());
        let list = directory.path().join("result/list");
        let request = Request::default();
        let read = |text: &str, request: &Request| {
            fs::write(&list, text).unwrap();
            resolution(request, &exchange)
        };
        let solution = read(
            "looking...\nracker x a 1-1\nracker racker-local mine 7\n",
            &request,
        );
        let solution = solution.unwrap();
        assert_eq!((solution.packages.len(), solution.date), (1, 100));
        let found = &solution.packages[0];
        assert_eq!(found.url, "http://m.test/x/a-1-1-any.pkg.tar.zst");
        assert!(found.signed);
        let lax = "racker lax b 1-1\n";
        let error = read(lax, &request).unwrap_err();
        assert!(matches!(error, Error::Untrusted { which } if which == "lax"));
        let trusting = Request {
            unsigned: true,
            ..Request::default()
        };
        assert!(!read(lax, &trusting).unwrap().packages[0].signed);
        for bad in ["racker x a 2-1\n", "racker y a 1-1\n", "racker x a\n"] {
            let error = read(bad, &request).unwrap_err();
            assert!(matches!(error, Error::Output { .. }), "{bad}");
        }
    }

    #[test]
    fn a_failure_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = answered(directory.path());
        let request = Request::default();
        let result = |name: &str, text: &str| {
            fs::write(directory.path().join("result").join(name), text).unwrap();
            resolution(&request, &exchange).unwrap_err()
        };
        let error = result("errors", "error: target not found: c\n");
        assert!(matches!(error, Error::UnknownPackage { name } if name == "c"));
        let error = result("unknown", "version a 2*\n");
        assert!(matches!(error, Error::UnknownVersion { version, .. } if version == "2*"));
        let error = result("configuration", "[options]\n");
        assert!(matches!(error, Error::UnknownVersion { .. }));
        fs::remove_file(directory.path().join("result/unknown")).unwrap();
        let error = resolution(&request, &exchange).unwrap_err();
        assert!(matches!(error, Error::NoSources));
    }
}
