//! The resolve phase: the image's own dnf says what it would install.

use super::{explain, write};
use crate::provision::job::{environment, shell};
use crate::provision::rpmmd::{Kept, Wanted, document, restore, selectors, show_local, write_hold};
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
    let (held, wanted): (Vec<_>, Vec<_>) = lines(&list)?
        .into_iter()
        .partition(|it| it.repository == HOLD);
    let mut packages = kept.find(&wanted, "dnf", exchange)?;
    for it in held {
        packages.push(again(request, &it)?);
    }
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
        Some(Wanted {
            repository: fields.next()?,
            name: fields.next()?,
            version: fields.next()?,
            arch: fields.next()?,
            base: fields.next()?,
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
