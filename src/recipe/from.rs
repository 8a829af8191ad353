//! What a recipe builds on.
//!
//! The meaning of a plain string is decided by its form alone, by the first rule that fits:
//!
//! | form | meaning |
//! |---|---|
//! | `scratch` | the empty tree |
//! | starts with `./`, `../` or `/` and ends with `.toml` | another recipe |
//! | `oci:DIR[:TAG]` | OCI layout directory |
//! | `oci-archive:FILE[:TAG]` | OCI layout in a tar file |
//! | `docker-archive:FILE` | output of `docker save` |
//! | `http://...`, `https://...` | root filesystem, downloaded |
//! | ends with `.tar`, `.tar.gz`, `.tgz`, `.tar.xz`, `.tar.zst`, `.tar.bz2` | root filesystem, a local file |
//! | a curated label or its alias | that recipe |
//! | else | reference to an image in a registry |

use std::fmt;
use std::path::{Path, PathBuf};

use racker_store::Digest;
use serde::Serialize;

use super::{Problem, check, curated, name};

/// What a recipe builds on. Paths are joined to the recipe's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// Another recipe's file.
    Recipe(PathBuf),
    /// A curated recipe, by its label.
    Curated(String),
    /// An image in a registry.
    Reference(String),
    /// An OCI layout directory.
    Layout {
        /// The directory.
        path: PathBuf,
        /// Which image of it; the only one if not given.
        tag: Option<String>,
    },
    /// An OCI layout in a tar file.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// Which image of it; the only one if not given.
        tag: Option<String>,
    },
    /// An archive as `docker save` writes it.
    DockerArchive(PathBuf),
    /// A root filesystem as a tar archive, compressed or not.
    Rootfs {
        /// Where it is.
        location: Location,
        /// What it must be; for a URL without it, the lock says.
        digest: Option<Digest>,
    },
    /// The empty tree.
    Scratch,
    /// A distribution's own bootstrap.
    Bootstrap(Bootstrap),
}

impl From {
    /// Returns whether it is the image or the file of this name, as a lock has it.
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Reference(reference) => reference == name,
            Self::Rootfs {
                location: Location::Url(url),
                ..
            } => url == name,
            _ => false,
        }
    }
}

/// Where an archive lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// A local file.
    Path(PathBuf),
    /// An http or https URL.
    Url(String),
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(formatter),
            Self::Url(url) => formatter.write_str(url),
        }
    }
}

/// A root filesystem made of a distribution's packages and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    /// The distribution.
    pub distribution: Distribution,
    /// The release, such as `trixie`.
    pub suite: String,
    /// Packages besides those of the variant.
    pub include: Vec<String>,
    /// Which set of packages to start from.
    pub variant: String,
    /// Where to take packages from, if not from the distribution's own host.
    pub mirror: Option<String>,
}

impl Bootstrap {
    /// The variants that can be asked for.
    pub const VARIANTS: [&str; 6] = [
        "essential",
        "apt",
        "minbase",
        "required",
        "important",
        "standard",
    ];
    /// The variant where none is stated.
    pub const DEFAULT_VARIANT: &str = "minbase";
}

/// A distribution that can be bootstrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Debian.
    Debian,
}

impl fmt::Display for Distribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian => formatter.write_str("debian"),
        }
    }
}

impl From {
    /// Reads a plain string by the table in this module's documentation.
    #[expect(
        clippy::case_sensitive_file_extension_comparisons,
        reason = "what a string means must not depend on a guess"
    )]
    pub fn parse(text: &str, directory: &Path) -> Result<Self, Problem> {
        let path_like = ["./", "../", "/"]
            .iter()
            .any(|start| text.starts_with(start));
        if text == "scratch" {
            return Ok(Self::Scratch);
        }
        if text.ends_with(".toml") {
            return if path_like {
                Ok(Self::Recipe(directory.join(text)))
            } else {
                Err(Problem::new(format!("`{text}` is no image"))
                    .hint(format!("another recipe is named by its path: \"./{text}\"")))
            };
        }
        if let Some(layout) = text.strip_prefix("oci:") {
            let (path, tag) = parse_layout(layout, ("oci", "directory"), directory)?;
            return Ok(Self::Layout { path, tag });
        }
        if let Some(archive) = text.strip_prefix("oci-archive:") {
            let (path, tag) = parse_layout(archive, ("oci-archive", "file"), directory)?;
            return Ok(Self::OciArchive { path, tag });
        }
        if let Some(file) = text.strip_prefix("docker-archive:") {
            check::filled(file).map_err(|_| Problem::new("`docker-archive:` names no file"))?;
            return Ok(Self::DockerArchive(directory.join(file)));
        }
        if is_url(text) || is_archive(text) {
            return Self::rootfs(text, None, directory);
        }
        if path_like {
            return Err(
                Problem::new(format!("`{text}` is neither a recipe nor an archive")).hint(
                    "a recipe ends in `.toml`, a root filesystem in `.tar`, `.tar.gz`, `.tgz`, \
                 `.tar.xz`, `.tar.zst` or `.tar.bz2`; an OCI layout is written `oci:DIR`",
                ),
            );
        }
        if let Some(found) = curated::curated(text) {
            return Ok(Self::Curated(found.label.to_owned()));
        }
        check_reference(text)?;
        Ok(Self::Reference(text.to_owned()))
    }

    /// Reads the location of a root filesystem.
    pub(super) fn rootfs(
        text: &str,
        digest: Option<Digest>,
        directory: &Path,
    ) -> Result<Self, Problem> {
        let location = if is_url(text) {
            Location::Url(check::url(text)?)
        } else {
            Location::Path(directory.join(check::filled(text)?))
        };
        Ok(Self::Rootfs { location, digest })
    }
}

impl fmt::Display for From {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipe(path) => path.display().fmt(formatter),
            Self::Curated(name) | Self::Reference(name) => formatter.write_str(name),
            Self::Layout { path, tag } => located(formatter, "oci", path, tag.as_deref()),
            Self::OciArchive { path, tag } => {
                located(formatter, "oci-archive", path, tag.as_deref())
            }
            Self::DockerArchive(path) => write!(formatter, "docker-archive:{}", path.display()),
            Self::Rootfs { location, .. } => location.fmt(formatter),
            Self::Scratch => formatter.write_str("scratch"),
            Self::Bootstrap(bootstrap) => {
                write!(
                    formatter,
                    "bootstrap {} {}",
                    bootstrap.distribution, bootstrap.suite
                )
            }
        }
    }
}

/// Whether it is the address of a file on the web.
pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn is_archive(text: &str) -> bool {
    [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"]
        .iter()
        .any(|end| text.ends_with(end))
}

fn located(
    formatter: &mut fmt::Formatter<'_>,
    transport: &str,
    path: &Path,
    tag: Option<&str>,
) -> fmt::Result {
    write!(formatter, "{transport}:{}", path.display())?;
    tag.map_or(Ok(()), |tag| write!(formatter, ":{tag}"))
}

fn parse_layout(
    text: &str,
    (transport, place): (&str, &str),
    directory: &Path,
) -> Result<(PathBuf, Option<String>), Problem> {
    let name_start = text.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match text[name_start..].find(':') {
        Some(colon) => (
            &text[..name_start + colon],
            Some(&text[name_start + colon + 1..]),
        ),
        None => (text, None),
    };
    if path.is_empty() || tag == Some("") {
        let (problem, upper) = (
            format!("`{transport}:{text}` lacks a"),
            place.to_uppercase(),
        );
        return Err(
            Problem::new(format!("{problem} {place} or a tag")).hint(format!(
                "an OCI layout is written `{transport}:{upper}` or `{transport}:{upper}:TAG`"
            )),
        );
    }
    Ok((directory.join(path), tag.map(str::to_owned)))
}

/// Checks a reference's form; what it resolves to is the registry client's matter.
fn check_reference(text: &str) -> Result<(), Problem> {
    let problem = |what: &str| {
        Problem::new(format!("`{text}` is no reference to an image: {what}")).hint(
            "write a curated label, or a reference such as \"debian:bookworm\" or \
             \"registry.example/team/image@sha256:...\"",
        )
    };
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| digest.parse::<Digest>().is_err()) {
        return Err(problem(
            "the digest is not `sha256:` and 64 hexadecimal digits",
        ));
    }
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match rest[last..].split_once(':') {
        Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
        None => (rest, None),
    };
    let tag_fits = |tag: &str| {
        tag.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && (1..=128).contains(&tag.len())
            && !tag.starts_with(['.', '-'])
    };
    if tag.is_some_and(|tag| !tag_fits(tag)) {
        return Err(problem("the tag has characters that a tag cannot have"));
    }
    let mut parts: Vec<_> = repository.split('/').collect();
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
    if parts.len() > 1 && is_host(parts[0]) {
        parts.remove(0);
    }
    if parts.iter().all(|part| name::is_component(part)) {
        Ok(())
    } else {
        Err(problem(
            "a repository has lowercase letters, digits, and single separators only",
        ))
    }
}
