//! Reads values out of a parsed TOML document and notes every mistake on the way.
//!
//! The document is read by hand and not through serde, so that one run finds all mistakes and each
//! keeps its place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::args::{expand, is_argument_name};
use super::{Diagnostic, Problem, Source, Span, suggest};
use crate::check::{Content, Entry, Node};

/// A value and its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// An expanded string and its place.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Span,
}

/// Collects mistakes while values are read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    source: &'a Arc<Source>,
    args: BTreeMap<String, String>,
    found: RefCell<Vec<Diagnostic>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Arc<Source>) -> Self {
        Self {
            source,
            args: BTreeMap::new(),
            found: RefCell::default(),
        }
    }

    /// Sets the values that `${name}` stands for from here on.
    pub(super) fn set_args(&mut self, args: BTreeMap<String, String>) {
        self.args = args;
    }

    pub(super) fn at(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.source, span, message)
    }

    pub(super) fn note(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Returns how many mistakes were noted so far.
    pub(super) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    pub(super) fn into_found(self) -> Vec<Diagnostic> {
        self.found.into_inner()
    }

    pub(super) fn problem(&self, span: Span, problem: Problem) {
        let diagnostic = self.at(span, problem.message());
        self.note(diagnostic.maybe_hint(problem.into_hint()));
    }

    /// Notes that a value has the wrong type.
    pub(super) fn mismatch(&self, value: &Value<'_>, what: &str, expected: &str) {
        let found = value.get_ref().type_str();
        let message = format!("`{what}` must be {expected}, not {}", with_article(found));
        let mut diagnostic = self.at(value.span(), message);
        let scalar = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        if expected == "a string" && scalar {
            diagnostic = diagnostic.hint("put it in quotes");
        }
        self.note(diagnostic);
    }

    /// Reads a string as it stands, without expanding anything.
    pub(super) fn literal<'v>(&self, value: &'v Value<'_>, what: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.mismatch(value, what, "a string");
        }
        text
    }

    /// Reads a string and expands the arguments in it.
    pub(super) fn text(&self, value: &Value<'_>, what: &str) -> Option<Text> {
        let literal = self.literal(value, what)?;
        if literal.contains('\0') {
            self.note(self.at(value.span(), format!("`{what}` has a null character")));
            return None;
        }
        match expand(literal, &self.args) {
            Ok(expanded) => Some(Text {
                value: expanded,
                span: value.span(),
            }),
            Err(unknown) => {
                for argument in unknown {
                    let span = self.place(value.span(), &argument.expression);
                    let message = if is_argument_name(&argument.name) {
                        format!("no argument `{}`", argument.name)
                    } else {
                        format!("`{}` names no argument", argument.expression)
                    };
                    let known = self.args.keys().map(String::as_str);
                    let near = suggest::similar(&argument.name, known);
                    let near = near.map(|name| format!("did you mean `{name}`?"));
                    self.note(self.at(span, message).maybe_hint(near).hint(
                        "arguments are declared in `[args]`; write `$${` for the shell's own `${`",
                    ));
                }
                None
            }
        }
    }

    /// Reads a string and makes something of it.
    pub(super) fn parsed<T>(
        &self,
        value: &Value<'_>,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let text = self.text(value, what)?;
        parse(&text.value)
            .map_err(|problem| self.problem(text.span, problem))
            .ok()
    }

    pub(super) fn boolean(&self, value: &Value<'_>, what: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.mismatch(value, what, "true or false");
        }
        boolean
    }

    /// Reads an array of strings.
    pub(super) fn texts(&self, value: &Value<'_>, what: &str) -> Vec<Text> {
        let DeValue::Array(array) = value.get_ref() else {
            self.mismatch(value, what, "an array of strings");
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|item| self.text(item, what))
            .collect()
    }

    /// Reads an array of strings that must differ from each other and pass a check.
    pub(super) fn set(
        &self,
        value: &Value<'_>,
        what: &str,
        check: impl Fn(&str) -> Result<(), Problem>,
    ) -> Vec<Text> {
        let mut kept: Vec<Text> = Vec::new();
        let mut places: BTreeMap<String, Span> = BTreeMap::new();
        for text in self.texts(value, what) {
            if let Err(problem) = check(&text.value) {
                self.problem(text.span, problem);
            } else if let Some(first) = places.get(&text.value) {
                let message = format!("`{}` stands twice in `{what}`", text.value);
                self.note(
                    self.at(text.span, message)
                        .also(first.clone(), "first here"),
                );
            } else {
                places.insert(text.value.clone(), text.span.clone());
                kept.push(text);
            }
        }
        kept
    }

    /// Takes a value of any shape, with the arguments in its strings expanded.
    pub(super) fn node(&self, value: &Value<'_>, what: &str) -> Node {
        let content = match value.get_ref() {
            DeValue::String(_) => match self.text(value, what) {
                Some(text) => Content::Text(text.value),
                None => Content::Nothing,
            },
            DeValue::Array(array) => {
                Content::List(array.iter().map(|it| self.node(it, what)).collect())
            }
            DeValue::Table(table) => Content::Table(
                table
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.get_ref().to_string(),
                        span: key.span(),
                        value: self.node(value, key.get_ref()),
                    })
                    .collect(),
            ),
            DeValue::Boolean(it) => Content::Text(it.to_string()),
            DeValue::Integer(it) => Content::Text(it.to_string()),
            DeValue::Float(it) => Content::Text(it.to_string()),
            DeValue::Datetime(it) => Content::Text(it.to_string()),
        };
        Node {
            span: value.span(),
            content,
        }
    }

    /// Finds an expression inside a string's place; escapes may hide it, then the whole string.
    fn place(&self, span: Span, expression: &str) -> Span {
        let raw = self.source.text().get(span.clone()).unwrap_or_default();
        match raw.find(expression) {
            Some(at) => span.start + at..span.start + at + expression.len(),
            None => span,
        }
    }
}

fn with_article(type_name: &str) -> String {
    let vowel = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if vowel { "an" } else { "a" })
}

/// Takes the texts without their places.
pub(super) fn plain(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}
