//! What pacman's complaints mean.

use crate::provision::Error;

/// How many lines of unexplained output go into an error.
const LAST_LINES: usize = 10;

/// Turns what a failed pacman said into an error.
pub fn explain(output: &str) -> Error {
    let said: Vec<&str> = output.lines().map(plain).collect();
    let has = |text: &str| said.iter().copied().find(|line| line.contains(text));
    let all = |texts: &[&str]| {
        let lines = said.iter().copied();
        let mut lines: Vec<&str> = lines
            .filter(|line| texts.iter().any(|text| line.contains(text)))
            // A question, and what it is about.
            .map(|line| {
                line.split_once(". Remove ")
                    .map_or(line, |(about, _)| about)
            })
            .collect();
        lines.dedup();
        lines.join("; ")
    };
    let after = |text: &str| {
        let rest = said.iter().find_map(|line| line.split_once(text));
        rest.map(|(_, name)| name.to_owned())
    };
    let reason = |name: &str| {
        all(&[
            "signature from ",
            "required key missing",
            "missing required signature",
            name,
        ])
    };

    let no_signature = said
        .iter()
        .copied()
        .find(|line| line.starts_with("failed retrieving file '") && line.contains(".sig' "));
    if let Some(line) = no_signature {
        return Error::Unsigned {
            details: line.to_owned(),
        };
    }
    if has("PGP signature").is_some()
        || has("required key missing").is_some()
        || has("missing required signature").is_some()
    {
        return Error::Unsigned {
            details: reason("PGP signature"),
        };
    }
    for text in [
        "Could not resolve host",
        "Failed to connect",
        "Connection timed out",
        "Connection refused",
        "failed retrieving file",
        "failed to retrieve some files",
        "no servers configured for repository",
    ] {
        if let Some(line) = has(text) {
            return Error::Unreachable {
                details: line.to_owned(),
            };
        }
    }
    if let Some(name) = after("target not found: ").or_else(|| after("package not found: ")) {
        return Error::UnknownPackage { name };
    }
    let conflict = [
        " are in conflict",
        "unable to satisfy dependency",
        "breaks dependency",
        "required by ",
        "conflicting dependencies",
    ];
    if conflict.iter().any(|text| has(text).is_some()) {
        return Error::Unsatisfiable {
            details: all(&conflict[..4]),
        };
    }
    let errors: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("error: ") || line.contains("exists in filesystem"))
        .map(plain)
        .collect();
    let chosen = if errors.is_empty() { &said } else { &errors };
    let last = &chosen[chosen.len().saturating_sub(LAST_LINES)..];
    Error::Failed {
        tool: "pacman",
        details: last.join("\n"),
    }
}

/// A line less what marks it.
fn plain(line: &str) -> &str {
    let line = line.trim();
    let bare = line
        .strip_prefix("error: ")
        .or_else(|| line.strip_prefix(":: "));
    bare.unwrap_or(line)
}
