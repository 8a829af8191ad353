//! A chain of recipes as a flat list of steps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use racker_store::{Digest, TreeId};
use serde::Serialize;

use super::inputs::{self, Inputs};
use super::key::{KeyDocument, Surroundings};
use super::lock::Lock;
use super::request;
use crate::package::Manager;
use crate::recipe::{Bootstrap, Chain, CopyStep, From, Step};

/// Versions of the code that does each kind of step; raised whenever it gives another result.
const IMPLEMENTATIONS: [(&str, u32); 6] = [
    ("bootstrap", 1),
    ("packages", 2),
    ("run", 2),
    ("copy", 1),
    ("fetch", 1),
    ("units", 1),
];

/// What a chain of recipes comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The image's name.
    pub recipe: String,
    /// What the first step starts from; the empty tree if that is a bootstrap.
    pub base: From,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
}

/// One step, with all that the recipes say about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its name in the lock: the recipe's name and `bootstrap` or the place.
    pub id: String,
    /// The name of the recipe that it stands in.
    pub recipe: String,
    /// Its place there, from one; a bootstrap has place zero.
    pub place: usize,
    /// Its place in the plan, from one.
    pub number: usize,
    /// What it does, in one line.
    pub summary: String,
    /// Whether it uses the network while it changes the image.
    pub impure: bool,
    /// What it does.
    pub action: Action,
    /// The variables of `[env]` that reach it.
    pub env: BTreeMap<String, String>,
    /// The rules of the normaliser that its recipe switches off.
    pub switched_off: Vec<String>,
    /// The recipe's directory; empty for a curated recipe.
    #[serde(skip)]
    pub directory: PathBuf,
    /// After how long it has failed.
    pub timeout: Option<std::time::Duration>,
    /// The steps with packages up to this one, by id: the dates of what they were made of are
    /// what its epoch is made of.
    pub dated: Vec<String>,
}

/// What a planned step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Makes the first tree out of a distribution's packages.
    Bootstrap(Bootstrap),
    /// Does a step of a recipe.
    Step(Step),
}

impl Plan {
    /// Lays out a chain.
    pub fn new(chain: &Chain) -> Self {
        let mut steps = Vec::new();
        if let From::Bootstrap(bootstrap) = chain.base() {
            steps.push(plan_step(chain, 0, 0, Action::Bootstrap(bootstrap.clone())));
        }
        for (index, place, step) in chain.steps() {
            let mut planned = plan_step(chain, index, place, Action::Step(step.clone()));
            planned.number = steps.len() + 1;
            steps.push(planned);
        }
        let mut dated = Vec::new();
        for step in &mut steps {
            if step.has_packages() {
                dated.push(step.id.clone());
            }
            step.dated.clone_from(&dated);
        }
        Self {
            recipe: chain.recipe().name.clone(),
            base: chain.base().clone(),
            steps,
        }
    }
}

fn plan_step(chain: &Chain, index: usize, place: usize, action: Action) -> PlannedStep {
    let recipe = &chain.recipes()[index];
    let (summary, id) = match &action {
        Action::Bootstrap(it) => {
            let summary = format!("bootstrap {} {}", it.distribution, it.suite);
            (summary, format!("{}/bootstrap", recipe.name))
        }
        Action::Step(step) => (step.to_string(), format!("{}/{place}", recipe.name)),
    };
    let (impure, timeout) = match &action {
        Action::Step(Step::Run(step)) => (step.network, step.timeout),
        Action::Step(Step::Packages(step)) => (step.network, None),
        _ => (false, None),
    };
    PlannedStep {
        id,
        recipe: recipe.name.clone(),
        place,
        number: 1,
        summary,
        impure,
        action,
        env: chain.env(index),
        switched_off: recipe.switched_off(),
        directory: recipe.directory.clone(),
        timeout,
        dated: Vec::new(),
    }
}

impl PlannedStep {
    /// Returns the word for what it does.
    pub fn kind(&self) -> &'static str {
        match &self.action {
            Action::Bootstrap(_) => "bootstrap",
            Action::Step(Step::Packages(_)) => "packages",
            Action::Step(Step::Run(_)) => "run",
            Action::Step(Step::Copy(_)) => "copy",
            Action::Step(Step::Fetch(_)) => "fetch",
            Action::Step(Step::Units(_)) => "units",
        }
    }

    /// Returns whether it installs packages, and so has a section in the lock.
    pub fn has_packages(&self) -> bool {
        matches!(
            self.action,
            Action::Bootstrap(_) | Action::Step(Step::Packages(_))
        )
    }

    /// Returns whether it fetches this URL.
    pub fn fetches(&self, url: &str) -> bool {
        matches!(&self.action, Action::Step(Step::Fetch(step)) if step.url == url)
    }

    /// Returns whether the lock says what it is made of.
    pub fn is_pinned(&self) -> bool {
        self.has_packages()
            || matches!(&self.action, Action::Step(Step::Fetch(step)) if step.digest.is_none())
    }

    /// Returns the digest of what it asks the resolver, if it is a package step or a bootstrap.
    ///
    /// Errors: a package file that cannot be read.
    pub fn request(&self) -> Result<Option<String>, KeyError> {
        Ok(match &self.action {
            Action::Bootstrap(bootstrap) => Some(request::of_bootstrap(bootstrap)),
            Action::Step(Step::Packages(step)) => {
                Some(request::of_packages(step, &self.digests(&step.files)?))
            }
            Action::Step(_) => None,
        })
    }

    /// Looks whether the files are there that it brings in; their bytes are not read.
    ///
    /// Errors: one is not, or leads out of the recipe's directory.
    pub fn find_files(&self) -> Result<(), KeyError> {
        let names = match &self.action {
            Action::Step(Step::Packages(step)) => &step.files[..],
            Action::Step(Step::Copy(step)) => std::slice::from_ref(&step.from),
            _ => &[],
        };
        let found = names
            .iter()
            .try_for_each(|name| inputs::find(&self.directory, name).map(drop));
        found.map_err(|error| self.unread(error))
    }

    /// Digests package files that it brings in: BLAKE3 by the name of each.
    fn digests(&self, names: &[String]) -> Result<BTreeMap<String, String>, KeyError> {
        inputs::digests(&self.directory, names).map_err(|error| self.unread(error))
    }

    /// Reads and digests what it copies.
    pub fn inputs(&self, copy: &CopyStep) -> Result<Inputs, KeyError> {
        Inputs::read(&self.directory, copy).map_err(|error| self.unread(error))
    }

    /// A file that it brings in cannot be read.
    pub fn unread(&self, source: inputs::Error) -> KeyError {
        KeyError::Inputs {
            step: self.id.clone(),
            source,
        }
    }

    /// Returns the version of the code that does it.
    pub fn implementation(&self) -> u32 {
        let found = IMPLEMENTATIONS
            .iter()
            .find(|(kind, _)| *kind == self.kind());
        found.map_or(0, |(_, version)| *version)
    }
}

/// What a key needs besides the plan and the parent.
#[derive(Clone, Copy, Debug)]
pub struct KeyContext<'a> {
    /// The lock; the epoch is zero where nothing in it has a date.
    pub lock: &'a Lock,
    /// Such as `linux/amd64`.
    pub platform: &'a str,
    /// Rules of the normaliser that are applied to the step's result, with their versions.
    pub rules: &'a [String],
}

/// Why a key cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The lock lacks an entry.
    #[error("the lock has no {what} for step {step}")]
    Unlocked {
        /// The step's id.
        step: String,
        /// What it lacks.
        what: &'static str,
    },
    /// A file that a step brings in cannot be read.
    #[error("step {step}: {source}")]
    Inputs {
        /// The step's id.
        step: String,
        /// What is wrong with it.
        source: inputs::Error,
    },
}

impl KeyError {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unlocked { .. } => Vec::new(),
            Self::Inputs { source, .. } => source.hints(),
        }
    }
}

/// Describes everything that goes into a step, once the tree it starts from is known.
pub fn key(
    planned: &PlannedStep,
    parent: TreeId,
    context: KeyContext<'_>,
) -> Result<KeyDocument, KeyError> {
    let around = Surroundings {
        parent,
        platform: context.platform.to_owned(),
        epoch: context.lock.epoch_of(&planned.dated, context.platform),
        normaliser: context.rules.to_vec(),
        implementation: planned.implementation(),
        env: planned.env.clone(),
    };
    let unlocked = |what| KeyError::Unlocked {
        step: planned.id.clone(),
        what,
    };
    let section = || {
        let section = context.lock.section(&planned.id, context.platform);
        section.ok_or_else(|| unlocked("packages"))
    };
    Ok(match &planned.action {
        Action::Bootstrap(bootstrap) => {
            let section = section()?;
            let sources = section.sources.as_deref();
            let tool = section.tool.as_deref().unwrap_or_default();
            KeyDocument::bootstrap(&around, bootstrap, tool, sources, &section.packages)
        }
        Action::Step(Step::Packages(step)) => {
            let section = section()?;
            let manager: Manager = step.manager.unwrap_or(section.manager);
            let files = planned.digests(&step.files)?;
            KeyDocument::packages(&around, step, manager, &section.packages, &files)
        }
        Action::Step(Step::Run(step)) => KeyDocument::run(&around, step),
        Action::Step(Step::Copy(step)) => KeyDocument::copy(&around, step, &planned.inputs(step)?),
        Action::Step(Step::Fetch(step)) => {
            let locked = || context.lock.fetch(&step.url).map(|fetched| fetched.digest);
            let digest: Digest = step
                .digest
                .or_else(locked)
                .ok_or_else(|| unlocked("digest"))?;
            KeyDocument::fetch(&around, step, &digest)
        }
        Action::Step(Step::Units(step)) => KeyDocument::units(&around, step),
    })
}

#[cfg(test)]
#[path = "planned_tests.rs"]
mod tests;
