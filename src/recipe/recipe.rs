//! One recipe as a value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Diagnostic, From, ImageConfig, Probe, Source, Span, Step};

/// Where a recipe comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, by the path that the user or another recipe gave.
    Path(PathBuf),
    /// A recipe shipped in the program, by its label.
    Curated(String),
}

/// One recipe, its arguments expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The image's name.
    pub name: String,
    /// Where the recipe comes from.
    pub origin: Origin,
    /// The directory that sources are relative to; empty for a curated recipe, which has none.
    pub directory: PathBuf,
    /// `[args]` with what `--set` put over it.
    pub args: BTreeMap<String, String>,
    /// `[env]`.
    pub env: BTreeMap<String, String>,
    /// What it builds on.
    pub from: From,
    /// Its own steps, in order.
    pub steps: Vec<Step>,
    /// `[image]`.
    pub image: ImageConfig,
    /// `[probe]`.
    pub probe: Option<Probe>,
    /// `normalise`: rules by name, true where they stay on.
    pub normalise: BTreeMap<String, bool>,
    /// The text it was read from.
    pub source: Arc<Source>,
    /// Where `from` and the steps stand in it.
    pub places: Places,
}

/// Where the parts of a recipe stand in its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// `name`, or the start of the file.
    pub name: Span,
    /// The value of `from`.
    pub from: Span,
    /// The value of every step's key.
    pub steps: Vec<Span>,
}

impl Recipe {
    /// Returns the names of the normaliser's rules that the recipe switches off.
    pub fn switched_off(&self) -> Vec<String> {
        self.normalise
            .iter()
            .filter(|(_, on)| !**on)
            .map(|(rule, _)| rule.clone())
            .collect()
    }

    /// Makes a diagnostic that points at `from`, for bases that turn out wrong later.
    pub fn at_from(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(&self.source, self.places.from.clone(), message)
    }

    /// Makes a diagnostic that points at a step, counted from one.
    pub fn at_step(&self, place: usize, message: impl Into<String>) -> Diagnostic {
        let span = place
            .checked_sub(1)
            .and_then(|index| self.places.steps.get(index));
        Diagnostic::new(&self.source, span.cloned().unwrap_or(0..0), message)
    }
}
