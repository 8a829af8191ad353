//! Checks out of options, goss files and recipes.

use std::io::Read;

use super::Args;
use crate::check::{self, Check, Kind, unit_name};
use crate::failure::{Failure, USAGE, from_recipe};
use crate::recipe::{Diagnostic, Diagnostics, Error, Probe, Source};

/// Largest goss file that is read.
const LIMIT: u64 = 4 << 20;

/// Those of the command line.
pub(super) fn of_options(args: &Args) -> Result<Vec<Check>, Failure> {
    let mut all = Vec::new();
    for unit in &args.units {
        let name = check::concrete_unit(unit)
            .map_err(|reason| Failure::new(USAGE, format!("--check-unit {unit}: {reason}")))?;
        all.push(Check::Unit(name));
    }
    all.extend(args.network.iter().cloned().map(Check::Network));
    for (kind, option, names) in [
        (Kind::Service, "service", &args.services),
        (Kind::Port, "port", &args.ports),
        (Kind::Process, "process", &args.processes),
        (Kind::Http, "http", &args.http),
        (Kind::Dns, "dns", &args.dns),
        (Kind::File, "file", &args.files),
        (Kind::Mount, "mount", &args.mounts),
        (Kind::User, "user", &args.users),
        (Kind::Group, "group", &args.groups),
        (Kind::Package, "package", &args.installed),
        (Kind::Command, "command", &args.commands),
    ] {
        for name in names {
            let claim = check::plain(kind, name).map_err(|reason| {
                Failure::new(USAGE, format!("--check-{option} {name}: {reason}"))
            })?;
            all.push(Check::Claim(claim));
        }
    }
    for path in &args.goss {
        all.extend(goss(path)?);
    }
    Ok(all)
}

/// Those of a goss file; `-` is standard input.
fn goss(path: &str) -> Result<Vec<Check>, Failure> {
    let unread = |error: std::io::Error| Failure::new(USAGE, format!("read {path}: {error}"));
    let mut text = String::new();
    let (name, mut reader): (&str, Box<dyn Read>) = match path {
        "-" => ("standard input", Box::new(std::io::stdin().lock())),
        path => (path, Box::new(std::fs::File::open(path).map_err(unread)?)),
    };
    let count = (&mut reader).take(LIMIT).read_to_string(&mut text);
    if count.map_err(unread)? as u64 == LIMIT {
        return Err(Failure::new(USAGE, format!("{name} is larger than 4 MiB")));
    }
    let mut mistakes = Vec::new();
    let claims = match check::parse_yaml(&text) {
        Ok(document) => check::goss(&document, &mut mistakes),
        Err(mistake) => {
            mistakes.push(mistake);
            Vec::new()
        }
    };
    let source = Source::new(name, text.clone());
    let pointed = mistakes.into_iter().map(|it| {
        let mut diagnostic = Diagnostic::new(&source, it.span, it.message).maybe_hint(it.hint);
        if text.contains("{{") {
            diagnostic = diagnostic.hint("templates are not expanded; `goss render` does that");
        }
        diagnostic
    });
    match Diagnostics::collect(pointed.collect()) {
        Some(diagnostics) => Err(from_recipe(Error::Invalid(diagnostics))),
        None => Ok(claims.into_iter().map(Check::Claim).collect()),
    }
}

/// Those of a recipe's `[probe]`.
pub(super) fn of_recipe(probe: &Probe) -> Vec<Check> {
    let units = probe.units.iter().map(|unit| Check::Unit(unit_name(unit)));
    // Their form was checked when the recipe was read.
    let addresses = probe.network.iter().filter_map(|url| url.parse().ok());
    let plain = |kind, names: &[String]| {
        let claims = names
            .iter()
            .filter_map(|name| check::plain(kind, name).ok());
        claims.map(Check::Claim).collect::<Vec<_>>()
    };
    let claims = probe.claims.iter().cloned().map(Check::Claim);
    units
        .chain(addresses.map(Check::Network))
        .chain(plain(Kind::File, &probe.files))
        .chain(plain(Kind::Command, &probe.run))
        .chain(claims)
        .collect()
}
