//! What a property must be, and whether what was seen is that.
//!
//! | written | holds if |
//! |---|---|
//! | a word | it is that word; of several, one of them is |
//! | a list | every element is matched by another one of those seen |
//! | a list, for lines of text | every pattern is found in a line, every `!pattern` in none |
//! | `equal` | as above for a word; a list is the same in the same order |
//! | `consist-of` | as a list, and nothing else is there |
//! | `contain-element`, `contain-elements` | one, or each of several, matches an element |
//! | `contain-substring`, `have-prefix`, `have-suffix`, `match-regexp` | the text does |
//! | `gt`, `ge`, `lt`, `le` | the number is |
//! | `have-len` | it has so many elements, or characters |
//! | `not`, `and`, `or` | of what they hold |
//!
//! Text has its lines as elements. Source: goss's documentation, "Matchers".

use std::fmt;

use serde::Serialize;

use super::matching::all_apart;

/// What a property must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Expected {
    /// This word.
    Is(String),
    /// A number that is so.
    Number(Relation, i64),
    /// Text that begins like this.
    Prefix(String),
    /// Text that ends like this.
    Suffix(String),
    /// Text with this in it.
    Substring(String),
    /// Text with a match of this in it.
    Regexp(String),
    /// Some element is so.
    Element(Box<Expected>),
    /// Each is matched by an element of its own.
    All(Vec<Expected>),
    /// The same, and no element is left.
    ConsistOf(Vec<Expected>),
    /// These elements in this order.
    Exactly(Vec<String>),
    /// So many elements or characters.
    Length(u64),
    /// Lines of text are or are not so.
    Lines(Vec<Pattern>),
    /// It is not so.
    Not(Box<Expected>),
    /// All of it holds.
    And(Vec<Expected>),
    /// Some of it holds.
    Or(Vec<Expected>),
}

/// How two numbers relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Relation {
    /// More than.
    Gt,
    /// At least.
    Ge,
    /// Less than.
    Lt,
    /// At most.
    Le,
}

/// What some line, or no line, must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// Whether no line may be so.
    pub absent: bool,
    /// Whether it is a regular expression.
    pub regexp: bool,
    /// What is looked for in a line.
    pub text: String,
}

/// What a property was seen to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A word, a number, or lines of text.
    Text(String),
    /// Several words.
    Many(Vec<String>),
}

impl Seen {
    fn elements(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.lines().collect(),
            Self::Many(all) => all.iter().map(String::as_str).collect(),
        }
    }

    /// Whether it, or one of it, is so.
    fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => is(text),
            Self::Many(all) => all.iter().any(|it| is(it)),
        }
    }
}

impl From<bool> for Seen {
    fn from(it: bool) -> Self {
        Self::Text(it.to_string())
    }
}

impl From<&str> for Seen {
    fn from(it: &str) -> Self {
        Self::Text(it.to_owned())
    }
}

impl From<String> for Seen {
    fn from(it: String) -> Self {
        Self::Text(it)
    }
}

impl From<Vec<String>> for Seen {
    fn from(it: Vec<String>) -> Self {
        Self::Many(it)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.len() > 80 || text.contains('\n') => {
                write!(f, "{} lines of text", text.lines().count())
            }
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Many(all) => write!(f, "[{}]", all.join(", ")),
        }
    }
}

impl Expected {
    /// Whether what was seen is so.
    pub fn holds(&self, seen: &Seen) -> bool {
        match self {
            Self::Is(word) => seen.any(|it| it == word),
            Self::Number(relation, limit) => seen.any(|it| {
                it.trim().parse::<i64>().is_ok_and(|it| match relation {
                    Relation::Gt => it > *limit,
                    Relation::Ge => it >= *limit,
                    Relation::Lt => it < *limit,
                    Relation::Le => it <= *limit,
                })
            }),
            Self::Prefix(part) => seen.any(|it| it.starts_with(part)),
            Self::Suffix(part) => seen.any(|it| it.trim_end_matches('\n').ends_with(part)),
            Self::Substring(part) => seen.any(|it| it.contains(part)),
            Self::Regexp(part) => seen.any(|it| is_match(part, it)),
            Self::Element(inner) => seen
                .elements()
                .into_iter()
                .any(|it| inner.holds(&it.into())),
            Self::All(all) => {
                all_apart(all, &seen.elements(), |it, word| it.holds(&(*word).into()))
            }
            Self::ConsistOf(all) => {
                let elements = seen.elements();
                elements.len() == all.len()
                    && all_apart(all, &elements, |it, word| it.holds(&(*word).into()))
            }
            Self::Exactly(all) => seen.elements() == *all,
            Self::Length(length) => {
                let seen = match seen {
                    Seen::Text(text) => text.chars().count(),
                    Seen::Many(all) => all.len(),
                };
                seen as u64 == *length
            }
            Self::Lines(patterns) => patterns.iter().all(|it| it.holds(seen)),
            Self::Not(inner) => !inner.holds(seen),
            Self::And(all) => all.iter().all(|it| it.holds(seen)),
            Self::Or(all) => all.iter().any(|it| it.holds(seen)),
        }
    }

    /// What of it does not hold, where that can be said for itself.
    pub fn missing(&self, seen: &Seen) -> String {
        let list = |all: Vec<String>| all.join(", ");
        match self {
            Self::Lines(patterns) => {
                let wrong = patterns.iter().filter(|it| !it.holds(seen));
                list(wrong.map(ToString::to_string).collect())
            }
            Self::All(all) => {
                let wrong = all
                    .iter()
                    .filter(|it| !Self::Element(Box::new((*it).clone())).holds(seen));
                let wrong: Vec<String> = wrong.map(ToString::to_string).collect();
                if wrong.is_empty() {
                    self.to_string()
                } else {
                    list(wrong)
                }
            }
            _ => self.to_string(),
        }
    }
}

/// A pattern that was tried when it was read.
fn is_match(pattern: &str, text: &str) -> bool {
    regex::Regex::new(pattern).is_ok_and(|it| it.is_match(text))
}

impl Pattern {
    /// `text`, `/regexp/`, either with a `!` before it; `\!` and `\/` stand for themselves.
    pub fn parse(written: &str) -> Result<Self, regex::Error> {
        let (absent, rest) = match written.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let inner = rest
            .strip_prefix('/')
            .and_then(|it| it.strip_suffix('/'))
            .filter(|it| !it.is_empty());
        if let Some(inner) = inner {
            regex::Regex::new(inner)?;
        }
        let text = match inner {
            Some(inner) => inner,
            None if rest.starts_with("\\!") || rest.starts_with("\\/") => &rest[1..],
            None => rest,
        };
        Ok(Self {
            absent,
            regexp: inner.is_some(),
            text: text.to_owned(),
        })
    }

    fn holds(&self, seen: &Seen) -> bool {
        let like = |line: &&str| {
            if self.regexp {
                is_match(&self.text, line)
            } else {
                line.contains(&self.text)
            }
        };
        seen.elements().iter().any(like) != self.absent
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let no = if self.absent { "no " } else { "" };
        if self.regexp {
            write!(f, "{no}/{}/", self.text)
        } else {
            write!(f, "{no}`{}`", self.text)
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, all: &[Self], between: &str| {
            for (place, it) in all.iter().enumerate() {
                let before = if place == 0 { "" } else { between };
                write!(f, "{before}{it}")?;
            }
            Ok(())
        };
        match self {
            Self::Is(word) => write!(f, "`{word}`"),
            Self::Number(relation, limit) => {
                let word = match relation {
                    Relation::Gt => "more than",
                    Relation::Ge => "at least",
                    Relation::Lt => "less than",
                    Relation::Le => "at most",
                };
                write!(f, "{word} {limit}")
            }
            Self::Prefix(text) => write!(f, "`{text}...`"),
            Self::Suffix(text) => write!(f, "`...{text}`"),
            Self::Substring(text) => write!(f, "`...{text}...`"),
            Self::Regexp(text) => write!(f, "/{text}/"),
            Self::Element(inner) => write!(f, "an element {inner}"),
            Self::All(all) => list(f, all, ", "),
            Self::ConsistOf(all) => {
                f.write_str("exactly ")?;
                list(f, all, ", ")
            }
            Self::Exactly(all) => write!(f, "[{}]", all.join(", ")),
            Self::Length(length) => write!(f, "{length} elements"),
            Self::Lines(patterns) => {
                let all: Vec<String> = patterns.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(", "))
            }
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::And(all) => list(f, all, " and "),
            Self::Or(all) => list(f, all, " or "),
        }
    }
}

#[cfg(test)]
#[path = "expected_tests.rs"]
mod tests;
