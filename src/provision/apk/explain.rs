//! What apk's complaints mean. Source of the words: apk-tools' `src/print.c` and `src/commit.c`.

use crate::provision::Error;

/// How many lines of unexplained output go into an error.
const LAST_LINES: usize = 10;

/// Turns what a failed apk said into an error.
pub fn explain(output: &str) -> Error {
    let said: Vec<&str> = output.lines().map(str::trim).collect();
    let has = |text: &str| said.iter().copied().find(|line| line.contains(text));
    let details = |line: &str| {
        let bare = line.strip_prefix("ERROR: ");
        bare.or_else(|| line.strip_prefix("WARNING: "))
            .unwrap_or(line)
            .to_owned()
    };
    for text in ["UNTRUSTED signature", "BAD signature"] {
        if let Some(line) = has(text) {
            let details = details(line);
            return Error::Unsigned { details };
        }
    }
    for text in [
        "could not connect to server",
        "network error",
        "network connection aborted",
        "DNS lookup error",
        "DNS: ",
        "temporary error",
        "remote server returned error",
        "operation timed out",
        "unavailable repositories",
    ] {
        if let Some(line) = has(text) {
            let details = details(line);
            return Error::Unreachable { details };
        }
    }
    // What cannot be selected, and below each why.
    if let Some(start) = said
        .iter()
        .position(|line| line.contains("unable to select packages"))
    {
        let lines = &said[start + 1..];
        let missing = lines
            .iter()
            .find_map(|line| line.strip_suffix(" (no such package):"));
        if let Some(name) = missing {
            let name = name.to_owned();
            return Error::UnknownPackage { name };
        }
        return Error::Unsatisfiable {
            details: lines.join(" "),
        };
    }
    let errors: Vec<&str> = said
        .iter()
        .copied()
        .filter(|line| line.starts_with("ERROR: "))
        .collect();
    let chosen = if errors.is_empty() { &said } else { &errors };
    let last = &chosen[chosen.len().saturating_sub(LAST_LINES)..];
    Error::Failed {
        tool: "apk",
        details: last
            .iter()
            .map(|line| details(line))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apk_is_understood() {
        let case = |output: &str, expected: &str| {
            assert_eq!(explain(output).to_string(), expected, "{output}");
        };
        case(
            "ERROR: unable to select packages:\n  nosuch (no such package):\n    required by: world[nosuch]\n",
            "unknown package `nosuch`",
        );
        case(
            "ERROR: unable to select packages:\n  a-1-r0:\n    breaks: world[a=2]\n",
            "the packages cannot be installed together: a-1-r0: breaks: world[a=2]",
        );
        case(
            "WARNING: updating http://m.test/main: UNTRUSTED signature\n",
            "the package repository's signature does not hold: updating http://m.test/main: UNTRUSTED \
             signature",
        );
        case(
            "WARNING: fetching http://m.test/main: DNS lookup error\n",
            "cannot reach the package repository: fetching http://m.test/main: DNS lookup error",
        );
        case(
            "ERROR: a-1-r0: trying to overwrite usr/bin/b owned by c-1-r0.\n1 error; 7 MiB\n",
            "apk failed: a-1-r0: trying to overwrite usr/bin/b owned by c-1-r0.",
        );
    }
}
