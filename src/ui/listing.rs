//! Rows of things, as a table, by a template, or as JSON.

use serde_json::Value;

use super::template::Format;
use super::{Table, Ui};
use crate::failure::Failure;

/// A column: its heading and the field it shows.
pub type Column = (&'static str, &'static str);

/// How rows are asked to be shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// One field alone.
    pub only: Option<&'static str>,
    /// `json`, `table` and a template, or a template.
    pub format: Option<&'a str>,
}

impl Ui {
    /// Shows rows; these columns where nothing else is wished.
    pub fn listing(
        self,
        rows: &[Value],
        columns: &[Column],
        wish: Wish<'_>,
    ) -> Result<(), Failure> {
        if let Some(field) = wish.only {
            for row in rows {
                self.data(text(&row[field]))?;
            }
            return Ok(());
        }
        match wish.format.map(str::trim) {
            None | Some("" | "table") => self.table(rows, columns),
            Some("json") => {
                for row in rows {
                    self.data(row.to_string())?;
                }
                Ok(())
            }
            Some(format) => match format.strip_prefix("table ") {
                None => {
                    let format = Format::parse(format)?;
                    for row in rows {
                        self.data(format.render(row)?)?;
                    }
                    Ok(())
                }
                Some(format) => {
                    let parsed = Format::parse(format)?;
                    let mut lines = vec![heading(format, columns)];
                    for row in rows {
                        lines.push(parsed.render(row)?);
                    }
                    let mut table = Table::default();
                    for line in &lines {
                        table.line(line.split('\t').map(str::to_owned).collect());
                    }
                    table.lines().iter().try_for_each(|line| self.data(line))
                }
            },
        }
    }

    fn table(self, rows: &[Value], columns: &[Column]) -> Result<(), Failure> {
        let mut table = Table::default();
        table.line(columns.iter().map(|(name, _)| (*name).to_owned()).collect());
        for row in rows {
            table.line(
                columns
                    .iter()
                    .map(|(_, field)| text(&row[*field]))
                    .collect(),
            );
        }
        table.lines().iter().try_for_each(|line| self.data(line))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A template with the headings in place of the fields.
fn heading(format: &str, columns: &[Column]) -> String {
    let format = format.replace("\\t", "\t");
    let mut text = String::new();
    let mut rest = format.as_str();
    while let Some((before, inner)) = rest.split_once("{{") {
        text.push_str(before);
        let (inner, after) = inner.split_once("}}").unwrap_or((inner, ""));
        let word = inner
            .split_whitespace()
            .find_map(|word| word.strip_prefix('.'));
        let field = word.unwrap_or_default();
        let known = columns.iter().find(|(_, it)| *it == field);
        match known {
            Some((heading, _)) => text.push_str(heading),
            None => text.push_str(&field.to_uppercase()),
        }
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::heading;

    #[test]
    fn a_template_has_headings() {
        let columns = [("CONTAINER ID", "ID"), ("NAMES", "Names")];
        assert_eq!(
            heading(r"{{.ID}}\t{{.Names}}\t{{json .Labels}}", &columns),
            "CONTAINER ID\tNAMES\tLABELS"
        );
    }
}
