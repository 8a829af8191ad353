//! What zypper's complaints mean, as text or as XML.

use crate::provision::Error;

/// How many lines of unexplained output go into an error.
const LAST_LINES: usize = 10;

/// Turns what a failed zypper said into an error.
pub(super) fn explain(output: &str) -> Error {
    let plain: Vec<String> = output.lines().map(plain).collect();
    let said: Vec<&str> = plain.iter().map(|line| line.trim()).collect();
    let has = |text: &str| said.iter().copied().find(|line| line.contains(text));
    for text in [
        "Signature verification failed",
        "is signed with an unknown key",
        "is unsigned",
        "is not signed",
        "signature is not OK",
        "Signature verification",
        "NOKEY",
    ] {
        if let Some(line) = has(text) {
            let details = line.to_owned();
            return Error::Unsigned { details };
        }
    }
    if let Some(line) = has("No provider of '") {
        let name = line.split('\'').nth(1).unwrap_or_default();
        let name = name.trim_start_matches('-');
        return match name.split_once('=') {
            Some((name, version)) => Error::UnknownVersion {
                name: name.to_owned(),
                version: version.to_owned(),
            },
            None => Error::UnknownPackage {
                name: name.to_owned(),
            },
        };
    }
    let problems: Vec<&str> = said
        .iter()
        .filter_map(|line| Some(line.split_once("Problem: ")?.1))
        .collect();
    if !problems.is_empty() {
        let details = problems.join("; ");
        return Error::Unsatisfiable { details };
    }
    if has("No repositories defined").is_some() {
        return Error::NoSources;
    }
    for text in [
        "Valid metadata not found",
        "Could not resolve",
        "Connection failed",
        "Timeout exceeded",
        "not found on medium",
        "Failed to retrieve",
        "Download (curl) error",
    ] {
        if let Some(line) = has(text) {
            let details = line.to_owned();
            return Error::Unreachable { details };
        }
    }
    // What rpm says is what it was; zypper says much around it.
    let rpm: Vec<&str> = said
        .iter()
        .filter_map(|line| {
            line.split_once("error: ")
                .or_else(|| line.split_once("warning: "))
        })
        .map(|(_, words)| words)
        .filter(|words| words.contains("scriptlet failed") || words.contains("install failed"))
        .collect();
    if !rpm.is_empty() {
        return Error::Failed {
            tool: "rpm",
            details: rpm.join("; "),
        };
    }
    let said: Vec<&str> = said.into_iter().filter(|line| !line.is_empty()).collect();
    let last = &said[said.len().saturating_sub(LAST_LINES)..];
    Error::Failed {
        tool: "zypper",
        details: last.join("\n"),
    }
}

/// A line without what makes it XML.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, tail)) = rest.split_once('<') {
        text.push_str(before);
        let Some((_, after)) = tail.split_once('>') else {
            rest = "";
            break;
        };
        rest = after;
    }
    text.push_str(rest);
    quick_xml::escape::unescape(&text).map_or(text.clone(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zypper_is_understood() {
        let case = |output: &str, expected: &str| {
            assert_eq!(explain(output).to_string(), expected, "{output}");
        };
        case(
            "<message type=\"info\">&apos;nosuch&apos; not found in package names. Trying \
             capabilities.</message>\n\
             <message type=\"error\">No provider of &apos;nosuch&apos; found.</message>\n",
            "unknown package `nosuch`",
        );
        case(
            "No provider of 'app=9' found.\n",
            "package `app` has no version `9`",
        );
        case(
            "<description>Problem: nothing provides /bin/sh needed by app-1-1.noarch\n \
             Solution 1: do not install app-1-1.noarch\n",
            "the packages cannot be installed together: nothing provides /bin/sh needed by \
             app-1-1.noarch",
        );
        case(
            "<message type=\"error\">[test|http://m.test/] Valid metadata not found at specified \
             URL\nHistory:\n - Signature verification failed for repomd.xml\n",
            "the package repository's signature does not hold: - Signature verification failed \
             for repomd.xml",
        );
        case(
            "[test|http://m.test/] Valid metadata not found at specified URL\n",
            "cannot reach the package repository: [test|http://m.test/] Valid metadata not found \
             at specified URL",
        );
        case(
            "(2/2) Installing: a-1-1.noarch [..error]\nInstallation of a-1-1.noarch failed:\n\
             error: %prein(a-1-1.noarch) scriptlet failed, exit status 3\n\
             error: a-1-1.noarch: install failed\n\nAbort, retry, ignore? [a/r/i] (a): a\n",
            "rpm failed: %prein(a-1-1.noarch) scriptlet failed, exit status 3; a-1-1.noarch: \
             install failed",
        );
        case("one\n\ntwo\n", "zypper failed: one\ntwo");
    }
}
