//! Step keys: everything that goes into a step, as a document, and its BLAKE3.
//!
//! A key is BLAKE3 in `derive_key` mode, under a context that names its version, of the document
//! written as canonical JSON. The document is kept with what was built, so that a later build can
//! say which field made it differ.
//!
//! | field | of which steps | what |
//! |---|---|---|
//! | `schema` | all | version of this table |
//! | `kind` | all | `bootstrap`, `packages`, `run`, `copy`, `fetch`, `units` |
//! | `implementation` | all | version of the code that does such a step |
//! | `parent` | all | tree id of the parent, never its key: equal results cut off rebuilding |
//! | `platform` | all | such as `linux/amd64` |
//! | `epoch` | all | source-date-epoch: the newest date that the lock has up to this step |
//! | `normaliser` | all | the rules that are applied to its result, each with its version |
//! | `network` | all | `none`, or `host` for an impure step |
//! | `env` | bootstrap, packages, run | variables the step sees, `[env]` and its own |
//! | `tool` | bootstrap | version of the program that does it |
//! | `sources` | bootstrap | the `sources.list` it writes, which the lock keeps |
//! | `distribution`, `suite`, `include`, `variant` | bootstrap | as the recipe says, names sorted |
//! | `manager` | packages | as the lock says, else the recipe |
//! | `install`, `remove`, `recommends`, `debconf` | packages | as the recipe says, names sorted |
//! | `files` | packages | BLAKE3 of each package file that the recipe names |
//! | `packages` | bootstrap, packages | the lock's `name:arch` to version and sha256, and whether it is signed |
//! | `script`, `workdir`, `user` | run | as the recipe says |
//! | `secrets`, `cache` | run | ids and paths, sorted |
//! | `from`, `to`, `owner` | copy | as the recipe says |
//! | `inputs` | copy | per path: kind, mode, xattrs, link target, BLAKE3 of the bytes |
//! | `to`, `mode`, `owner`, `digest` | fetch | path of the file, what it is |
//! | `enable`, `disable`, `mask` | units | sorted |
//!
//! Not in any key: the recipe's name and comments, the step's place, URLs and mirrors (the digest is
//! pinned instead), proxies, timeouts, limits, host paths, values of secrets, content of caches,
//! times of copied files.

use std::collections::BTreeMap;

use racker_store::{Digest, StepKey, TreeId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::inputs::Inputs;
use super::request::sorted;
use crate::canonical::canonical;
use crate::package::{Manager, Package};
use crate::recipe::{Bootstrap, CopyStep, FetchStep, Mode, PackagesStep, RunStep, UnitsStep};

/// Version of the table in the module's documentation.
pub const SCHEMA: u32 = 1;

const CONTEXT: &str = "racker 2026 step key v1";

/// Everything that goes into a step: sorted fields, each a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyDocument {
    fields: BTreeMap<String, Value>,
}

/// What surrounds a step, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The tree that the step starts from.
    pub parent: TreeId,
    /// Such as `linux/amd64`.
    pub platform: String,
    /// Source-date-epoch, in seconds.
    pub epoch: i64,
    /// Rules of the normaliser that are applied, with their versions.
    pub normaliser: Vec<String>,
    /// Version of the code that does the step.
    pub implementation: u32,
    /// `[env]` of the recipe and those below it.
    pub env: BTreeMap<String, String>,
}

impl KeyDocument {
    /// Describes a bootstrap; `tool` is the version of the program that does it.
    pub fn bootstrap(
        around: &Surroundings,
        bootstrap: &Bootstrap,
        tool: &str,
        sources: Option<&str>,
        packages: &[Package],
    ) -> Self {
        let mut document = Self::new("bootstrap", around, false);
        document.set("sources", json!(sources));
        document.set("env", json!(around.env));
        document.set("tool", json!(tool));
        document.set("distribution", json!(bootstrap.distribution));
        document.set("suite", json!(bootstrap.suite));
        document.set("include", json!(sorted(&bootstrap.include)));
        document.set("variant", json!(bootstrap.variant));
        document.set("packages", locked(packages));
        document
    }

    /// Describes a package step; the manager is the lock's.
    pub fn packages(
        around: &Surroundings,
        step: &PackagesStep,
        manager: Manager,
        packages: &[Package],
        files: &BTreeMap<String, String>,
    ) -> Self {
        let mut document = Self::new("packages", around, step.network);
        document.set("env", json!(around.env));
        document.set("manager", json!(manager));
        document.set("install", json!(sorted(&step.install)));
        document.set("remove", json!(sorted(&step.remove)));
        // A field of its own only where there is one: other steps keep their keys.
        if !files.is_empty() {
            document.set("files", json!(files));
        }
        document.set("recommends", json!(step.recommends));
        let answers: Vec<_> = step.debconf.iter().map(ToString::to_string).collect();
        document.set("debconf", json!(answers));
        document.set("packages", locked(packages));
        document
    }

    /// Describes a script.
    pub fn run(around: &Surroundings, step: &RunStep) -> Self {
        let mut document = Self::new("run", around, step.network);
        let mut env = around.env.clone();
        env.extend(step.env.clone());
        document.set("env", json!(env));
        document.set("script", json!(step.script));
        document.set("workdir", json!(step.workdir));
        document.set("user", json!(step.user));
        document.set("secrets", json!(sorted(&step.secrets)));
        document.set("cache", json!(sorted(&step.cache)));
        document
    }

    /// Describes a copy; the inputs already carry the step's mode.
    pub fn copy(around: &Surroundings, step: &CopyStep, inputs: &Inputs) -> Self {
        let mut document = Self::new("copy", around, false);
        document.set("from", json!(step.from));
        document.set("to", json!(step.to));
        document.set("owner", json!(step.owner));
        document.set("inputs", inputs.document());
        document
    }

    /// Describes a fetched file; the digest is the step's own or the lock's.
    pub fn fetch(around: &Surroundings, step: &FetchStep, digest: &Digest) -> Self {
        let mut document = Self::new("fetch", around, false);
        document.set("to", json!(step.target()));
        document.set("mode", json!(step.mode.unwrap_or(Mode::new(0o644))));
        document.set("owner", json!(step.owner));
        document.set("digest", json!(digest.to_string()));
        document
    }

    /// Describes the switching of units.
    pub fn units(around: &Surroundings, step: &UnitsStep) -> Self {
        let mut document = Self::new("units", around, false);
        document.set("enable", json!(sorted(&step.enable)));
        document.set("disable", json!(sorted(&step.disable)));
        document.set("mask", json!(sorted(&step.mask)));
        document
    }

    fn new(kind: &str, around: &Surroundings, network: bool) -> Self {
        let mut document = Self {
            fields: BTreeMap::new(),
        };
        document.set("schema", json!(SCHEMA));
        document.set("kind", json!(kind));
        document.set("implementation", json!(around.implementation));
        document.set("parent", json!(around.parent.to_string()));
        document.set("platform", json!(around.platform));
        document.set("epoch", json!(around.epoch));
        document.set("normaliser", json!(sorted(&around.normaliser)));
        document.set("network", json!(if network { "host" } else { "none" }));
        document
    }

    fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    /// Returns a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// Goes through the fields, sorted by name.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the document as a JSON object, as a realisation keeps it.
    pub fn to_value(&self) -> Value {
        Value::Object(self.fields.clone().into_iter().collect::<Map<_, _>>())
    }

    /// Reads a document that a realisation kept; nothing if it is no object.
    pub fn from_value(value: &Value) -> Option<Self> {
        let fields = value.as_object()?.clone().into_iter().collect();
        Some(Self { fields })
    }

    /// Returns the canonical text that is hashed.
    pub fn canonical(&self) -> String {
        canonical(&self.to_value())
    }

    /// Returns the key.
    pub fn key(&self) -> StepKey {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(self.canonical().as_bytes());
        StepKey::from_bytes(*hasher.finalize().as_bytes())
    }
}

/// Writes the lock's packages without their URLs; a name installed in two versions has two entries.
fn locked(packages: &[Package]) -> Value {
    let mut entries = Map::new();
    for package in packages {
        let mut name = format!("{}:{}", package.name, package.arch);
        if entries.contains_key(&name) {
            name = format!("{name}={}", package.version);
        }
        let sha256 = package.sha256.to_string();
        let mut entry = json!({ "version": package.version, "sha256": sha256 });
        // The image's database says whether a signature was checked.
        if package.signature.is_some() {
            entry["signed"] = true.into();
        }
        entries.insert(name, entry);
    }
    Value::Object(entries)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
