//! Why a step is built again: two key documents compared.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::key::KeyDocument;

/// How a step stands to what was built before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Nothing like it was built.
    NeverBuilt,
    /// Exactly this was built.
    Hit,
    /// Something like it was built; these fields differ.
    Changed(Vec<FieldChange>),
    /// Not known before another step, by its id, is built.
    DependsOn(String),
}

/// One difference between two key documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// Which package, input, or variable, where the field has many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// What it was; null if it was not there.
    pub old: Value,
    /// What it is; null if it is there no more.
    pub new: Value,
}

/// Compares a document with the one of the nearest earlier build, if there was one.
pub fn why(new: &KeyDocument, old: Option<&KeyDocument>) -> Why {
    let Some(old) = old else {
        return Why::NeverBuilt;
    };
    let names: BTreeSet<&str> = new
        .fields()
        .chain(old.fields())
        .map(|(name, _)| name)
        .collect();
    let mut changes = Vec::new();
    for field in names {
        let (was, is) = (old.get(field), new.get(field));
        if was == is {
            continue;
        }
        match (field, was, is) {
            ("packages" | "env" | "files", Some(was), Some(is)) => {
                elements(field, was, is, ToOwned::to_owned, &mut changes);
            }
            ("inputs", Some(was), Some(is)) if was["directory"] == is["directory"] => {
                let from = new.get("from").and_then(Value::as_str).unwrap_or_default();
                let directory = is["directory"] == Value::Bool(true);
                let place = |path: &str| {
                    if directory {
                        format!("{}/{path}", from.trim_end_matches('/'))
                    } else {
                        from.to_owned()
                    }
                };
                elements(field, &was["entries"], &is["entries"], place, &mut changes);
            }
            _ => changes.push(FieldChange {
                field: field.to_owned(),
                element: None,
                old: was.cloned().unwrap_or_default(),
                new: is.cloned().unwrap_or_default(),
            }),
        }
    }
    changes.sort_by_key(|change| change.field != "parent");
    if changes.is_empty() {
        Why::Hit
    } else {
        Why::Changed(changes)
    }
}

fn elements(
    field: &str,
    was: &Value,
    is: &Value,
    name: impl Fn(&str) -> String,
    changes: &mut Vec<FieldChange>,
) {
    let keys = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.clone())
            .collect()
    };
    for element in keys(was).union(&keys(is)) {
        if was.get(element) != is.get(element) {
            changes.push(FieldChange {
                field: field.to_owned(),
                element: Some(name(element)),
                old: was.get(element).cloned().unwrap_or_default(),
                new: is.get(element).cloned().unwrap_or_default(),
            });
        }
    }
}

impl fmt::Display for Why {
    /// Writes one line; several changes are separated by semicolons, from the fourth on counted.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        match self {
            Self::NeverBuilt => formatter.write_str("never built"),
            Self::Hit => formatter.write_str("cached"),
            Self::DependsOn(step) => write!(formatter, "depends on step {step}"),
            Self::Changed(changes) => {
                let shown: Vec<_> = changes
                    .iter()
                    .take(SHOWN)
                    .map(ToString::to_string)
                    .collect();
                formatter.write_str(&shown.join("; "))?;
                match changes.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(formatter, "; and {more} more"),
                }
            }
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (&self.old, &self.new);
        match (self.field.as_str(), &self.element) {
            ("parent", _) => formatter.write_str("parent tree changed"),
            ("packages", Some(name)) => write_package(formatter, name, old, new),
            ("inputs" | "files", Some(path)) => {
                write!(formatter, "input {path} {}", verb(old, new))
            }
            ("env", Some(name)) if !old.is_null() && !new.is_null() => {
                write!(formatter, "variable {name} changed: {}", contrast(old, new))
            }
            ("env", Some(name)) => write!(formatter, "variable {name} {}", verb(old, new)),
            (field, _) => match (old.as_array(), new.as_array()) {
                (Some(old), Some(new)) => write_list(formatter, field, old, new),
                _ => write!(formatter, "{field} changed: {}", contrast(old, new)),
            },
        }
    }
}

fn verb(old: &Value, new: &Value) -> &'static str {
    match (old.is_null(), new.is_null()) {
        (true, _) => "added",
        (_, true) => "removed",
        _ => "changed",
    }
}

fn write_package(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    old: &Value,
    new: &Value,
) -> fmt::Result {
    let name = name.split([':', '=']).next().unwrap_or(name);
    let version = |value: &Value| value["version"].as_str().unwrap_or_default().to_owned();
    let (was, is) = (version(old), version(new));
    match (old.is_null(), new.is_null()) {
        (true, _) => write!(formatter, "package {name} {is} added"),
        (_, true) => write!(formatter, "package {name} {was} removed"),
        _ if was == is => write!(formatter, "package {name} {is} is another file"),
        _ => write!(formatter, "package {name} {was} -> {is}"),
    }
}

fn write_list(
    formatter: &mut fmt::Formatter<'_>,
    field: &str,
    old: &[Value],
    new: &[Value],
) -> fmt::Result {
    write!(formatter, "{field} changed:")?;
    for item in new.iter().filter(|item| !old.contains(item)) {
        write!(formatter, " +{}", item.as_str().unwrap_or_default())?;
    }
    for item in old.iter().filter(|item| !new.contains(item)) {
        write!(formatter, " -{}", item.as_str().unwrap_or_default())?;
    }
    Ok(())
}

/// Writes two values, long texts cut to where they differ.
fn contrast(old: &Value, new: &Value) -> String {
    let same = match (old.as_str(), new.as_str()) {
        (Some(old), Some(new)) => old
            .chars()
            .zip(new.chars())
            .take_while(|(one, other)| one == other)
            .count(),
        _ => 0,
    };
    format!("{} -> {}", brief(old, same), brief(new, same))
}

/// Writes a value as JSON; of a long text, what is around the first difference.
fn brief(value: &Value, same: usize) -> String {
    const MOST: usize = 60;
    const BEFORE: usize = 20;
    let (text, quoted) = match value {
        Value::Null => return "nothing".to_owned(),
        Value::String(text) => (text.clone(), true),
        other => (other.to_string(), false),
    };
    let length = text.chars().count();
    let skipped = if length > MOST {
        same.saturating_sub(BEFORE)
    } else {
        0
    };
    let mut shown: String = text.chars().skip(skipped).take(MOST).collect();
    if skipped > 0 {
        shown.insert_str(0, "...");
    }
    if length > skipped + MOST {
        shown.push_str("...");
    }
    if quoted {
        Value::from(shown).to_string()
    } else {
        shown
    }
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
