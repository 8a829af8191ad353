//! Reading what `apk add --simulate` says that it would do.
//!
//! ```text
//! (1/3) Installing musl (1.2.5-r0)
//! (2/3) Upgrading busybox@edge (1.36.1-r28 -> 1.36.1-r29)
//! (3/3) Purging nano (8.0-r0)
//! OK: 8 MiB in 16 packages
//! ```
//!
//! Source: `print_change` in apk-tools' `src/commit.c`, the same in 2.14 and 3.0.

use crate::provision::{Error, Result};

/// Names and versions of the packages that would be installed.
pub(super) fn parse(output: &str) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for line in output.lines().map(str::trim_end) {
        let Some((_, rest)) = line.strip_prefix('(').and_then(|it| it.split_once(") ")) else {
            continue;
        };
        let unclear = || Error::Output {
            tool: "apk",
            line: line.to_owned(),
        };
        let (what, versions) = rest
            .strip_suffix(')')
            .and_then(|it| it.split_once(" ("))
            .ok_or_else(unclear)?;
        let (verb, name) = what.rsplit_once(' ').ok_or_else(unclear)?;
        match verb {
            "Installing" | "Upgrading" | "Downgrading" | "Replacing" | "Reinstalling" => {
                let (name, _tag) = name.split_once('@').unwrap_or((name, ""));
                let version = versions
                    .rsplit_once(" -> ")
                    .map_or(versions, |(_, new)| new);
                all.push((name.to_owned(), version.to_owned()));
            }
            "Purging" | "Updating pinning" => {}
            _ => return Err(unclear()),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read() {
        let changes = parse(
            "( 1/10) Installing musl (1.2.5-r0)\n(2/3) Upgrading busybox@edge (1.36.1-r28 -> 1.36.1-r29)\n\
             (3/3) Purging nano (8.0-r0)\n(3/3) Updating pinning a (1)\nOK: 8 MiB in 16 packages\n",
        );
        let own = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        let expected = [("musl", "1.2.5-r0"), ("busybox", "1.36.1-r29")].map(own);
        assert_eq!(changes.unwrap(), expected);
        assert!(parse("(1/1) Frobbing a (1)").is_err());
        assert!(parse("(1/1) Installing a").is_err());
    }
}
