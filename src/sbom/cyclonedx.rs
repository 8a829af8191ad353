//! CycloneDX 1.6 as JSON.
//!
//! ```text
//! metadata.component   the image (container)
//! components           operating system, packages (library), files (file)
//!                      the source of a package is its pedigree's ancestor
//! dependencies         the image on all of them
//! ```
//!
//! Source: CycloneDX specification 1.6 (ECMA-424) and its JSON schema.

use serde::Serialize;

use super::Bill;
use super::cyclonedx_component::{Component, file, image, os, package};
use super::identity::{timestamp, uuid};

/// A CycloneDX document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CycloneDx {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Serialize)]
struct Metadata {
    timestamp: String,
    tools: Tools,
    component: Component,
}

#[derive(Clone, Debug, Serialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Vec<String>,
}

impl CycloneDx {
    /// Writes a bill in this form.
    pub fn new(bill: &Bill) -> Self {
        let sources = bill
            .sources
            .iter()
            .map(|it| (it.purl.as_str(), it))
            .collect();
        let components: Vec<Component> = bill
            .os
            .iter()
            .map(os)
            .chain(bill.packages.iter().map(|it| package(it, &sources)))
            .chain(bill.files.iter().map(file))
            .collect();
        let root = image(bill);
        let all = components.iter().filter_map(Component::reference);
        let mut document = Self {
            bom_format: "CycloneDX",
            spec_version: "1.6",
            serial_number: String::new(),
            version: 1,
            dependencies: vec![Dependency {
                reference: root.reference().unwrap_or_default().to_owned(),
                depends_on: all.map(str::to_owned).collect(),
            }],
            metadata: Metadata {
                timestamp: timestamp(bill.created),
                tools: Tools {
                    components: vec![Component::racker()],
                },
                component: root,
            },
            components,
        };
        document.serial_number = uuid(&document);
        document
    }
}
