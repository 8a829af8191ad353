//! Answers given to debconf before packages ask.

use std::collections::BTreeMap;

/// The types that debconf knows.
const TYPES: [&str; 9] = [
    "boolean",
    "error",
    "multiselect",
    "note",
    "password",
    "select",
    "string",
    "text",
    "title",
];

/// The input of `debconf-set-selections`, a line per answer.
///
/// The owner of a question is what it says before a space, else the first part of its name; the
/// type is the value's first word where that is a type, else `boolean` or `string`.
pub(crate) fn selections(answers: &BTreeMap<String, String>) -> String {
    let line = |(question, value): (&String, &String)| {
        let (owner, question) = question
            .split_once(' ')
            .unwrap_or_else(|| (question.split('/').next().unwrap_or(question), question));
        let value = value.replace('\n', " ");
        let (kind, value) = match value.split_once(' ') {
            Some((kind, rest)) if TYPES.contains(&kind) => (kind, rest),
            _ if value == "true" || value == "false" => ("boolean", value.as_str()),
            _ => ("string", value.as_str()),
        };
        format!("{owner} {} {kind} {value}\n", question.trim())
    };
    answers.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_type_are_found() {
        let answers = [
            ("tzdata/Areas", "select Europe"),
            ("man-db/auto-update", "false"),
            ("postfix postfix/mailname", "host.test"),
            ("dash dash/sh", "boolean true"),
        ];
        let answers = answers.map(|(q, v)| (q.to_owned(), v.to_owned())).into();
        assert_eq!(
            selections(&answers),
            "dash dash/sh boolean true\nman-db man-db/auto-update boolean false\n\
             postfix postfix/mailname string host.test\ntzdata tzdata/Areas select Europe\n"
        );
    }
}
