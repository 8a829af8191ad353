//! The resolve phase: the image's own dnf says what it would install.

use super::{FIVE, arguments, command, explain, stored, write};
use crate::provision::job::{environment, shell};
use crate::provision::rpmmd::{
    Kept, Place, Wanted, document, restore, selectors, show_local, write_hold,
};
use crate::provision::{Error, Exchange, Found, Job, Network, Request, Resolution, Result};

const SCRIPT: &str = include_str!("resolve.sh");
/// The repository of what shall stay as it is.
const HOLD: &str = "racker-hold";

/// The job that fills `result/` and `metadata/` of the exchange directory.
pub(super) fn job(request: &Request, exchange: &Exchange) -> Result<Job> {
    request.validate()?;
    let files = show_local(request, exchange)?;
    write_hold(request, exchange)?;
    let install = selectors(request);
    let document = document(request, &install, &files);
    write(&exchange.fresh("resolve")?, &document)?;
    let command = command::arguments(request, &install, &files);
    Ok(Job {
        argv: shell(&[FIVE, SCRIPT].concat(), arguments(request, command)),
        env: environment(None, &[]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

/// Reads what the job found out, or why it failed.
pub(super) fn resolution(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    if exchange.read("result/five")?.is_some() {
        return five(request, exchange);
    }
    let Some(list) = exchange.read("result/packages")? else {
        let said = exchange.read("result/errors")?.unwrap_or_default();
        return Err(versioned(request, explain::explain(&said)));
    };
    let kept = Kept::read(exchange)?;
    let (mut packages, mut wanted) = (Vec::new(), Vec::new());
    for it in lines(&list)? {
        if it.places[0].repository == HOLD {
            packages.push(again(request, &it)?);
        } else {
            wanted.push(it);
        }
    }
    packages.extend(kept.find(&wanted, "dnf", exchange)?);
    packages.sort();
    Ok(Resolution {
        packages,
        date: kept.date().ok_or(Error::NoSources)?,
        metadata: kept.digest(),
    })
}

/// dnf 5 knows a name with a version behind it as one word.
fn versioned(request: &Request, error: Error) -> Error {
    let Error::UnknownPackage { name: word } = &error else {
        return error;
    };
    let asked = selectors(request).into_iter().find_map(|(name, version)| {
        let version = version?;
        (command::with_version(&name, &version) == *word).then_some((name, version))
    });
    match asked {
        Some((name, version)) => Error::UnknownVersion { name, version },
        None => error,
    }
}

/// Reads what dnf 5 stored.
fn five(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    let kept = Kept::read(exchange)?;
    let transaction = exchange.read("result/stored/transaction.json")?;
    let places = exchange.read("result/places")?.unwrap_or_default();
    let coming = match transaction {
        Some(text) => stored::coming(&text, &places),
        None => Ok(Vec::new()),
    };
    let coming = coming.map_err(|line| Error::Output { tool: "dnf5", line })?;
    let held = |it: &Wanted| restore(&request.hold, &it.name, &it.version, &it.arch);
    let wanted: Vec<_> = coming
        .iter()
        .filter(|it| held(it).is_none())
        .cloned()
        .collect();
    let mut packages = kept.find(&wanted, "dnf5", exchange)?;
    for found in &mut packages {
        // dnf 5 tells the addresses of packages, and not of repositories.
        let is = |it: &&Wanted| {
            (&it.name, &it.version, &it.arch) == (&found.name, &found.version, &found.arch)
        };
        if let Some(place) = wanted.iter().find(is).and_then(|it| it.places.first()) {
            found.url.clone_from(&place.base);
        }
    }
    packages.extend(coming.iter().filter_map(held));
    packages.sort();
    Ok(Resolution {
        packages,
        date: kept.date().ok_or(Error::NoSources)?,
        metadata: kept.digest(),
    })
}

/// A package that stays what it was.
fn again(request: &Request, it: &Wanted) -> Result<Found> {
    restore(&request.hold, &it.name, &it.version, &it.arch).ok_or_else(|| Error::Output {
        tool: "dnf",
        line: format!("{}-{}.{}", it.name, it.version, it.arch),
    })
}

/// Reads lines of repository, name, version, architecture and address, separated by tabs.
fn lines(list: &str) -> Result<Vec<Wanted>> {
    let read = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next();
        let (repository, name, version, arch) = (next()?, next()?, next()?, next()?);
        let base = next()?;
        Some(Wanted {
            places: vec![Place { repository, base }],
            name,
            version,
            arch,
        })
    };
    let all = list.lines().map(|line| {
        read(line).ok_or_else(|| Error::Output {
            tool: "dnf",
            line: line.to_owned(),
        })
    });
    all.collect()
}
