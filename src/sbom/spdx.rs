//! SPDX 2.3 as JSON.
//!
//! ```text
//! document DESCRIBES image ─┬─ CONTAINS operating system
//!                           ├─ CONTAINS package ── GENERATED_FROM source package
//!                           └─ CONTAINS file, as a package whose purpose is FILE
//! ```
//!
//! Source: SPDX specification 2.3 and its JSON schema. Files are packages of one file, because an
//! SPDX file needs a SHA-1 and a package that contains files a digest over all of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Bill;
use super::identity::{timestamp, uuid};
use super::spdx_package::{Package, file, image, os, package, package_id, source};

/// An SPDX document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spdx {
    #[serde(rename = "spdxVersion")]
    version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Package>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicence>,
    relationships: Vec<Relationship>,
}

#[derive(Clone, Debug, Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicence {
    license_id: String,
    extracted_text: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    #[serde(rename = "relationshipType")]
    kind: &'static str,
    related_spdx_element: String,
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";

impl Spdx {
    /// Writes a bill in this form.
    pub fn new(bill: &Bill) -> Self {
        let root = image(bill);
        let mut relationships = vec![relation(DOCUMENT, "DESCRIBES", root.id())];
        let parts = bill
            .os
            .iter()
            .map(os)
            .chain(bill.packages.iter().map(package))
            .chain(bill.files.iter().map(file));
        let mut packages = vec![root];
        for part in parts {
            relationships.push(relation(packages[0].id(), "CONTAINS", part.id()));
            packages.push(part);
        }
        let sources: BTreeMap<&str, Package> = bill
            .sources
            .iter()
            .map(|it| (it.purl.as_str(), source(it)))
            .collect();
        for built in &bill.packages {
            let from = built.source.as_deref().and_then(|purl| sources.get(purl));
            relationships
                .extend(from.map(|from| relation(&package_id(built), "GENERATED_FROM", from.id())));
        }
        packages.extend(sources.into_values());
        let extracted: BTreeMap<String, String> = packages
            .iter()
            .flat_map(|package| package.extracted.clone())
            .collect();
        let mut document = Self {
            version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: DOCUMENT,
            name: bill.name.clone(),
            document_namespace: String::new(),
            creation_info: CreationInfo {
                created: timestamp(bill.created),
                creators: vec![format!("Tool: racker-{}", env!("CARGO_PKG_VERSION"))],
            },
            packages,
            has_extracted_licensing_infos: extracted
                .into_iter()
                .map(|(license_id, extracted_text)| ExtractedLicence {
                    license_id,
                    extracted_text,
                })
                .collect(),
            relationships,
        };
        document.document_namespace = uuid(&document);
        document
    }
}

fn relation(from: &str, kind: &'static str, to: &str) -> Relationship {
    Relationship {
        spdx_element_id: from.to_owned(),
        kind,
        related_spdx_element: to.to_owned(),
    }
}
