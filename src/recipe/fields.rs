//! The keys of one table: each is asked for once, what is left over is unknown.

use std::collections::BTreeMap;
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use super::reader::{Reader, Text, Value, plain};
use super::{Problem, Span, suggest};

/// Reads one table of the document.
#[derive(Debug)]
pub(super) struct Fields<'r, 'i> {
    reader: &'r Reader<'r>,
    table: &'r DeTable<'i>,
    /// What the table is, for messages: "`run`" or "the recipe".
    what: &'static str,
    /// Where to point when something is missing.
    span: Span,
    known: Vec<&'static str>,
}

impl<'r, 'i> Fields<'r, 'i> {
    pub(super) fn new(
        reader: &'r Reader<'r>,
        table: &'r DeTable<'i>,
        what: &'static str,
        span: Span,
    ) -> Self {
        Self {
            reader,
            table,
            what,
            span,
            known: Vec::new(),
        }
    }

    /// Reads a value that must be a table.
    pub(super) fn of(
        reader: &'r Reader<'r>,
        value: &'r Value<'i>,
        what: &'static str,
        expected: &str,
    ) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            reader.mismatch(value, what.trim_matches('`'), expected);
            return None;
        };
        Some(Self::new(reader, table, what, value.span()))
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<&'r Value<'i>> {
        self.known.push(key);
        self.table.get(key)
    }

    pub(super) fn required(&mut self, key: &'static str) -> Option<&'r Value<'i>> {
        let value = self.get(key);
        if value.is_none() {
            let message = format!("{} needs `{key}`", self.what);
            self.reader.note(self.reader.at(self.span.clone(), message));
        }
        value
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<Text> {
        let value = self.get(key)?;
        self.reader.text(value, key)
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let value = self.get(key)?;
        self.reader.parsed(value, key, parse)
    }

    pub(super) fn value<T: FromStr<Err = Problem>>(&mut self, key: &'static str) -> Option<T> {
        let value = self.get(key)?;
        self.reader.parsed(value, key, str::parse)
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        self.reader.boolean(value, key)
    }

    pub(super) fn strings(&mut self, key: &'static str) -> Vec<String> {
        self.get(key)
            .map(|value| plain(self.reader.texts(value, key)))
            .unwrap_or_default()
    }

    pub(super) fn set(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), Problem>,
    ) -> Vec<Text> {
        self.get(key)
            .map(|value| self.reader.set(value, key, check))
            .unwrap_or_default()
    }

    /// Reads a table of strings whose keys the user chooses.
    pub(super) fn map(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), Problem>,
    ) -> BTreeMap<String, String> {
        let Some(value) = self.get(key) else {
            return BTreeMap::new();
        };
        let DeValue::Table(table) = value.get_ref() else {
            self.reader.mismatch(value, key, "a table of strings");
            return BTreeMap::new();
        };
        let mut map = BTreeMap::new();
        for (name, value) in table {
            if let Err(problem) = check(name.get_ref()) {
                self.reader.problem(name.span(), problem);
            } else if let Some(text) = self.reader.text(value, name.get_ref()) {
                map.insert(name.get_ref().to_string(), text.value);
            }
        }
        map
    }

    /// Notes every key that was not asked for.
    pub(super) fn finish(self) {
        for (key, _) in self.table {
            if !self.known.contains(&key.get_ref().as_ref()) {
                let message = format!("unknown key `{}` in {}", key.get_ref(), self.what);
                let advice = suggest::advice(key.get_ref(), self.known.iter().copied());
                self.reader
                    .note(self.reader.at(key.span(), message).maybe_hint(advice));
            }
        }
    }
}
