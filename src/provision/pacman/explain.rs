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

    let no_signature = said
        .iter()
        .copied()
        .find(|line| line.starts_with("failed retrieving file '") && line.contains(".sig' "));
    if let Some(line) = no_signature {
        return Error::Unsigned {
            details: line.to_owned(),
        };
    }
    let about = [
        "signature from ",
        "required key missing",
        "missing required signature",
    ];
    for texts in [&about[..], &["PGP signature"]] {
        let details = all(texts);
        if !details.is_empty() {
            return Error::Unsigned { details };
        }
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
    // A question that nobody answers stands before what comes next.
    let line = line.rsplit_once("/n] ").map_or(line, |(_, rest)| rest);
    let bare = line
        .strip_prefix("error: ")
        .or_else(|| line.strip_prefix(":: "));
    bare.unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    // As pacman 6.0.2 says it.
    #[test]
    fn pacman_is_understood() {
        let case = |output: &str, expected: &str| {
            assert_eq!(explain(output).to_string(), expected, "{output}");
        };
        case(
            "error: target not found: nosuch\n",
            "unknown package `nosuch`",
        );
        case(
            "resolving dependencies...\nlooking for conflicting packages...\n\
             :: rival and extra are in conflict. Remove extra? [y/N] \n\
             error: unresolvable package conflicts detected\n\
             error: failed to prepare transaction (conflicting dependencies)\n\
             :: rival and extra are in conflict\n",
            "the packages cannot be installed together: rival and extra are in conflict",
        );
        case(
            "error: failed to prepare transaction (could not satisfy dependencies)\n\
             :: unable to satisfy dependency 'nothing>=2' required by broken\n",
            "the packages cannot be installed together: unable to satisfy dependency 'nothing>=2' \
             required by broken",
        );
        case(
            "checking package integrity...\n\
             error: app: signature from \"A <a@b.test>\" is unknown trust\n\
             :: File /run/racker/repo/app.pkg.tar is corrupted (invalid or corrupted package (PGP \
             signature)).\nDo you want to delete it? [Y/n] error: failed to commit transaction (invalid or corrupted package (PGP signature))\n",
            "the package repository's signature does not hold: app: signature from \"A <a@b.test>\" is \
             unknown trust",
        );
        case(
            "error: failed retrieving file 'test.db.sig' from m.test : The requested URL returned \
             error: 404\nerror: failed to synchronize all databases (unexpected error)\n",
            "the package repository's signature does not hold: failed retrieving file 'test.db.sig' \
             from m.test : The requested URL returned error: 404",
        );
        case(
            "error: failed retrieving file 'test.db' from m.test : Could not resolve host: m.test\n",
            "cannot reach the package repository: failed retrieving file 'test.db' from m.test : \
             Could not resolve host: m.test",
        );
        case(
            "error: Partition / too full: 2049 blocks needed, 3 blocks free\n\
             error: failed to commit transaction (not enough free disk space)\n",
            "pacman failed: Partition / too full: 2049 blocks needed, 3 blocks free\n\
             failed to commit transaction (not enough free disk space)",
        );
        case(
            "error: failed to commit transaction (conflicting files)\n\
             a: /usr/bin/b exists in filesystem (owned by c)\nErrors occurred\n",
            "pacman failed: failed to commit transaction (conflicting files)\n\
             a: /usr/bin/b exists in filesystem (owned by c)",
        );
        case("one\ntwo\n", "pacman failed: one\ntwo");
    }
}
