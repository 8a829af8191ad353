//! What a package step asks for, free of the recipe's own types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Error, Fetched, Result};

/// A package step, whichever package manager realises it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Names to install, each optionally with a version (`nginx`, `nginx=1.22*`).
    pub install: Vec<String>,
    /// Package files to install.
    pub files: Vec<PathBuf>,
    /// Names to remove.
    pub remove: Vec<String>,
    /// Packages that a solution shall have in these very versions, if it has them at all.
    pub hold: Vec<Fetched>,
    /// Whether what packages merely recommend comes along.
    pub recommends: bool,
    /// Answers given to debconf beforehand: question (`tzdata/Areas`, or `owner question`) to
    /// value (`Europe`, or `select Europe`).
    pub debconf: BTreeMap<String, String>,
    /// Absolute paths of files that the packages' scripts need not make: they find them empty, and
    /// the normaliser removes them.
    pub spared: Vec<&'static str>,
    /// What is run at the end of an installation, by `/bin/sh`; `$x/state/started` is as old as its
    /// beginning.
    pub finish: String,
    /// Whether repositories without a valid signature are accepted.
    pub unsigned: bool,
    /// Whether the packages' own scripts may download something.
    pub network: bool,
    /// Variables of the recipe for the install phase.
    pub env: BTreeMap<String, String>,
}

impl Request {
    /// Refuses what a package manager would take for an option or a pattern.
    pub fn validate(&self) -> Result<()> {
        let mut names = self.install.iter().chain(&self.remove);
        names.try_for_each(|name| check_name(name))
    }
}

/// Refuses what no package manager takes for `name` or `name=version`.
pub fn check_name(selector: &str) -> Result<()> {
    let (bare, version) = split(selector);
    let first = bare.bytes().next();
    let good = first.is_some_and(|b| b.is_ascii_alphanumeric())
        && bare
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-._:".contains(&b))
        // To apt an order to remove it.
        && !bare.ends_with('-')
        && version.is_none_or(|v| {
            !v.is_empty()
                && v.bytes()
                    .all(|b| b.is_ascii_graphic() && !b"'\"\\".contains(&b))
        });
    if good {
        Ok(())
    } else {
        Err(Error::BadName {
            name: selector.to_owned(),
        })
    }
}

/// Splits `name=version`.
pub fn split(selector: &str) -> (&str, Option<&str>) {
    match selector.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (selector, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let request = |name: &str| Request {
            install: vec![name.to_owned()],
            ..Request::default()
        };
        for good in [
            "nginx",
            "g++",
            "nginx=1.22*",
            "libc6:amd64",
            "python3.11",
            "a=1:2~3+b",
        ] {
            assert!(request(good).validate().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-y",
            "nginx-",
            "nginx-=1",
            "--option",
            "?essential",
            "a b",
            "nginx=",
            "~nfoo",
            "a;b",
            "a=1'",
        ] {
            assert!(request(bad).validate().is_err(), "{bad}");
        }
    }
}
