//! The steps of a recipe.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use racker_store::Digest;
use serde::Serialize;

use super::{Mode, Owner};
use crate::package::Manager;

/// One entry of `[[step]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// `packages`, or the name of a package manager.
    Packages(PackagesStep),
    /// `run`.
    Run(RunStep),
    /// `copy`.
    Copy(CopyStep),
    /// `fetch`.
    Fetch(FetchStep),
    /// `units`.
    Units(UnitsStep),
}

/// Installs and removes packages with the image's own package manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PackagesStep {
    /// The manager, where the recipe names one; else it is detected in the image.
    pub manager: Option<Manager>,
    /// Names to install, as the manager takes them, in the recipe's order.
    pub install: Vec<String>,
    /// Package files to install, relative to the recipe's directory and inside it.
    pub files: Vec<String>,
    /// Names to remove.
    pub remove: Vec<String>,
    /// Whether weak dependencies are installed as well.
    pub recommends: bool,
    /// Answers given to debconf beforehand, sorted by question.
    pub debconf: Vec<Preseed>,
    /// Whether repositories without a valid signature are accepted.
    pub unsigned: bool,
    /// Whether the packages' scripts may use the network, which makes the step impure.
    pub network: bool,
}

/// One answer for debconf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preseed {
    /// The package that owns the question.
    pub owner: String,
    /// The question, such as `tzdata/Areas`.
    pub question: String,
    /// The type of the question, such as `select`.
    pub kind: String,
    /// The answer.
    pub value: String,
}

impl fmt::Display for Preseed {
    /// Writes the line that `debconf-set-selections` reads.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {} {}",
            self.owner, self.question, self.kind, self.value
        )
    }
}

/// Runs a shell script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunStep {
    /// What `/bin/sh -e` reads.
    pub script: String,
    /// Whether the script may use the network, which makes the step impure.
    pub network: bool,
    /// After how long the step has failed.
    pub timeout: Option<Duration>,
    /// Where the script starts.
    pub workdir: String,
    /// Who runs it.
    pub user: String,
    /// Variables for this script, over those of `[env]`.
    pub env: BTreeMap<String, String>,
    /// Secrets it may read, by id.
    pub secrets: Vec<String>,
    /// Directories kept between builds and out of the image.
    pub cache: Vec<String>,
}

impl Default for RunStep {
    fn default() -> Self {
        Self {
            script: String::new(),
            network: false,
            timeout: None,
            workdir: "/".to_owned(),
            user: "root".to_owned(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
            cache: Vec::new(),
        }
    }
}

/// Copies a file or a directory beside the recipe into the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CopyStep {
    /// The source, relative to the recipe's directory.
    pub from: String,
    /// The target; a file lands in it if it ends in a slash, a directory's content always does.
    pub to: String,
    /// The mode of files, where stated.
    pub mode: Option<Mode>,
    /// Who owns what is copied.
    pub owner: Owner,
}

/// Downloads a file into the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FetchStep {
    /// Where it is.
    pub url: String,
    /// The target; if it ends in a slash, the file lands in it under the URL's last component.
    pub to: String,
    /// What it must be, where stated; else the lock says.
    pub digest: Option<Digest>,
    /// Its mode, 0644 if not stated.
    pub mode: Option<Mode>,
    /// Who owns it.
    pub owner: Owner,
}

impl FetchStep {
    /// Returns the path of the file in the image.
    pub fn target(&self) -> String {
        if !self.to.ends_with('/') {
            return self.to.clone();
        }
        format!("{}{}", self.to, url_file_name(&self.url).unwrap_or("index"))
    }
}

/// Returns the last component of a URL's path, where there is one.
pub(super) fn url_file_name(url: &str) -> Option<&str> {
    let path = url
        .split(['?', '#'])
        .next()?
        .split_once("://")?
        .1
        .split_once('/')?
        .1;
    path.rsplit('/')
        .next()
        .filter(|name| !matches!(*name, "" | "." | ".."))
}

/// Switches systemd units on and off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnitsStep {
    /// Units to enable.
    pub enable: Vec<String>,
    /// Units to disable.
    pub disable: Vec<String>,
    /// Units to mask.
    pub mask: Vec<String>,
}

impl fmt::Display for Step {
    /// Writes what the step does, in one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(step) => {
                formatter.write_str(step.manager.map_or("packages", Manager::as_str))?;
                let removed = step.remove.iter().map(|name| format!("-{name}"));
                let installed = step.install.iter().chain(&step.files).cloned();
                let names: Vec<_> = installed.chain(removed).collect();
                write!(formatter, " {}", names.join(" "))
            }
            Self::Run(step) => {
                let mut lines = step
                    .script
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty());
                let first = lines.next().unwrap_or_default();
                let more = if lines.next().is_some() { " ..." } else { "" };
                write!(formatter, "run {first}{more}")
            }
            Self::Copy(step) => write!(formatter, "copy {} to {}", step.from, step.to),
            Self::Fetch(step) => write!(formatter, "fetch {} to {}", step.url, step.to),
            Self::Units(step) => {
                formatter.write_str("units")?;
                for (verb, units) in [
                    ("enable", &step.enable),
                    ("disable", &step.disable),
                    ("mask", &step.mask),
                ] {
                    if !units.is_empty() {
                        write!(formatter, " {verb} {}", units.join(" "))?;
                    }
                }
                Ok(())
            }
        }
    }
}
