//! `from`, `[image]` and `[probe]`.

use std::path::Path;

use toml::de::DeValue;

use super::fields::Fields;
use super::from::{Bootstrap, Distribution};
use super::parse::port;
use super::reader::{Reader, Value, plain};
use super::span_of_time::parse_duration;
use super::{From, ImageConfig, Probe, Problem, check, suggest};
use crate::check::{Claim, Kind, claims};

pub(super) fn read_from(reader: &Reader<'_>, value: &Value<'_>, directory: &Path) -> Option<From> {
    if value.get_ref().is_str() {
        return reader.parsed(value, "from", |text| From::parse(text, directory));
    }
    let mut fields = Fields::of(reader, value, "`from`", "a string or a table")?;
    let rootfs = fields.text("rootfs");
    let rootfs_span = rootfs.as_ref().map(|text| text.span.clone());
    if let Some(text) = rootfs {
        let digest = fields.parsed("digest", check::digest);
        fields.finish();
        let from = From::rootfs(&text.value, digest, directory);
        return from
            .map_err(|problem| reader.problem(rootfs_span.unwrap_or(0..0), problem))
            .ok();
    }
    let Some(distribution) = fields.get("bootstrap") else {
        let message = "a `from` table needs `bootstrap` or `rootfs`";
        reader.note(reader.at(value.span(), message));
        // The keys of both forms are known, so that only a mistyped one is reported.
        for key in ["digest", "suite", "include", "variant", "mirror"] {
            fields.get(key);
        }
        fields.finish();
        return None;
    };
    let distribution = reader.parsed(distribution, "bootstrap", distribution_named);
    let suite = fields
        .required("suite")
        .and_then(|value| reader.parsed(value, "suite", suite));
    let include = plain(fields.set("include", check::package));
    let variant = fields.parsed("variant", variant);
    let mirror = fields.parsed("mirror", check::url);
    fields.finish();
    Some(From::Bootstrap(Bootstrap {
        distribution: distribution?,
        suite: suite?,
        include,
        variant: variant.unwrap_or_else(|| Bootstrap::DEFAULT_VARIANT.to_owned()),
        mirror,
    }))
}

fn distribution_named(text: &str) -> Result<Distribution, Problem> {
    match text {
        "debian" => Ok(Distribution::Debian),
        _ => Err(Problem::new(format!("cannot bootstrap `{text}`")).hint("expected `debian`")),
    }
}

fn suite(text: &str) -> Result<String, Problem> {
    let clean = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if clean && !text.is_empty() && !text.starts_with(['-', '.']) {
        Ok(text.to_owned())
    } else {
        Err(Problem::new(format!(
            "`{text}` cannot be the name of a suite"
        )))
    }
}

fn variant(text: &str) -> Result<String, Problem> {
    if Bootstrap::VARIANTS.contains(&text) {
        return Ok(text.to_owned());
    }
    let problem = Problem::new(format!("no variant `{text}`"));
    Err(match suggest::advice(text, Bootstrap::VARIANTS) {
        Some(advice) => problem.hint(advice),
        None => problem,
    })
}

pub(super) fn read_image(reader: &Reader<'_>, value: &Value<'_>) -> ImageConfig {
    let Some(mut fields) = Fields::of(reader, value, "`image`", "a table") else {
        return ImageConfig::default();
    };
    let image = ImageConfig {
        cmd: fields.get("cmd").map(|value| command(reader, value, "cmd")),
        entrypoint: fields
            .get("entrypoint")
            .map(|value| command(reader, value, "entrypoint")),
        env: fields.map("env", check::variable),
        workdir: fields.parsed("workdir", check::target),
        user: fields.parsed("user", check::user),
        labels: fields.map("labels", |_| Ok(())),
        volumes: plain(fields.set("volumes", check::absolute)),
        ports: fields
            .get("ports")
            .map(|value| ports(reader, value))
            .unwrap_or_default(),
    };
    fields.finish();
    image
}

/// Reads an argument vector; a string is given to the shell.
fn command(reader: &Reader<'_>, value: &Value<'_>, what: &str) -> Vec<String> {
    if value.get_ref().is_str() {
        let script = reader
            .text(value, what)
            .map(|text| text.value)
            .unwrap_or_default();
        return vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
    }
    if !value.get_ref().is_array() {
        reader.mismatch(value, what, "an array of strings or a string");
        return Vec::new();
    }
    plain(reader.texts(value, what))
}

fn ports(reader: &Reader<'_>, value: &Value<'_>) -> Vec<String> {
    let DeValue::Array(array) = value.get_ref() else {
        reader.mismatch(value, "ports", "an array of ports");
        return Vec::new();
    };
    let mut ports: Vec<_> = array
        .iter()
        .filter_map(|item| match item.get_ref() {
            DeValue::Integer(number) => port(&number.to_string())
                .map_err(|problem| reader.problem(item.span(), problem))
                .ok(),
            _ => reader.parsed(item, "ports", port),
        })
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

pub(super) fn read_probe(reader: &Reader<'_>, value: &Value<'_>) -> Option<Probe> {
    let mut fields = Fields::of(reader, value, "`probe`", "a table")?;
    let mut claims = Vec::new();
    for kind in Kind::ALL {
        if let Some(value) = fields.get(kind.word()) {
            claims.extend(read_claims(reader, kind, value));
        }
    }
    let probe = Probe {
        claims,
        units: plain(fields.set("units", check::concrete_unit)),
        network: plain(fields.set("network", |text| check::url(text).map(|_| ()))),
        run: fields.strings("run"),
        files: plain(fields.set("files", check::absolute)),
        timeout: fields.parsed("timeout", parse_duration),
    };
    fields.finish();
    Some(probe)
}

fn read_claims(reader: &Reader<'_>, kind: Kind, value: &Value<'_>) -> Vec<Claim> {
    let mut mistakes = Vec::new();
    let all = claims(kind, &reader.node(value, kind.word()), &mut mistakes);
    for mistake in mistakes {
        let diagnostic = reader.at(mistake.span, mistake.message);
        reader.note(diagnostic.maybe_hint(mistake.hint));
    }
    all
}
