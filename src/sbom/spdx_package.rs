//! The packages of an SPDX document: image, operating system, packages, sources, files.

use std::collections::BTreeMap;

use racker_store::Digest;
use serde::Serialize;

use super::Bill;
use super::bill::{BillPackage, BillSource};
use super::contact::{Contact, web_address};
use super::files::BillFile;
use super::identity::digits;
use super::licence::declared;
use crate::installed::Os;

/// What nobody says.
const NO_ASSERTION: &str = "NOASSERTION";

/// A package of an SPDX document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(rename = "packageFileName", skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    supplier: String,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    primary_package_purpose: &'static str,
    /// Licences that the document must declare.
    #[serde(skip)]
    pub(super) extracted: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Clone, Debug, Serialize)]
struct ExternalRef {
    #[serde(rename = "referenceCategory")]
    category: &'static str,
    #[serde(rename = "referenceType")]
    kind: &'static str,
    #[serde(rename = "referenceLocator")]
    locator: String,
}

impl Package {
    /// Its identifier in the document.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn new(id: String, name: &str, purpose: &'static str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            version_info: None,
            file_name: None,
            supplier: NO_ASSERTION.into(),
            download_location: NO_ASSERTION,
            files_analyzed: false,
            checksums: Vec::new(),
            homepage: None,
            license_concluded: NO_ASSERTION,
            license_declared: NO_ASSERTION.into(),
            copyright_text: NO_ASSERTION,
            summary: None,
            comment: None,
            external_refs: Vec::new(),
            primary_package_purpose: purpose,
            extracted: BTreeMap::new(),
        }
    }

    fn with_purl(mut self, purl: &str) -> Self {
        self.external_refs.push(ExternalRef {
            category: "PACKAGE-MANAGER",
            kind: "purl",
            locator: purl.to_owned(),
        });
        self
    }

    /// SPDX has BLAKE3 too, but its own validator takes none of 64 digits.
    fn with_sha256(mut self, digest: Option<Digest>) -> Self {
        self.checksums.extend(digest.map(|digest| Checksum {
            algorithm: "SHA256",
            checksum_value: digest.hex(),
        }));
        self
    }
}

/// The image itself.
pub(super) fn image(bill: &Bill) -> Package {
    let package = Package {
        version_info: Some(bill.tree.to_string()),
        comment: Some("the version is the id of the image's tree".into()),
        ..Package::new("SPDXRef-Image".into(), &bill.name, "CONTAINER")
    };
    package.with_sha256(bill.digest)
}

/// The operating system that the image says it is.
pub(super) fn os(os: &Os) -> Package {
    Package {
        version_info: os.version_id.clone(),
        homepage: os.home_url.as_deref().and_then(web_address).map(Into::into),
        summary: os.pretty_name.clone(),
        ..Package::new("SPDXRef-OperatingSystem".into(), &os.id, "OPERATING-SYSTEM")
    }
}

/// An installed package.
pub(super) fn package(bill: &BillPackage) -> Package {
    let package = &bill.package;
    let supplier = match (&package.vendor, &package.maintainer) {
        (Some(vendor), _) => Contact::organisation(vendor),
        (None, Some(maintainer)) => Contact::parse(maintainer),
        (None, None) => None,
    };
    let licence = declared(&package.licences);
    let homepage = package.homepage.as_deref().and_then(web_address);
    Package {
        version_info: Some(package.version.clone()),
        supplier: supplier.map_or_else(|| NO_ASSERTION.into(), actor),
        homepage: homepage.map(Into::into),
        license_declared: licence
            .as_ref()
            .map_or_else(|| NO_ASSERTION.into(), |it| it.expression.clone()),
        extracted: licence.map(|it| it.extracted).unwrap_or_default(),
        summary: package.summary.clone(),
        ..Package::new(package_id(bill), &package.name, "LIBRARY")
    }
    .with_sha256(bill.sha256)
    .with_purl(&bill.purl)
}

/// The identifier of an installed package.
pub(super) fn package_id(bill: &BillPackage) -> String {
    identifier("Package", &bill.package.name, &bill.purl)
}

/// What packages were built from.
pub(super) fn source(bill: &BillSource) -> Package {
    let id = identifier("Source", &bill.name, &bill.purl);
    Package {
        version_info: Some(bill.version.clone()),
        ..Package::new(id, &bill.name, "SOURCE")
    }
    .with_purl(&bill.purl)
}

/// A file that a step put there.
pub(super) fn file(bill: &BillFile) -> Package {
    let id = identifier("File", &bill.path, &bill.path);
    Package {
        file_name: Some(format!(".{}", bill.path)),
        comment: Some(bill.origin.clone()),
        ..Package::new(id, &bill.path, "FILE")
    }
    .with_sha256(Some(bill.sha256))
}

/// An identifier with the name in it, as far as its characters may be; `key` tells it from others.
fn identifier(what: &str, name: &str, key: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let name: String = name.chars().filter(fits).take(60).collect();
    format!("SPDXRef-{what}-{name}-{}", digits(key))
}

fn actor(contact: Contact) -> String {
    let kind = if contact.is_person {
        "Person"
    } else {
        "Organization"
    };
    match contact.email {
        Some(email) => format!("{kind}: {} ({email})", contact.name),
        None => format!("{kind}: {}", contact.name),
    }
}
