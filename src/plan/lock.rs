//! `recipe.lock`: every input of a chain of recipes, pinned.
//!
//! The file is TOML, sorted, printed in one way only, one package on a line, so that `git diff`
//! shows what changed and nothing else. It holds the whole chain, with a section for each package
//! step and platform. Printing what was parsed gives the same bytes.

use std::path::{Path, PathBuf};

use racker_store::Digest;
use serde::Serialize;

use super::Plan;
pub use super::lock_text::Error;
use crate::package::{Manager, Package};
use crate::recipe::Chain;

/// The version of the format.
pub const VERSION: i64 = 1;

/// The largest lock accepted, in bytes.
pub const MAX_SIZE: u64 = 64 << 20;

/// Every pinned input of a chain of recipes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The least source-date-epoch, in seconds: when the base was made. The date of each section
    /// raises it for its step and those that follow.
    pub epoch: Option<i64>,
    pub(super) bases: Vec<Base>,
    pub(super) files: Vec<Fetched>,
    pub(super) sections: Vec<Section>,
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base {
    /// The reference as the recipe has it.
    pub reference: String,
    /// Such as `linux/amd64`.
    pub platform: String,
    /// The digest of the platform's manifest.
    pub digest: Digest,
}

/// A file at a URL: a fetched one or a root filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Where it was.
    pub url: String,
    /// What it is.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// What the resolver found for one package step on one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The step's id, such as `debian-bookworm/bootstrap` or `web/1`.
    pub step: String,
    /// Such as `linux/amd64`.
    pub platform: String,
    /// The package manager.
    pub manager: Manager,
    /// Digest of what was asked, see [`request`](super::request).
    pub request: String,
    /// Digest of the packages that the parent had.
    pub parent: String,
    /// The newest date of the repositories' metadata that answered, in seconds since 1970.
    pub date: i64,
    /// Digest of that metadata.
    pub metadata: Digest,
    /// The `sources.list` that a bootstrap writes into the image; none for other steps.
    pub sources: Option<String>,
    /// The program that bootstraps, with its version; none for other steps.
    pub tool: Option<String>,
    /// The packages, sorted by name and architecture.
    pub packages: Vec<Package>,
}

/// Why a section does not answer what a recipe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// There is no section.
    #[error("the lock has no packages for this step and platform")]
    Missing,
    /// The recipe asks for something else by now.
    #[error("the step asks for other packages than the lock was made for")]
    Request,
    /// The tree below has other packages by now.
    #[error("the packages below this step are others than the lock was made for")]
    Parent,
}

impl Lock {
    /// Returns where the lock of a recipe file lies: beside it, `web.toml` to `web.lock`.
    pub fn path_beside(recipe: &Path) -> PathBuf {
        recipe.with_extension("lock")
    }

    /// Returns the source-date-epoch of a step, from the sections of these steps.
    pub fn epoch_of(&self, steps: &[String], platform: &str) -> i64 {
        let dates = steps
            .iter()
            .filter_map(|step| self.section(step, platform))
            .map(|section| section.date);
        dates.chain(self.epoch).max().unwrap_or(0)
    }

    /// Returns the section of a package step.
    pub fn section(&self, step: &str, platform: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|it| it.step == step && it.platform == platform)
    }

    /// Returns the packages of a package step.
    pub fn packages(&self, step: &str, platform: &str) -> Option<&[Package]> {
        self.section(step, platform)
            .map(|section| section.packages.as_slice())
    }

    /// Returns the digest of an image.
    pub fn base(&self, reference: &str, platform: &str) -> Option<&Digest> {
        let found = |it: &&Base| it.reference == reference && it.platform == platform;
        self.bases.iter().find(found).map(|it| &it.digest)
    }

    /// Returns a fetched file or root filesystem.
    pub fn fetch(&self, url: &str) -> Option<&Fetched> {
        self.files.iter().find(|it| it.url == url)
    }

    /// Goes through the sections, sorted.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Goes through the images, sorted.
    pub fn bases(&self) -> &[Base] {
        &self.bases
    }

    /// Goes through the files, sorted.
    pub fn files(&self) -> &[Fetched] {
        &self.files
    }

    /// Sets the section of a package step.
    pub fn set_section(&mut self, mut section: Section) {
        section
            .packages
            .sort_by(|one, other| one.order().cmp(&other.order()));
        self.sections
            .retain(|it| (&it.step, &it.platform) != (&section.step, &section.platform));
        self.sections.push(section);
        self.sections
            .sort_by(|one, other| one.order().cmp(&other.order()));
    }

    /// Sets the digest of an image.
    pub fn set_base(&mut self, base: Base) {
        self.bases
            .retain(|it| (&it.reference, &it.platform) != (&base.reference, &base.platform));
        self.bases.push(base);
        self.bases
            .sort_by(|one, other| one.order().cmp(&other.order()));
    }

    /// Sets a fetched file or root filesystem.
    pub fn set_fetch(&mut self, fetched: Fetched) {
        self.files.retain(|it| it.url != fetched.url);
        self.files.push(fetched);
        self.files.sort_by(|one, other| one.url.cmp(&other.url));
    }

    /// Forgets what was found for a platform, and all files.
    pub fn forget(&mut self, platform: &str) {
        self.epoch = None;
        self.files.clear();
        self.bases.retain(|it| it.platform != platform);
        self.sections.retain(|it| it.platform != platform);
    }

    /// Drops what a plan has no use for any more on a platform.
    pub fn prune(&mut self, plan: &Plan, platform: &str) {
        self.sections.retain(|it| {
            it.platform != platform || plan.steps.iter().any(|step| step.id == it.step)
        });
        self.bases
            .retain(|it| it.platform != platform || plan.base.names(&it.reference));
        self.files.retain(|it| {
            plan.base.names(&it.url) || plan.steps.iter().any(|step| step.fetches(&it.url))
        });
    }

    /// Keeps the sections of which the closure says so.
    pub fn retain_sections(&mut self, keep: impl FnMut(&Section) -> bool) {
        self.sections.retain(keep);
    }

    /// Says why the section of a step does not answer a request, where it does not.
    ///
    /// The parent's digest is left out where it is not known yet.
    pub fn stale(
        &self,
        step: &str,
        platform: &str,
        request: &str,
        parent: Option<&str>,
    ) -> Option<Stale> {
        let Some(section) = self.section(step, platform) else {
            return Some(Stale::Missing);
        };
        if section.request != request {
            Some(Stale::Request)
        } else if parent.is_some_and(|parent| parent != section.parent) {
            Some(Stale::Parent)
        } else {
            None
        }
    }

    /// Returns where the lock of a chain lies; nothing for a curated recipe, which has no directory.
    pub fn path_of(chain: &Chain) -> Option<PathBuf> {
        match &chain.recipe().origin {
            crate::recipe::Origin::Path(path) => Some(Self::path_beside(path)),
            crate::recipe::Origin::Curated(_) => None,
        }
    }
}

impl Base {
    pub(super) fn order(&self) -> (&str, &str) {
        (&self.reference, &self.platform)
    }
}

impl Section {
    /// Sorts by recipe, then place: the bootstrap, then steps by number.
    pub(super) fn order(&self) -> (&str, u64, &str, &str) {
        let (recipe, place) = self.step.rsplit_once('/').unwrap_or(("", &self.step));
        (recipe, place.parse().unwrap_or(0), place, &self.platform)
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
