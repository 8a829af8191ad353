//! One entry of `[[step]]`.

use toml::de::DeValue;

use super::fields::Fields;
use super::reader::{Reader, Text, Value, plain};
use super::span_of_time::parse_duration;
use super::step::url_file_name;
use super::{
    CopyStep, FetchStep, PackagesStep, Preseed, Problem, RunStep, Span, Step, UnitsStep, check,
    suggest,
};
use crate::package::Manager;

/// The keys that name a step.
pub(super) const NAMES: [&str; 10] = [
    "packages", "apt", "dnf", "zypper", "pacman", "apk", "run", "copy", "fetch", "units",
];

pub(super) fn read_step(reader: &Reader<'_>, value: &Value<'_>) -> Option<(Step, Span)> {
    let DeValue::Table(table) = value.get_ref() else {
        reader.mismatch(value, "step", "a table with one key");
        return None;
    };
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let Some(((key, value), rest)) = keys.split_first() else {
        let message = "this step does nothing";
        reader.note(
            reader
                .at(value.span(), message)
                .hint(format!("name it by {}", names())),
        );
        return None;
    };
    for (other, _) in rest {
        let message = format!(
            "a step has one key, this one has `{}` as well",
            other.get_ref()
        );
        let diagnostic = reader
            .at(other.span(), message)
            .also(key.span(), "the step's name");
        reader.note(if NAMES.contains(&other.get_ref().as_ref()) {
            diagnostic.hint("start another step with `[[step]]`")
        } else {
            diagnostic.hint(format!(
                "options of a step stand inside it: {} = {{ ... }}",
                key.get_ref()
            ))
        });
    }
    let step = match key.get_ref().as_ref() {
        "packages" => packages(reader, value, None).map(Step::Packages),
        "run" => run(reader, value).map(Step::Run),
        "copy" => copy(reader, value).map(Step::Copy),
        "fetch" => fetch(reader, value).map(Step::Fetch),
        "units" => units(reader, value).map(Step::Units),
        name => {
            if let Ok(manager) = name.parse::<Manager>() {
                packages(reader, value, Some(manager)).map(Step::Packages)
            } else {
                let message = format!("no step is called `{name}`");
                let advice = suggest::advice(name, NAMES);
                reader.note(reader.at(key.span(), message).maybe_hint(advice));
                None
            }
        }
    };
    Some((step?, value.span()))
}

fn names() -> String {
    NAMES.map(|name| format!("`{name}`")).join(", ")
}

fn packages(
    reader: &Reader<'_>,
    value: &Value<'_>,
    manager: Option<Manager>,
) -> Option<PackagesStep> {
    let before = reader.count();
    if value.get_ref().is_array() {
        let (install, files) = names_and_files(reader.set(value, "packages", check::package));
        let idle = install.is_empty() && files.is_empty();
        not_idle(reader, value, before, idle, "names no package");
        return Some(PackagesStep {
            manager,
            install: plain(install),
            files,
            ..PackagesStep::default()
        });
    }
    let what = if manager.is_some() {
        "the package step"
    } else {
        "`packages`"
    };
    let mut fields = Fields::of(reader, value, what, "an array of packages or a table")?;
    let (install, files) = names_and_files(fields.set("install", check::package));
    let remove = fields.set("remove", check::package);
    for text in &remove {
        if let Some(first) = install.iter().find(|other| other.value == text.value) {
            let message = format!("`{}` is both installed and removed", text.value);
            reader.note(
                reader
                    .at(text.span.clone(), message)
                    .also(first.span.clone(), "installed"),
            );
        }
    }
    let idle = install.is_empty() && files.is_empty() && remove.is_empty();
    not_idle(reader, value, before, idle, "names no package");
    let debconf_span = fields.get("debconf").map(toml::Spanned::span);
    let debconf = debconf(reader, &mut fields);
    if let (Some(span), Some(other)) = (debconf_span, manager.filter(|m| *m != Manager::Apt)) {
        reader.note(reader.at(span, format!("`debconf` means nothing to {other}")));
    }
    let step = PackagesStep {
        manager,
        install: plain(install),
        files,
        remove: plain(remove),
        recommends: fields.boolean("recommends").unwrap_or(false),
        debconf,
        unsigned: fields.boolean("unsigned").unwrap_or(false),
        network: fields.boolean("network").unwrap_or(false),
    };
    fields.finish();
    Some(step)
}

/// Tells names of packages from package files, which start with `./`.
fn names_and_files(list: Vec<Text>) -> (Vec<Text>, Vec<String>) {
    let (files, names): (Vec<_>, Vec<_>) = list
        .into_iter()
        .partition(|text| text.value.starts_with("./"));
    (names, plain(files))
}

/// Notes a step that does nothing, unless that is only because its values were mistaken.
fn not_idle(reader: &Reader<'_>, value: &Value<'_>, before: usize, idle: bool, what: &str) {
    if idle && reader.count() == before {
        reader.note(reader.at(value.span(), format!("this step {what}")));
    }
}

/// Reads `debconf = { "tzdata/Areas" = "select Europe" }`; the key may name the owner first.
fn debconf(reader: &Reader<'_>, fields: &mut Fields<'_, '_>) -> Vec<Preseed> {
    const KINDS: [&str; 7] = [
        "string",
        "boolean",
        "select",
        "multiselect",
        "note",
        "text",
        "password",
    ];
    let Some(value) = fields.get("debconf") else {
        return Vec::new();
    };
    let DeValue::Table(table) = value.get_ref() else {
        reader.mismatch(value, "debconf", "a table of answers");
        return Vec::new();
    };
    let mut answers = Vec::new();
    for (key, value) in table {
        let (owner, question) = match key.get_ref().split_once(' ') {
            Some((owner, question)) => (owner, question),
            None => (
                key.get_ref().split('/').next().unwrap_or_default(),
                key.get_ref().as_ref(),
            ),
        };
        if !question.contains('/') || question.contains(char::is_whitespace) || owner.is_empty() {
            let message = format!("`{}` is no debconf question", key.get_ref());
            reader.note(reader.at(key.span(), message).hint(
                "a question is `package/name`, or `owner package/name` if its owner is another",
            ));
            continue;
        }
        let (kind, answer) = if let DeValue::Boolean(on) = value.get_ref() {
            ("boolean".to_owned(), on.to_string())
        } else {
            let Some(text) = reader.text(value, question) else {
                continue;
            };
            match text.value.split_once(' ') {
                Some((kind, answer)) if KINDS.contains(&kind) && !answer.contains('\n') => {
                    (kind.to_owned(), answer.to_owned())
                }
                _ => {
                    let message = format!("`{}` is no debconf answer", text.value);
                    let hint = "an answer is its type and its value: \"select Europe\"";
                    reader.note(reader.at(text.span, message).hint(hint));
                    continue;
                }
            }
        };
        let (owner, question) = (owner.to_owned(), question.to_owned());
        answers.push(Preseed {
            owner,
            question,
            kind,
            value: answer,
        });
    }
    answers.sort_by(|one, other| one.question.cmp(&other.question));
    answers
}

fn run(reader: &Reader<'_>, value: &Value<'_>) -> Option<RunStep> {
    if value.get_ref().is_str() {
        let script = reader.parsed(value, "run", script)?;
        return Some(RunStep {
            script,
            ..RunStep::default()
        });
    }
    let mut fields = Fields::of(reader, value, "`run`", "a string or a table")?;
    let script = fields
        .required("script")
        .and_then(|value| reader.parsed(value, "script", script));
    let standard = RunStep::default();
    let step = RunStep {
        script: script.unwrap_or_default(),
        network: fields.boolean("network").unwrap_or(false),
        timeout: fields.parsed("timeout", parse_duration),
        workdir: fields
            .parsed("workdir", check::target)
            .unwrap_or(standard.workdir),
        user: fields.parsed("user", check::user).unwrap_or(standard.user),
        env: fields.map("env", check::variable),
        secrets: plain(fields.set("secrets", check::identifier)),
        cache: plain(fields.set("cache", check::absolute)),
    };
    fields.finish();
    Some(step)
}

fn script(text: &str) -> Result<String, Problem> {
    check::filled(text).map_err(|_| Problem::new("the script is empty"))
}

fn copy(reader: &Reader<'_>, value: &Value<'_>) -> Option<CopyStep> {
    let mut fields = Fields::of(reader, value, "`copy`", "a table")?;
    let from = fields
        .required("from")
        .and_then(|v| reader.parsed(v, "from", check::confined));
    let to = fields
        .required("to")
        .and_then(|v| reader.parsed(v, "to", check::target));
    let mode = fields.value("mode");
    let owner = fields.value("owner").unwrap_or_default();
    fields.finish();
    Some(CopyStep {
        from: from?,
        to: to?,
        mode,
        owner,
    })
}

fn fetch(reader: &Reader<'_>, value: &Value<'_>) -> Option<FetchStep> {
    let mut fields = Fields::of(reader, value, "`fetch`", "a table")?;
    let url = fields
        .required("url")
        .and_then(|v| reader.parsed(v, "url", check::url));
    let to = fields
        .required("to")
        .and_then(|v| reader.parsed(v, "to", check::target));
    let digest = fields.parsed("digest", check::digest);
    let mode = fields.value("mode");
    let owner = fields.value("owner").unwrap_or_default();
    fields.finish();
    let (url, to) = (url?, to?);
    if to.ends_with('/') && url_file_name(&url).is_none() {
        let message = format!("`{url}` names no file to put into `{to}`");
        reader.note(
            reader
                .at(value.span(), message)
                .hint("state the file's name in `to`"),
        );
    }
    Some(FetchStep {
        url,
        to,
        digest,
        mode,
        owner,
    })
}

fn units(reader: &Reader<'_>, value: &Value<'_>) -> Option<UnitsStep> {
    let before = reader.count();
    let mut fields = Fields::of(reader, value, "`units`", "a table")?;
    let enable = fields.set("enable", check::unit);
    let disable = fields.set("disable", check::unit);
    let mask = fields.set("mask", check::unit);
    for text in disable.iter().chain(&mask) {
        if let Some(first) = enable.iter().find(|other| other.value == text.value) {
            let message = format!("`{}` is both enabled and disabled or masked", text.value);
            reader.note(
                reader
                    .at(text.span.clone(), message)
                    .also(first.span.clone(), "enabled"),
            );
        }
    }
    let step = UnitsStep {
        enable: plain(enable),
        disable: plain(disable),
        mask: plain(mask),
    };
    let idle = step.enable.is_empty() && step.disable.is_empty() && step.mask.is_empty();
    not_idle(reader, value, before, idle, "names no unit");
    fields.finish();
    Some(step)
}
