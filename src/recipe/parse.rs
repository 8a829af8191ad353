//! TOML text to [`Recipe`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::args::is_argument_name;
use super::fields::Fields;
use super::parse_parts::{read_from, read_image, read_probe};
use super::parse_step::read_step;
use super::reader::Reader;
use super::recipe::{Origin, Places, Recipe};
use super::{Diagnostics, From, Problem, Source, Span, Step, check, name, suggest};
use crate::rules;

/// What the text alone does not say.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Where the recipe comes from.
    pub origin: Origin,
    /// What relative paths start from.
    pub directory: PathBuf,
    /// The name where the text states none.
    pub default_name: &'a str,
    /// Values put over `[args]`; names that are not declared there are passed over.
    pub sets: &'a [(String, String)],
}

/// Reads one recipe; other recipes it builds on are not looked at.
pub fn parse(source: &Arc<Source>, context: Context<'_>) -> Result<Recipe, Diagnostics> {
    let mut reader = Reader::new(source);
    let (document, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            reader.note(reader.at(span, error.message().to_lowercase_first()));
        }
        return Err(finish(reader, None).unwrap_err());
    }
    let args = read_args(&reader, document.get_ref(), context.sets);
    reader.set_args(args.clone());

    let recipe = read_recipe(&reader, document.get_ref(), args, context, source);
    finish(reader, Some(recipe))
}

fn finish(reader: Reader<'_>, recipe: Option<Recipe>) -> Result<Recipe, Diagnostics> {
    let fallback = reader.at(0..0, "not a recipe");
    match (Diagnostics::collect(reader.into_found()), recipe) {
        (None, Some(recipe)) => Ok(recipe),
        (Some(found), _) => Err(found),
        (None, None) => Err(fallback.into()),
    }
}

fn read_recipe(
    reader: &Reader<'_>,
    document: &DeTable<'_>,
    args: BTreeMap<String, String>,
    context: Context<'_>,
    source: &Arc<Source>,
) -> Recipe {
    let mut fields = Fields::new(reader, document, "the recipe", 0..0);
    fields.get("args");
    let (name, name_span) = read_name(&mut fields, reader, context.default_name);
    let (from, from_span) = match fields.required("from") {
        Some(value) => (read_from(reader, value, &context.directory), value.span()),
        None => (None, 0..0),
    };
    let env = fields.map("env", check::variable);
    let steps = fields
        .get("step")
        .map(|value| read_steps(reader, value))
        .unwrap_or_default();
    let image = fields
        .get("image")
        .map(|value| read_image(reader, value))
        .unwrap_or_default();
    let probe = fields
        .get("probe")
        .and_then(|value| read_probe(reader, value));
    let normalise = fields
        .get("normalise")
        .map(|value| read_normalise(reader, value));
    fields.finish();
    let (steps, places): (Vec<Step>, Vec<Span>) = steps.into_iter().unzip();
    Recipe {
        name,
        origin: context.origin,
        directory: context.directory,
        args,
        env,
        from: from.unwrap_or(From::Scratch),
        steps,
        image,
        probe,
        normalise: normalise.unwrap_or_default(),
        source: Arc::clone(source),
        places: Places {
            name: name_span,
            from: from_span,
            steps: places,
        },
    }
}

/// Reads `name`, which is not expanded: what an image is called must be plain from its recipe.
fn read_name(fields: &mut Fields<'_, '_>, reader: &Reader<'_>, default: &str) -> (String, Span) {
    let Some(value) = fields.get("name") else {
        if name::check_name(default).is_err() {
            let message = format!("the file's name `{default}` cannot be the name of an image");
            reader.note(
                reader
                    .at(0..0, message)
                    .hint("state one with `name = \"...\"`"),
            );
        }
        return (default.to_owned(), 0..0);
    };
    let text = reader.literal(value, "name").unwrap_or(default);
    if let Err(problem) = name::check_name(text) {
        reader.problem(value.span(), problem);
    }
    (text.to_owned(), value.span())
}

fn read_args(
    reader: &Reader<'_>,
    document: &DeTable<'_>,
    sets: &[(String, String)],
) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    let Some(value) = document.get("args") else {
        return args;
    };
    let DeValue::Table(table) = value.get_ref() else {
        reader.mismatch(value, "args", "a table of strings");
        return args;
    };
    for (key, value) in table {
        if !is_argument_name(key.get_ref()) {
            let message = format!("`{}` cannot be the name of an argument", key.get_ref());
            reader.note(reader.at(key.span(), message));
            continue;
        }
        let Some(text) = reader.literal(value, key.get_ref()) else {
            // Declared all the same, so that its uses are not reported as well.
            args.insert(key.get_ref().to_string(), String::new());
            continue;
        };
        let set = sets.iter().rev().find(|(name, _)| name == key.get_ref());
        args.insert(
            key.get_ref().to_string(),
            set.map_or(text, |(_, value)| value).to_owned(),
        );
    }
    args
}

fn read_steps(reader: &Reader<'_>, value: &super::reader::Value<'_>) -> Vec<(Step, Span)> {
    let DeValue::Array(array) = value.get_ref() else {
        let message = "`step` must be an array of tables";
        reader.note(
            reader
                .at(value.span(), message)
                .hint("write each step under `[[step]]`"),
        );
        return Vec::new();
    };
    array
        .iter()
        .filter_map(|step| read_step(reader, step))
        .collect()
}

fn read_normalise(reader: &Reader<'_>, value: &super::reader::Value<'_>) -> BTreeMap<String, bool> {
    let mut wanted = BTreeMap::new();
    let DeValue::Table(table) = value.get_ref() else {
        reader.mismatch(value, "normalise", "a table of rules");
        return wanted;
    };
    for (rule, value) in table {
        if !rules::NAMES.contains(&rule.get_ref().as_ref()) {
            let message = format!("no rule `{}`", rule.get_ref());
            let near = suggest::similar(rule.get_ref(), rules::NAMES);
            let advice = near.map(|near| format!("did you mean `{near}`?"));
            let diagnostic = reader.at(rule.span(), message).maybe_hint(advice);
            reader.note(diagnostic.hint("`racker rules` lists them"));
        } else if let Some(on) = reader.boolean(value, rule.get_ref()) {
            if !on && rules::ALWAYS.contains(&rule.get_ref().as_ref()) {
                let message = format!("`{}` cannot be switched off", rule.get_ref());
                reader.note(reader.at(rule.span(), message));
                continue;
            }
            wanted.insert(rule.get_ref().to_string(), on);
        }
    }
    wanted
}

trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for str {
    fn to_lowercase_first(&self) -> String {
        let mut rest = self.chars();
        rest.next()
            .map_or_else(String::new, |c| c.to_lowercase().chain(rest).collect())
    }
}

/// Refuses what is not the name of a port.
pub(super) fn port(text: &str) -> Result<String, Problem> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>() {
        Ok(number) if number > 0 && ["tcp", "udp", "sctp"].contains(&protocol) => {
            Ok(format!("{number}/{protocol}"))
        }
        _ => Err(Problem::new(format!("`{text}` is no port"))
            .hint("a port is a number, optionally with `/tcp` or `/udp`")),
    }
}
