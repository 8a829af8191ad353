//! The statement, from the records of an image.

use std::collections::BTreeMap;

use racker_store::{Image, Store};
use serde::Serialize;

use super::base::base;
use super::dependency::of_steps;
use super::parameters::{Asked, Done, External, Internal};
use super::{Dependency, Error};
use crate::installed::Os;
use crate::record::steps;

/// What kind of build it was: `racker bake`, described by key documents.
pub const BUILD_TYPE: &str = "urn:racker:bake:v1";
/// Who built: racker on a machine that nobody vouches for.
pub const BUILDER: &str = "urn:racker:builder:local:v1";

/// An in-toto statement about how an image was built.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Dependency>,
    predicate_type: &'static str,
    predicate: Predicate,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: &'static str,
    external_parameters: External,
    internal_parameters: Internal,
    resolved_dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Serialize)]
struct RunDetails {
    builder: Builder,
}

#[derive(Clone, Debug, Serialize)]
struct Builder {
    id: &'static str,
}

impl Statement {
    /// States how an image was baked; `name` is what it is called.
    ///
    /// Errors: the image was not baked, or a step of it is not on record.
    pub fn of(store: &Store, image: &Image, name: &str) -> Result<Self, Error> {
        let Some(recipe) = &image.recipe else {
            return Err(Error::Foreign(name.to_owned()));
        };
        let steps = steps(store, image)?;
        let mut documents = Vec::new();
        let mut asked = Vec::new();
        let mut done = Vec::new();
        for step in &steps {
            let Some(key) = step.layer.step_key else {
                continue;
            };
            let document = step.document.as_ref().ok_or_else(|| Error::Unrecorded {
                number: step.number,
                summary: step.layer.created_by.clone(),
                key,
            })?;
            asked.push(Asked::new(step, key, document));
            done.push(Done::new(step, key, document));
            documents.push(document);
        }
        let first = documents.first();
        let parent = first.and_then(|it| it.get("parent")?.as_str()?.parse().ok());
        let os = Os::read(store, &store.tree(image.tree)?)?;
        let mut dependencies: Vec<_> = base(store, parent.unwrap_or(image.tree))?
            .into_iter()
            .collect();
        dependencies.extend(of_steps(documents.iter().copied(), os.as_ref()));
        let mut digest = BTreeMap::from([("blake3", image.tree.hex())]);
        digest.extend(image.digest.map(|manifest| ("sha256", manifest.hex())));
        Ok(Self {
            kind: "https://in-toto.io/Statement/v1",
            subject: vec![Dependency {
                name: name.to_owned(),
                digest,
                ..Dependency::default()
            }],
            predicate_type: "https://slsa.dev/provenance/v1",
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: BUILD_TYPE,
                    external_parameters: External {
                        recipe: recipe.clone(),
                        steps: asked,
                    },
                    internal_parameters: Internal {
                        platform: first.and_then(|it| it.get("platform").cloned()),
                        epoch: image.created,
                        steps: done,
                    },
                    resolved_dependencies: dependencies,
                },
                run_details: RunDetails {
                    builder: Builder { id: BUILDER },
                },
            },
        })
    }
}
