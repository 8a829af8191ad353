//! Claims out of documents.
//!
//! All mistakes are found, each with its place. A claim of a document must say all it means: an
//! empty list asserts nothing, as in goss, and what is not known is a mistake.

use std::collections::BTreeMap;

use super::expected::Relation;
use super::subject::subject;
use super::{Claim, Content, Expected, Form, Kind, Mistake, Node, Pattern};
use crate::suggest;

/// Keys that may stand in any claim. `title` is what it is called; `meta` is for the reader.
const COMMON: [&str; 3] = ["meta", "skip", "title"];

/// Matchers, by name.
const MATCHERS: [&str; 16] = [
    "and",
    "consist-of",
    "contain-element",
    "contain-elements",
    "contain-substring",
    "equal",
    "ge",
    "gt",
    "have-len",
    "have-prefix",
    "have-suffix",
    "le",
    "lt",
    "match-regexp",
    "not",
    "or",
];

/// Reads a goss file: kinds, in them names, in them what must hold.
pub fn goss(document: &Node, mistakes: &mut Vec<Mistake>) -> Vec<Claim> {
    let entries = match &document.content {
        Content::Table(entries) => entries.as_slice(),
        Content::Nothing => &[],
        _ => {
            let message = "a goss file is a table of kinds of things";
            mistakes.push(Mistake::new(document.span.clone(), message));
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for entry in entries {
        match Kind::of(&entry.key) {
            Some(kind) => all.extend(claims(kind, &entry.value, mistakes)),
            None => {
                let message = format!("unknown kind of thing `{}`", entry.key);
                let words = Kind::ALL.map(Kind::word);
                let hint = suggest::advice(&entry.key, words);
                mistakes.push(Mistake::new(entry.span.clone(), message).hint(hint));
            }
        }
    }
    all
}

/// Reads what stands under one kind: names, in them what must hold.
pub fn claims(kind: Kind, node: &Node, mistakes: &mut Vec<Mistake>) -> Vec<Claim> {
    let entries = match &node.content {
        Content::Table(entries) => entries.as_slice(),
        Content::Nothing => &[],
        _ => {
            mistakes.push(mismatch(node, kind.word(), "a table of names"));
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for entry in entries {
        let before = mistakes.len();
        let claim = claim(kind, &entry.key, &entry.value, mistakes);
        let Some(claim) = claim else { continue };
        if mistakes.len() > before {
            continue;
        }
        match subject(&claim) {
            Ok(()) => all.push(claim),
            Err(message) => mistakes.push(Mistake::new(entry.span.clone(), message)),
        }
    }
    all
}

/// The plain claim about a thing of this name.
///
/// Errors: what is wrong with the name.
pub fn plain(kind: Kind, name: &str) -> Result<Claim, String> {
    let claim = Claim::plain(kind, name);
    subject(&claim)?;
    Ok(claim)
}

/// One claim; none where it is to be skipped.
fn claim(kind: Kind, name: &str, node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Claim> {
    let entries = match &node.content {
        Content::Table(entries) => entries.as_slice(),
        Content::Nothing => &[],
        _ => {
            mistakes.push(mismatch(node, name, "a table"));
            return None;
        }
    };
    let mut claim = Claim {
        kind,
        name: name.to_owned(),
        settings: BTreeMap::new(),
        expected: Vec::new(),
    };
    let mut skip = false;
    for entry in entries {
        let key = entry.key.as_str();
        let property = kind.properties().iter().find(|it| it.name == key);
        let setting = kind.settings().iter().find(|it| it.name == key);
        if let Some(property) = property {
            match expected(property.form, &entry.value) {
                // An empty list, and nothing at all, assert nothing.
                Ok(None) => {}
                Ok(Some(it)) => claim.expected.push((property.name, it)),
                Err(mistake) => mistakes.push(mistake),
            }
        } else if let Some(setting) = setting {
            match words(setting.form, &entry.value) {
                Ok(it) if it.iter().all(String::is_empty) => {}
                Ok(it) => drop(claim.settings.insert(setting.name, it)),
                Err(mistake) => mistakes.push(mistake),
            }
        } else {
            match key {
                "skip" => match words(Form::Flag, &entry.value) {
                    Ok(it) => skip = it == ["true"],
                    Err(mistake) => mistakes.push(mistake),
                },
                "title" => match words(Form::Text, &entry.value) {
                    Ok(it) => {
                        // The name is still what is looked at.
                        let subject = kind.subject();
                        claim
                            .settings
                            .entry(subject)
                            .or_insert_with(|| vec![name.to_owned()]);
                        claim.name = it.concat();
                    }
                    Err(mistake) => mistakes.push(mistake),
                },
                "meta" => {}
                _ => {
                    let known = kind.properties().iter().chain(kind.settings());
                    let known: Vec<&str> = known.map(|it| it.name).chain(COMMON).collect();
                    let message = format!("unknown key `{key}` of a {}", kind.word());
                    let hint = suggest::advice(key, known.iter().copied());
                    mistakes.push(Mistake::new(entry.span.clone(), message).hint(hint));
                }
            }
        }
    }
    let main = kind.main().name;
    if !claim.expected.iter().any(|(name, _)| *name == main) {
        claim.expected.insert(0, kind.default());
    }
    (!skip).then_some(claim)
}

/// What the value of a property says that it must be; none where it says nothing.
fn expected(form: Form, node: &Node) -> Result<Option<Expected>, Mistake> {
    match &node.content {
        Content::Nothing => Ok(None),
        Content::List(list) if list.is_empty() => Ok(None),
        Content::Text(text) if form == Form::Lines => {
            Ok(Some(Expected::Lines(vec![pattern(text, node)?])))
        }
        Content::Text(text) => Ok(Some(Expected::Is(checked(form, text, node)?))),
        Content::List(list) if form == Form::Lines => {
            let patterns = list.iter().map(|node| match &node.content {
                Content::Text(text) => pattern(text, node),
                _ => Err(mismatch(node, "a pattern", "a word")),
            });
            patterns
                .collect::<Result<_, _>>()
                .map(|all| Some(Expected::Lines(all)))
        }
        Content::List(list) if form == Form::Texts => {
            Ok(Some(Expected::All(nested(Form::Text, list)?)))
        }
        Content::List(_) => Err(mismatch(node, "this", "one value")),
        Content::Table(_) => matcher(form, node).map(Some),
    }
}

/// Everything in a list, each of which must say something.
fn nested(form: Form, list: &[Node]) -> Result<Vec<Expected>, Mistake> {
    let one = |node: &Node| {
        expected(form, node)?.ok_or_else(|| mismatch(node, "this", "a value or a matcher"))
    };
    list.iter().map(one).collect()
}

fn matcher(form: Form, node: &Node) -> Result<Expected, Mistake> {
    let Content::Table(entries) = &node.content else {
        return Err(mismatch(node, "this", "a matcher"));
    };
    let [entry] = entries.as_slice() else {
        let mistake = Mistake::new(node.span.clone(), "a matcher has one name");
        return Err(mistake.hint(Some("`and` and `or` take several".to_owned())));
    };
    let value = &entry.value;
    // What is compared is an element, or the text as a whole.
    let element = if form == Form::Texts || form == Form::Lines {
        Form::Text
    } else {
        form
    };
    let inner = |form| nested(form, std::slice::from_ref(value)).map(|mut all| all.remove(0));
    let several = |form| match &value.content {
        Content::List(list) => nested(form, list),
        _ => Err(mismatch(value, &entry.key, "a list")),
    };
    let word = || words(Form::Text, value).map(|it| it.concat());
    let number = || -> Result<i64, Mistake> {
        let wrong = || mismatch(value, &entry.key, "a whole number");
        word()?.parse().map_err(|_| wrong())
    };
    Ok(match entry.key.as_str() {
        "and" => Expected::And(several(form)?),
        "or" => Expected::Or(several(form)?),
        "not" => Expected::Not(Box::new(inner(form)?)),
        "equal" => match &value.content {
            Content::List(_) => Expected::Exactly(words(Form::Texts, value)?),
            _ => Expected::Is(checked(element, &word()?, value)?),
        },
        "consist-of" => Expected::ConsistOf(several(Form::Text)?),
        "contain-elements" => Expected::All(several(Form::Text)?),
        "contain-element" => Expected::Element(Box::new(inner(Form::Text)?)),
        "contain-substring" => Expected::Substring(word()?),
        "have-prefix" => Expected::Prefix(word()?),
        "have-suffix" => Expected::Suffix(word()?),
        "match-regexp" => Expected::Regexp(regexp(&word()?, value)?),
        "have-len" => {
            let length = u64::try_from(number()?);
            Expected::Length(length.map_err(|_| mismatch(value, "have-len", "no less than 0"))?)
        }
        "gt" => Expected::Number(Relation::Gt, number()?),
        "ge" => Expected::Number(Relation::Ge, number()?),
        "lt" => Expected::Number(Relation::Lt, number()?),
        "le" => Expected::Number(Relation::Le, number()?),
        other => {
            let mistake = Mistake::new(entry.span.clone(), format!("unknown matcher `{other}`"));
            return Err(mistake.hint(suggest::advice(other, MATCHERS)));
        }
    })
}

/// The words of a setting's value.
fn words(form: Form, node: &Node) -> Result<Vec<String>, Mistake> {
    match (&node.content, form) {
        (Content::Text(text), _) => Ok(vec![checked(form, text, node)?]),
        (Content::Nothing, _) => Ok(Vec::new()),
        (Content::List(list), Form::Texts) => {
            let one = |node: &Node| match &node.content {
                Content::Text(text) => Ok(text.clone()),
                _ => Err(mismatch(node, "this", "a word")),
            };
            list.iter().map(one).collect()
        }
        _ => Err(mismatch(node, "this", "one value")),
    }
}

/// A word in the form that is compared.
fn checked(form: Form, text: &str, node: &Node) -> Result<String, Mistake> {
    let wrong = |what: &str| Mistake::new(node.span.clone(), format!("`{text}` is no {what}"));
    match form {
        Form::Flag if !matches!(text, "true" | "false") => Err(wrong("truth value")),
        Form::Number if text.parse::<i64>().is_err() => Err(wrong("whole number")),
        Form::Milliseconds if text.parse::<u32>().is_err() => Err(wrong("number of milliseconds")),
        Form::Mode => match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
            Ok(mode) if mode <= 0o7777 => Ok(format!("{mode:04o}")),
            _ => Err(wrong("octal mode")),
        },
        _ => Ok(text.to_owned()),
    }
}

fn pattern(text: &str, node: &Node) -> Result<Pattern, Mistake> {
    Pattern::parse(text).map_err(|error| bad_regexp(&error, node))
}

fn regexp(text: &str, node: &Node) -> Result<String, Mistake> {
    regex::Regex::new(text).map_err(|error| bad_regexp(&error, node))?;
    Ok(text.to_owned())
}

fn bad_regexp(error: &regex::Error, node: &Node) -> Mistake {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let reason = last.trim_start_matches("error: ");
    Mistake::new(
        node.span.clone(),
        format!("no regular expression: {reason}"),
    )
}

fn mismatch(node: &Node, what: &str, wanted: &str) -> Mistake {
    let message = format!("`{what}` must be {wanted}, not {}", node.type_word());
    let message = message
        .replace("`this`", "this")
        .replace("`a pattern`", "a pattern");
    Mistake::new(node.span.clone(), message)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
