//! What the script says when it fails, and what dnf's complaints mean.

use crate::provision::Error;

/// How many lines of unexplained output go into an error.
const LAST_LINES: usize = 10;

/// Turns what a failed job said into an error. The script's last word is `transaction: KIND: DETAILS`.
pub(super) fn explain(output: &str) -> Error {
    let said: Vec<&str> = output.lines().map(str::trim_end).collect();
    let word = said
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("transaction: ")?.split_once(": "));
    let failed = |details: String| Error::Failed {
        tool: "dnf",
        details,
    };
    let Some((kind, details)) = word else {
        let last = &said[said.len().saturating_sub(LAST_LINES)..];
        return failed(last.join("\n"));
    };
    let details = details.to_owned();
    match kind {
        "unknown" => Error::UnknownPackage { name: details },
        "version" => {
            let (name, version) = details.split_once('\t').unwrap_or((&details, ""));
            Error::UnknownVersion {
                name: name.to_owned(),
                version: version.to_owned(),
            }
        }
        "unsatisfiable" => Error::Unsatisfiable { details },
        "unreachable" => Error::Unreachable { details },
        "signature" => Error::Unsigned { details },
        "untrusted" => Error::Untrusted { which: details },
        "sources" => Error::NoSources,
        "modules" => Error::Modules { streams: details },
        "dnf5" => five(&said),
        "unsupported" => Error::UnsupportedKind {
            program: "dnf",
            details,
        },
        _ => failed(details),
    }
}

/// What dnf 5 complains of.
fn five(said: &[&str]) -> Error {
    let complains = |line: &&str| !line.contains("Importing OpenPGP key");
    let lines = || said.iter().copied().filter(complains);
    let has = |text: &str| lines().find(|line| line.contains(text));
    if let Some(line) = has("No match for argument: ") {
        let (_, name) = line.split_once("argument: ").unwrap_or_default();
        let name = name.to_owned();
        return Error::UnknownPackage { name };
    }
    for (text, signature) in [
        ("OpenPGP check", true),
        ("GPG", true),
        ("OpenPGP", true),
        ("ignature", true),
        ("Cannot download", false),
        ("Failed to download", false),
        ("Could not resolve", false),
    ] {
        if let Some(line) = has(text) {
            let details = line.trim().to_owned();
            return if signature {
                Error::Unsigned { details }
            } else {
                Error::Unreachable { details }
            };
        }
    }
    if has("Failed to resolve the transaction").is_some() {
        let problems = said.iter().map(|line| line.trim());
        let problems = problems.filter(|line| line.starts_with(['P', '-']));
        let details = problems.collect::<Vec<_>>().join("; ");
        return Error::Unsatisfiable { details };
    }
    let last = &said[said.len().saturating_sub(LAST_LINES)..];
    Error::Failed {
        tool: "dnf5",
        details: last.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_understood() {
        let case = |output: &str, expected: &str| {
            assert_eq!(explain(output).to_string(), expected, "{output}");
        };
        case(
            "x\ntransaction: unknown: nosuch\n",
            "unknown package `nosuch`",
        );
        case(
            "transaction: version: app\t9*\n",
            "package `app` has no version `9*`",
        );
        case(
            "transaction: unsatisfiable: Problem: nothing provides x\n",
            "the packages cannot be installed together: Problem: nothing provides x",
        );
        case("one\ntwo\n", "dnf failed: one\ntwo");
        case(
            "Failed to resolve the transaction:\nNo match for argument: nosuch\n\
             transaction: dnf5: dnf5 install failed\n",
            "unknown package `nosuch`",
        );
        case(
            "Failed to resolve the transaction:\nProblem: conflicting requests\n  - nothing \
             provides x needed by y\ntransaction: dnf5: dnf5 install failed\n",
            "the packages cannot be installed together: Problem: conflicting requests; - nothing \
             provides x needed by y",
        );
    }
}
