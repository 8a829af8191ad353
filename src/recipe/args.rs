//! `[args]` and `${name}`.

use std::collections::BTreeMap;

/// What stands between `${` and `}` and is no known argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnknownArgument {
    /// The name as written.
    pub(super) name: String,
    /// The whole expression, `${` and `}` included, as far as it goes.
    pub(super) expression: String,
}

/// Says whether a text can name an argument.
pub(super) fn is_argument_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Replaces every `${name}` by the argument's value; `$${` stands for a literal `${`.
///
/// Values are taken as they are and not expanded again. A `$` without a brace is left alone.
pub(super) fn expand(
    text: &str,
    args: &BTreeMap<String, String>,
) -> Result<String, Vec<UnknownArgument>> {
    let mut expanded = String::with_capacity(text.len());
    let mut unknown = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at - 1]);
            expanded.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        expanded.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find('}').unwrap_or(inside.len());
        let name = &inside[..end];
        match args.get(name) {
            Some(value) if end < inside.len() => expanded.push_str(value),
            _ => {
                let stop = (at + 2 + end + 1).min(rest.len());
                let expression = rest[at..stop].lines().next().unwrap_or("${").to_owned();
                unknown.push(UnknownArgument {
                    name: name.to_owned(),
                    expression,
                });
            }
        }
        rest = inside.get(end + 1..).unwrap_or("");
    }
    expanded.push_str(rest);
    if unknown.is_empty() {
        Ok(expanded)
    } else {
        Err(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_once_and_escapes() {
        let args = BTreeMap::from([("a".to_owned(), "${b}".to_owned())]);
        assert_eq!(
            expand("x ${a} $${a} $a $", &args).as_deref(),
            Ok("x ${b} ${a} $a $")
        );
        let unknown = expand("${a ${b}", &args).unwrap_err();
        assert_eq!(unknown[0].expression, "${a ${b}");
    }
}
