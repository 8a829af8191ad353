//! The text of a lock: read and printed.

use std::fmt::Write as _;
use std::str::FromStr;

use racker_store::Digest;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lock::{Base, Fetched, Lock, Section, VERSION};
use crate::package::{Manager, Package};
use crate::recipe::{Diagnostic, Diagnostics, Source};

const HEADER: &str = "# Made by racker; it pins every input of the recipe and of those below it.\n\
                      # Keep it under version control, and change it by `racker lock` only.\n";

/// Why a lock could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text has mistakes; displayed as rendered, without colour.
    #[error("{0}")]
    Invalid(#[from] Diagnostics),
    /// The format is newer than this program.
    #[error("{name} has version {found}, and this program knows version {VERSION}")]
    Version {
        /// The lock's name.
        name: String,
        /// Its version.
        found: String,
    },
}

impl Error {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Invalid(_) => Vec::new(),
            Self::Version { .. } => vec!["use a newer racker, or make the lock again".to_owned()],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[expect(dead_code, reason = "looked at before the rest")]
    version: i64,
    source_date_epoch: Option<i64>,
    #[serde(default)]
    base: Vec<Spanned<BaseText>>,
    #[serde(default)]
    file: Vec<Spanned<FileText>>,
    #[serde(default)]
    section: Vec<Spanned<SectionText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseText {
    reference: String,
    platform: String,
    digest: Parsed<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    url: String,
    digest: Parsed<Digest>,
    size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SectionText {
    step: String,
    platform: String,
    manager: Parsed<Manager>,
    request: String,
    parent: String,
    date: toml::value::Datetime,
    metadata: Parsed<Digest>,
    #[serde(default)]
    sources: Option<Vec<String>>,
    #[serde(default)]
    tool: Option<String>,
    packages: Vec<Spanned<PackageText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageText {
    name: String,
    version: String,
    arch: String,
    size: u64,
    sha256: Hex,
    #[serde(default)]
    signature: Option<Hex>,
    url: String,
}

/// A string with a grammar of its own.
struct Parsed<T>(T);

impl<'de, T: FromStr<Err: std::fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A sha256 without the word before it.
struct Hex(Digest);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = format!("sha256:{text}").parse();
        digest
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("`{text}` is no sha256")))
    }
}

impl Lock {
    /// Reads a lock; the name is shown before line and column in messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let source = Source::new(name, text);
        let refuse = |error: &toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            Error::from(Diagnostics::from(Diagnostic::new(
                &source,
                span,
                error.message(),
            )))
        };
        let document = DeTable::parse(text).map_err(|error| refuse(&error))?;
        check_version(name, document.get_ref())?;
        let document: Document = toml::from_str(text).map_err(|error| refuse(&error))?;

        let mut lock = Self {
            epoch: document.source_date_epoch,
            ..Self::default()
        };
        let mut found = Vec::new();
        let twice = |span| Diagnostic::new(&source, span, "the lock already has such an entry");
        for entry in document.base {
            let span = entry.span();
            let BaseText {
                reference,
                platform,
                digest,
            } = entry.into_inner();
            if lock.base(&reference, &platform).is_some() {
                found.push(twice(span));
            }
            lock.set_base(Base {
                reference,
                platform,
                digest: digest.0,
            });
        }
        for entry in document.file {
            let span = entry.span();
            let FileText { url, digest, size } = entry.into_inner();
            if lock.fetch(&url).is_some() {
                found.push(twice(span));
            }
            lock.set_fetch(Fetched {
                url,
                digest: digest.0,
                size,
            });
        }
        for entry in document.section {
            let span = entry.span();
            let section = entry.into_inner();
            if lock.section(&section.step, &section.platform).is_some() {
                found.push(twice(span.clone()));
            }
            let mut packages: Vec<Package> = Vec::with_capacity(section.packages.len());
            let mut seen = std::collections::BTreeSet::new();
            for entry in section.packages {
                let span = entry.span();
                let PackageText {
                    name,
                    version,
                    arch,
                    size,
                    sha256,
                    signature,
                    url,
                } = entry.into_inner();
                if !seen.insert((name.clone(), arch.clone(), version.clone())) {
                    found.push(twice(span));
                }
                packages.push(Package {
                    name,
                    version,
                    arch,
                    url,
                    size,
                    sha256: sha256.0,
                    signature: signature.map(|hex| hex.0),
                });
            }
            let date = section.date.to_string().parse::<jiff::Timestamp>();
            let date = date.map_or_else(
                |_| {
                    let message = format!("`{}` is no date in UTC", section.date);
                    found.push(Diagnostic::new(&source, span.clone(), message));
                    0
                },
                jiff::Timestamp::as_second,
            );
            lock.set_section(Section {
                step: section.step,
                platform: section.platform,
                manager: section.manager.0,
                request: section.request,
                parent: section.parent,
                date,
                metadata: section.metadata.0,
                sources: section.sources.map(|lines| lines.join("\n") + "\n"),
                tool: section.tool,
                packages,
            });
        }
        match Diagnostics::collect(found) {
            Some(found) => Err(found.into()),
            None => Ok(lock),
        }
    }

    /// Prints the lock, in the one way there is.
    pub fn print(&self) -> String {
        let mut text = format!("{HEADER}version = {VERSION}\n");
        if let Some(epoch) = self.epoch {
            line(&mut text, format_args!("source-date-epoch = {epoch}"));
        }
        for base in &self.bases {
            line(&mut text, format_args!("\n[[base]]"));
            line(
                &mut text,
                format_args!("reference = {}", quoted(&base.reference)),
            );
            line(
                &mut text,
                format_args!("platform = {}", quoted(&base.platform)),
            );
            line(&mut text, format_args!("digest = \"{}\"", base.digest));
        }
        for file in &self.files {
            line(&mut text, format_args!("\n[[file]]"));
            line(&mut text, format_args!("url = {}", quoted(&file.url)));
            line(&mut text, format_args!("digest = \"{}\"", file.digest));
            line(&mut text, format_args!("size = {}", file.size));
        }
        for section in &self.sections {
            line(&mut text, format_args!("\n[[section]]"));
            line(&mut text, format_args!("step = {}", quoted(&section.step)));
            line(
                &mut text,
                format_args!("platform = {}", quoted(&section.platform)),
            );
            line(&mut text, format_args!("manager = \"{}\"", section.manager));
            line(
                &mut text,
                format_args!("request = {}", quoted(&section.request)),
            );
            line(
                &mut text,
                format_args!("parent = {}", quoted(&section.parent)),
            );
            line(&mut text, format_args!("date = {}", date(section.date)));
            line(
                &mut text,
                format_args!("metadata = \"{}\"", section.metadata),
            );
            if let Some(tool) = &section.tool {
                line(&mut text, format_args!("tool = {}", quoted(tool)));
            }
            if let Some(sources) = &section.sources {
                line(&mut text, format_args!("sources = ["));
                for source in sources.lines() {
                    line(&mut text, format_args!("    {},", quoted(source)));
                }
                line(&mut text, format_args!("]"));
            }
            line(&mut text, format_args!("packages = ["));
            for package in &section.packages {
                let signature = package.signature.map_or_else(String::new, |signature| {
                    format!("signature = \"{}\", ", signature.hex())
                });
                line(
                    &mut text,
                    format_args!(
                        "  {{ name = {}, version = {}, arch = {}, size = {}, sha256 = \"{}\", \
                         {signature}url = {} }},",
                        quoted(&package.name),
                        quoted(&package.version),
                        quoted(&package.arch),
                        package.size,
                        package.sha256.hex(),
                        quoted(&package.url),
                    ),
                );
            }
            line(&mut text, format_args!("]"));
        }
        text
    }
}

fn check_version(name: &str, document: &DeTable<'_>) -> Result<(), Error> {
    let found = match document.get("version").map(Spanned::get_ref) {
        Some(DeValue::Integer(number)) => number.to_string(),
        Some(other) => format!("of type {}", other.type_str()),
        None => "missing".to_owned(),
    };
    if found == VERSION.to_string() {
        Ok(())
    } else {
        Err(Error::Version {
            name: name.to_owned(),
            found,
        })
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}

/// Writes an offset date-time of TOML.
fn date(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap_or_default()
}

/// Writes a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(c)).expect("a string takes everything");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
