//! Licences as databases have them, as SPDX expressions where they are such.
//!
//! Source: SPDX 2.3, annex D. What is no expression, or names a licence that is not on SPDX's list,
//! becomes a `LicenseRef-` that the document declares, with the database's own words for its text.

use std::collections::BTreeMap;

use spdx::{AdditionItem, Expression, LicenseItem, ParseMode};

use super::identity::digits;

/// Strict, but for identifiers that were on the list once.
const MODE: ParseMode = ParseMode {
    allow_deprecated: true,
    ..ParseMode::STRICT
};

/// Longest text that is looked at as an expression.
const LONGEST: usize = 2048;

/// What a package declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// All of it in one expression.
    pub(super) expression: String,
    /// The identifiers in it that the document must declare, with their texts; none if all of them
    /// are on SPDX's list.
    pub(super) extracted: BTreeMap<String, String>,
}

/// Puts the licences of a package together, all of which hold; nothing if there are none.
pub(super) fn declared(licences: &[String]) -> Option<Declared> {
    let mut extracted = BTreeMap::new();
    let parts: Vec<String> = licences
        .iter()
        .map(|licence| licence.trim())
        .filter(|licence| !licence.is_empty())
        .map(|licence| {
            expression(licence, &mut extracted).unwrap_or_else(|| {
                let id = reference(licence);
                extracted.insert(id.clone(), licence.to_owned());
                id
            })
        })
        .collect();
    let expression = match parts.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => {
            let bracket = |part: &String| {
                if part.contains(' ') {
                    format!("({part})")
                } else {
                    part.clone()
                }
            };
            several
                .iter()
                .map(bracket)
                .collect::<Vec<_>>()
                .join(" AND ")
        }
    };
    Some(Declared {
        expression,
        extracted,
    })
}

/// The text as an expression, if it is one that a single document can have.
fn expression(text: &str, extracted: &mut BTreeMap<String, String>) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let parsed = Expression::parse_mode(text, MODE).ok()?;
    let mut references = Vec::new();
    for requirement in parsed.requirements() {
        if let Some(AdditionItem::Other(_)) = requirement.req.addition {
            return None;
        }
        if let LicenseItem::Other(reference) = &requirement.req.license {
            if reference.doc_ref.is_some() {
                return None;
            }
            references.push(format!("LicenseRef-{}", reference.lic_ref));
        }
    }
    for id in references {
        let said = format!("{id}, as a package database has it; the text is not in the database");
        extracted.entry(id).or_insert(said);
    }
    let upper = |word: &str| match word.to_ascii_uppercase() {
        operator if matches!(&*operator, "AND" | "OR" | "WITH") => operator,
        _ => word.to_owned(),
    };
    Some(
        text.split_whitespace()
            .map(upper)
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// An identifier for a text that is no expression: readable, and another one for another text.
fn reference(text: &str) -> String {
    let mut words = String::new();
    for c in text.chars().take(40) {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' => words.push(c),
            _ if !words.ends_with('-') && !words.is_empty() => words.push('-'),
            _ => {}
        }
    }
    format!("LicenseRef-{}-{}", words.trim_matches('-'), digits(text)).replace("--", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(licences: &[&str]) -> Declared {
        let licences: Vec<_> = licences.iter().map(ToString::to_string).collect();
        declared(&licences).unwrap()
    }

    #[test]
    fn expressions_stay() {
        for text in [
            "MIT",
            "GPL-2.0",
            "(MIT OR Apache-2.0) AND BSD-3-Clause",
            "GPL-2.0-or-later WITH Autoconf-exception-2.0",
        ] {
            let found = of(&[text]);
            assert_eq!(found.expression, text);
            assert!(found.extracted.is_empty());
        }
        assert_eq!(of(&["MIT  and Zlib"]).expression, "MIT AND Zlib");
        assert_eq!(
            of(&["MIT", "GPL-2.0-only OR MIT"]).expression,
            "MIT AND (GPL-2.0-only OR MIT)"
        );
    }

    #[test]
    fn other_words_are_declared() {
        let found = of(&["GPLv2+ and (custom)", "MIT"]);
        let (id, text) = found.extracted.first_key_value().unwrap();
        assert_eq!(text, "GPLv2+ and (custom)");
        assert_eq!(found.expression, format!("{id} AND MIT"));
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        assert!(
            id.starts_with("LicenseRef-GPLv2-and-custom-") && id.chars().all(fits),
            "{id}"
        );
        assert_ne!(of(&["a b"]).expression, of(&["a-b"]).expression);
        assert!(of(&["é"]).expression.starts_with("LicenseRef-"));
    }

    #[test]
    fn references_of_a_distribution_are_declared() {
        let found = of(&["MIT AND LicenseRef-Public-Domain"]);
        assert_eq!(found.expression, "MIT AND LicenseRef-Public-Domain");
        assert!(found.extracted.contains_key("LicenseRef-Public-Domain"));
        let odd = of(&["DocumentRef-x:LicenseRef-y"]);
        assert!(
            odd.expression.starts_with("LicenseRef-DocumentRef-x"),
            "{odd:?}"
        );
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(declared(&[]), None);
        assert_eq!(declared(&[" ".into()]), None);
        assert!(
            of(&[&"(".repeat(5000)])
                .expression
                .starts_with("LicenseRef-")
        );
    }
}
