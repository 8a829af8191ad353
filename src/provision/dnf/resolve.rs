//! The resolve phase: the image's own dnf says what it would install.

use super::{explain, write};
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
    let document = document(request, &selectors(request), &files);
    write(&exchange.fresh("resolve")?, &document)?;
    Ok(Job {
        argv: shell(SCRIPT, []),
        env: environment(None, &[]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

/// Reads what the job found out, or why it failed.
pub(super) fn resolution(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    let Some(list) = exchange.read("result/packages")? else {
        let said = exchange.read("result/errors")?.unwrap_or_default();
        return Err(explain::explain(&said));
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
