//! The components of a CycloneDX document.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Bill;
use super::bill::{BillPackage, BillSource};
use super::contact::{Contact, web_address};
use super::files::BillFile;
use super::licence::declared;
use crate::installed::Os;

/// A component of a CycloneDX document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Organisation>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Licence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pedigree: Option<Pedigree>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<ExternalReference>,
}

#[derive(Clone, Debug, Serialize)]
struct Organisation {
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact: Vec<Address>,
}

#[derive(Clone, Debug, Serialize)]
struct Address {
    email: String,
}

#[derive(Clone, Debug, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

/// A whole expression, which stands alone, or a licence that is not on SPDX's list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Licence {
    Expression(String),
    License { name: String },
}

#[derive(Clone, Debug, Serialize)]
struct Pedigree {
    ancestors: Vec<Component>,
}

#[derive(Clone, Debug, Serialize)]
struct ExternalReference {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

impl Component {
    /// What other parts of the document call it.
    pub(super) fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The program that writes the document.
    pub(super) fn racker() -> Self {
        Self {
            version: Some(env!("CARGO_PKG_VERSION").into()),
            ..Self::new("application", "racker")
        }
    }

    fn new(kind: &'static str, name: &str) -> Self {
        Self {
            kind,
            reference: None,
            supplier: None,
            name: name.to_owned(),
            version: None,
            description: None,
            hashes: Vec::new(),
            licenses: Vec::new(),
            purl: None,
            pedigree: None,
            external_references: Vec::new(),
        }
    }

    fn with_home(mut self, page: Option<&str>) -> Self {
        let page = page.and_then(web_address);
        self.external_references
            .extend(page.map(|url| ExternalReference {
                kind: "website",
                url: url.to_owned(),
            }));
        self
    }

    fn with_hash(mut self, alg: &'static str, hex: Option<String>) -> Self {
        self.hashes.extend(hex.map(|content| Hash { alg, content }));
        self
    }
}

/// The image itself.
pub(super) fn image(bill: &Bill) -> Component {
    let tree = bill.tree.to_string();
    Component {
        reference: Some(format!("image:{tree}")),
        version: Some(tree),
        ..Component::new("container", &bill.name)
    }
    .with_hash("SHA-256", bill.digest.map(|digest| digest.hex()))
}

/// The operating system that the image says it is.
pub(super) fn os(os: &Os) -> Component {
    Component {
        reference: Some(format!("os:{}", os.word())),
        version: os.version_id.clone(),
        description: os.pretty_name.clone(),
        ..Component::new("operating-system", &os.id)
    }
    .with_home(os.home_url.as_deref())
}

/// An installed package.
pub(super) fn package(bill: &BillPackage, sources: &BTreeMap<&str, &BillSource>) -> Component {
    let package = &bill.package;
    let supplier = match (&package.vendor, &package.maintainer) {
        (Some(vendor), _) => Contact::organisation(vendor),
        (None, Some(maintainer)) => Contact::parse(maintainer),
        (None, None) => None,
    };
    let source = bill.source.as_deref().and_then(|purl| sources.get(purl));
    Component {
        reference: Some(bill.purl.clone()),
        supplier: supplier.map(|contact| Organisation {
            name: contact.name,
            contact: contact
                .email
                .map(|email| Address { email })
                .into_iter()
                .collect(),
        }),
        version: Some(package.version.clone()),
        description: package.summary.clone(),
        licenses: licences(&package.licences),
        purl: Some(bill.purl.clone()),
        pedigree: source.map(|source| Pedigree {
            ancestors: vec![ancestor(source)],
        }),
        ..Component::new("library", &package.name)
    }
    .with_hash("SHA-256", bill.sha256.map(|digest| digest.hex()))
    .with_home(package.homepage.as_deref())
}

fn ancestor(source: &BillSource) -> Component {
    Component {
        version: Some(source.version.clone()),
        purl: Some(source.purl.clone()),
        ..Component::new("library", &source.name)
    }
}

/// A file that a step put there.
pub(super) fn file(bill: &BillFile) -> Component {
    Component {
        reference: Some(format!("file:{}", bill.path)),
        description: Some(bill.origin.clone()),
        ..Component::new("file", &bill.path)
    }
    .with_hash("SHA-256", Some(bill.sha256.hex()))
    .with_hash("BLAKE3", Some(bill.blake3.hex()))
}

fn licences(licences: &[String]) -> Vec<Licence> {
    match declared(licences) {
        None => Vec::new(),
        Some(declared) if declared.extracted.is_empty() => {
            vec![Licence::Expression(declared.expression)]
        }
        Some(_) => licences
            .iter()
            .map(|name| Licence::License { name: name.clone() })
            .collect(),
    }
}
