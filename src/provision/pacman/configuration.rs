//! How an image configures its repositories, as its `pacman-conf(8)` prints it: every include and
//! variable resolved, `[options]` first.

use crate::provision::{Error, Result};

/// The repositories, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) repositories: Vec<Repository>,
}

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) name: String,
    /// Where its files are, the preferred place first.
    pub(super) servers: Vec<String>,
    /// What must be signed by a key that is trusted.
    pub(super) trust: Trust,
}

/// Signatures that are asked for. Source: "Package and Database Signature Checking" in
/// `pacman.conf(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trust {
    pub(super) package: Level,
    pub(super) database: Level,
}

/// What is asked of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    required: bool,
    trusted_only: bool,
}

impl Level {
    /// Whether nothing passes that is not signed by a key that is trusted.
    pub(super) fn holds(self) -> bool {
        self.required && self.trusted_only
    }
}

/// pacman's own default: optional, and trusted keys only.
const DEFAULT: Trust = Trust {
    package: Level {
        required: false,
        trusted_only: true,
    },
    database: Level {
        required: false,
        trusted_only: true,
    },
};

impl Trust {
    /// Takes one value of `SigLevel`.
    fn take(&mut self, word: &str) -> Option<()> {
        let (levels, rest): (&mut [&mut Level], &str) =
            if let Some(rest) = word.strip_prefix("Package") {
                (&mut [&mut self.package], rest)
            } else if let Some(rest) = word.strip_prefix("Database") {
                (&mut [&mut self.database], rest)
            } else {
                (&mut [&mut self.package, &mut self.database], word)
            };
        for level in levels {
            match rest {
                "Never" | "Optional" => level.required = false,
                "Required" => level.required = true,
                "TrustedOnly" => level.trusted_only = true,
                "TrustAll" => level.trusted_only = false,
                _ => return None,
            }
        }
        Some(())
    }
}

impl Configuration {
    /// Reads the output of `pacman-conf`.
    pub(super) fn parse(text: &str) -> Result<Configuration> {
        let mut configuration = Configuration::default();
        let mut default = DEFAULT;
        for line in text.lines() {
            let unclear = || Error::Output {
                tool: "pacman-conf",
                line: line.to_owned(),
            };
            if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                if name == "options" {
                    continue;
                }
                if name.is_empty() || name.starts_with('.') || name.contains('/') {
                    return Err(unclear());
                }
                configuration.repositories.push(Repository {
                    name: name.to_owned(),
                    servers: Vec::new(),
                    trust: default,
                });
                continue;
            }
            let last = configuration.repositories.last_mut();
            match (line.split_once(" = "), last) {
                (Some(("SigLevel", word)), Some(it)) => it.trust.take(word).ok_or_else(unclear)?,
                (Some(("SigLevel", word)), None) => default.take(word).ok_or_else(unclear)?,
                (Some(("Server", server)), Some(it)) => it.servers.push(server.to_owned()),
                _ => {}
            }
        }
        Ok(configuration)
    }

    /// The repository of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|it| it.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As pacman 6.0.2 prints it.
    const OUTPUT: &str = "[options]\nRootDir = /\nHoldPkg = pacman\nArchitecture = x86_64\n\
        SigLevel = PackageRequired\nSigLevel = PackageTrustedOnly\nSigLevel = DatabaseOptional\n\
        SigLevel = DatabaseTrustedOnly\n[one]\nUsage = All\nServer = http://x.test/one/x86_64\n\
        Server = http://y.test/one\n[two]\nUsage = All\nSigLevel = PackageNever\n\
        SigLevel = DatabaseRequired\nServer = http://z.test\n[three]\nSigLevel = PackageTrustAll\n";

    #[test]
    fn levels_are_inherited_and_overridden() {
        let read = Configuration::parse(OUTPUT).unwrap();
        let names: Vec<_> = read.repositories.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(read.repositories[0].servers.len(), 2);
        let holds = |name| {
            let trust = read.get(name).unwrap().trust;
            (trust.package.holds(), trust.database.holds())
        };
        assert_eq!(holds("one"), (true, false));
        assert_eq!(holds("two"), (false, true));
        assert_eq!(holds("three"), (false, false));
    }

    #[test]
    fn what_is_not_understood_is_no_permission() {
        for text in ["SigLevel = PackageMaybe", "[../x]", "[]"] {
            assert!(Configuration::parse(text).is_err(), "{text}");
        }
    }
}
