//! What was asked of the builder, and what it added.
//!
//! A key document has both, and what was taken in as well. What was taken in is among the
//! dependencies; what the builder added is internal; everything else was asked.

use std::collections::BTreeMap;

use racker_store::{StepKey, TreeId};
use serde::Serialize;
use serde_json::Value;

use crate::plan::KeyDocument;
use crate::record::Step;

/// Fields of a document that are dependencies.
const TAKEN_IN: [&str; 4] = ["packages", "files", "inputs", "digest"];
/// Fields of a document that the builder adds.
const ADDED: [&str; 8] = [
    "schema",
    "implementation",
    "parent",
    "platform",
    "epoch",
    "normaliser",
    "tool",
    "sources",
];

/// What was asked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct External {
    pub(super) recipe: String,
    pub(super) steps: Vec<Asked>,
}

/// A step as it was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Asked {
    summary: String,
    key: StepKey,
    parameters: BTreeMap<String, Value>,
}

/// What the builder added.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Internal {
    pub(super) platform: Option<Value>,
    pub(super) epoch: i64,
    pub(super) steps: Vec<Done>,
}

/// A step as it was done: its implementation, epoch, normaliser and schema, and the trees.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Done {
    key: StepKey,
    tree: TreeId,
    #[serde(flatten)]
    added: BTreeMap<String, Value>,
}

impl Asked {
    pub(super) fn new(step: &Step<'_>, key: StepKey, document: &KeyDocument) -> Self {
        let asked = |field: &str| !TAKEN_IN.contains(&field) && !ADDED.contains(&field);
        Self {
            summary: step.layer.created_by.clone(),
            key,
            parameters: fields(document, asked),
        }
    }
}

impl Done {
    pub(super) fn new(step: &Step<'_>, key: StepKey, document: &KeyDocument) -> Self {
        Self {
            key,
            tree: step.layer.tree,
            added: fields(document, |field| {
                ADDED.contains(&field) && field != "platform"
            }),
        }
    }
}

fn fields(document: &KeyDocument, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    document
        .fields()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}
