//! Who owns a copied file.

use std::fmt;
use std::str::FromStr;

use super::Problem;

/// User and group, as names that the image knows or as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Name or number of the user.
    pub user: String,
    /// Name or number of the group.
    pub group: String,
}

impl Default for Owner {
    fn default() -> Self {
        Self {
            user: "root".to_owned(),
            group: "root".to_owned(),
        }
    }
}

/// Says whether a text is a user's or group's name as `useradd` takes it, or a number.
pub(super) fn is_principal(text: &str) -> bool {
    let number = text.bytes().all(|b| b.is_ascii_digit());
    let name = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.$".contains(&b));
    !text.is_empty()
        && if number {
            text.parse::<u32>().is_ok_and(|id| id < u32::MAX)
        } else {
            name
        }
}

impl FromStr for Owner {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text.split_once(':') {
            Some((user, group)) if is_principal(user) && is_principal(group) => Ok(Self {
                user: user.to_owned(),
                group: group.to_owned(),
            }),
            _ => Err(Problem::new(format!("`{text}` is no owner"))
                .hint("an owner is `user:group`, names or numbers, such as \"root:root\"")),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.user, self.group)
    }
}

impl serde::Serialize for Owner {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
