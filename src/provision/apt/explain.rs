//! What apt's complaints mean.

use crate::provision::Error;

/// How many lines of unexplained output go into an error.
const LAST_LINES: usize = 10;

/// Turns what a failed apt said into an error.
pub fn explain(output: &str) -> Error {
    let said: Vec<&str> = output.lines().map(str::trim_end).collect();
    let has = |text: &str| said.iter().copied().find(|line| line.contains(text));
    let details = |line: &str| {
        line.trim_start()
            .trim_start_matches("E: ")
            .trim_start_matches("W: ")
            .to_owned()
    };

    if let Some(line) = has("NO_PUBKEY")
        .or_else(|| has("is not signed"))
        .or_else(|| has("GPG error"))
        .or_else(|| has("signatures were invalid"))
        .or_else(|| has("signature verification"))
    {
        return Error::Unsigned {
            details: details(line),
        };
    }
    if let Some(line) = has("is not valid yet").or_else(|| has("is expired")) {
        return Error::Expired {
            details: details(line),
        };
    }
    for text in [
        "Temporary failure resolving",
        "Could not resolve",
        "Could not connect",
        "Cannot initiate the connection",
        "Connection failed",
        "Connection timed out",
        "Failed to fetch",
        "does not have a Release file",
        "Some index files failed to download",
    ] {
        if let Some(line) = has(text) {
            return Error::Unreachable {
                details: details(line),
            };
        }
    }
    if let Some(error) = virtual_package(&said) {
        return error;
    }
    if let Some(name) =
        after(&said, "Unable to locate package ").or_else(|| quoted(&said, "has no installation"))
    {
        return Error::UnknownPackage { name };
    }
    if let Some(line) = has("was not found").filter(|line| line.starts_with("E: Version '")) {
        let mut parts = line.split('\'');
        if let (Some(version), Some(name)) = (parts.nth(1), parts.nth(1)) {
            return Error::UnknownVersion {
                name: name.to_owned(),
                version: version.to_owned(),
            };
        }
    }
    if let Some(start) = said
        .iter()
        .position(|line| line.contains("unmet dependencies"))
    {
        let lines = said[start + 1..]
            .iter()
            .take_while(|line| line.starts_with(' '));
        return Error::Unsatisfiable {
            details: lines.map(|l| l.trim()).collect::<Vec<_>>().join("; "),
        };
    }
    let errors: Vec<&str> = said
        .iter()
        .copied()
        .filter(|line| line.starts_with("E: "))
        .collect();
    let chosen = if errors.is_empty() { &said } else { &errors };
    let last = &chosen[chosen.len().saturating_sub(LAST_LINES)..];
    Error::Failed {
        tool: "apt-get",
        details: last
            .iter()
            .map(|line| details(line))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// `Package NAME is a virtual package provided by:`, and under that one line for each provider.
fn virtual_package(said: &[&str]) -> Option<Error> {
    let is = |line: &&str| line.ends_with(" is a virtual package provided by:");
    let start = said.iter().position(is)?;
    let name = said[start].split(' ').nth(1)?.to_owned();
    let lines = said[start + 1..]
        .iter()
        .take_while(|line| line.starts_with(' '));
    let mut providers: Vec<String> = lines
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    providers.sort();
    providers.dedup();
    Some(Error::VirtualPackage { name, providers })
}

fn after(said: &[&str], text: &str) -> Option<String> {
    said.iter()
        .find_map(|line| line.split_once(text))
        .map(|(_, name)| name.to_owned())
}

fn quoted(said: &[&str], text: &str) -> Option<String> {
    let line = said.iter().find(|line| line.contains(text))?;
    line.split('\'').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_is_understood() {
        let case = |output: &str, expected: &str| {
            assert_eq!(explain(output).to_string(), expected, "{output}");
        };
        case(
            "E: Unable to locate package nosuch\n",
            "unknown package `nosuch`",
        );
        case(
            "E: Package 'foo' has no installation candidate\n",
            "unknown package `foo`",
        );
        let output = "Package awk is a virtual package provided by:\n  mawk 1.3\n  gawk 1:5.2.1-2\n\n\
                      E: Package 'awk' has no installation candidate\n";
        case(output, "package `awk` is a virtual one");
        let hints = explain(output).hints();
        assert_eq!(hints, ["name one that provides it: gawk, mawk"]);
        case(
            "E: Version '9*' for 'nginx' was not found\n",
            "package `nginx` has no version `9*`",
        );
        case(
            "Some packages could not be installed. This may mean\n\
             The following packages have unmet dependencies:\n a : Depends: b (= 1)\n     Depends: c\n\
             E: Unable to correct problems, you have held broken packages.\n",
            "the packages cannot be installed together: a : Depends: b (= 1); Depends: c",
        );
        case(
            "W: GPG error: http://m.test x InRelease: The following signatures couldn't be verified \
             because the public key is not available: NO_PUBKEY 0123\n\
             E: The repository 'http://m.test x InRelease' is not signed.\n",
            "the package repository's signature does not hold: GPG error: http://m.test x \
             InRelease: The following signatures couldn't be verified because the public key is \
             not available: NO_PUBKEY 0123",
        );
        case(
            "E: Failed to fetch http://m.test/InRelease  Temporary failure resolving 'm.test'\n\
             E: Some index files failed to download.\n",
            "cannot reach the package repository: Failed to fetch http://m.test/InRelease  \
             Temporary failure resolving 'm.test'",
        );
        case(
            "Setting up a (1) ...\ndpkg: error processing package a (--configure):\n\
             E: Sub-process /usr/bin/dpkg returned an error code (1)\n",
            "apt-get failed: Sub-process /usr/bin/dpkg returned an error code (1)",
        );
        case("one\ntwo\n", "apt-get failed: one\ntwo");
    }
}
