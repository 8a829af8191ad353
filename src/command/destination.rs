//! Where an image goes that leaves the store.
//!
//! ```text
//! oci:DIR[:TAG]   oci-archive:FILE[:TAG]   docker-archive:FILE[:NAME[:TAG]]   else: a registry
//! ```

use std::path::PathBuf;

use crate::oci::Reference;

/// A place for images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// A repository of a registry.
    Registry(Reference),
    /// An OCI layout directory.
    Layout { path: PathBuf, tag: Option<String> },
    /// An OCI layout in a tar file.
    OciArchive { path: PathBuf, tag: Option<String> },
    /// What `docker save` writes.
    DockerArchive {
        path: PathBuf,
        name: Option<Reference>,
    },
}

impl Destination {
    /// Reads a place that is no registry; `None` if it does not begin like one.
    pub(super) fn local(text: &str) -> Option<Result<Self, String>> {
        let (transport, rest) = text.split_once(':')?;
        let read = match transport {
            "oci" => {
                tagged(rest, "oci:DIR or oci:DIR:TAG").map(|(path, tag)| Self::Layout { path, tag })
            }
            "oci-archive" => tagged(rest, "oci-archive:FILE or oci-archive:FILE:TAG")
                .map(|(path, tag)| Self::OciArchive { path, tag }),
            "docker-archive" => named(rest),
            _ => return None,
        };
        Some(read)
    }

    /// Reads any place.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::local(text).unwrap_or_else(|| {
            let reference = Reference::parse(text).map_err(|error| error.to_string())?;
            Ok(Self::Registry(reference))
        })
    }
}

fn tagged(rest: &str, form: &str) -> Result<(PathBuf, Option<String>), String> {
    let (path, tag) = split(rest);
    if path.is_empty() {
        return Err(format!("write {form}"));
    }
    if tag.is_some_and(|tag| !is_name(tag)) {
        return Err("a tag has letters, digits and single characters of -._:@/+ between".into());
    }
    Ok((path.into(), tag.map(str::to_owned)))
}

fn named(rest: &str) -> Result<Destination, String> {
    let (path, name) = split(rest);
    if path.is_empty() {
        return Err("write docker-archive:FILE or docker-archive:FILE:NAME:TAG".into());
    }
    let name = name.map(Reference::parse).transpose();
    Ok(Destination::DockerArchive {
        path: path.into(),
        name: name.map_err(|error| error.to_string())?,
    })
}

fn split(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once(':') {
        Some((path, name)) => (path, Some(name)),
        None => (rest, None),
    }
}

/// The grammar of `org.opencontainers.image.ref.name`. Source: OCI image-spec, annotations.md.
fn is_name(text: &str) -> bool {
    text.split('/').all(|component| {
        let single = component.replace("--", "-");
        single
            .split(['-', '.', '_', ':', '@', '+'])
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_destination_is_its_beginning_says() {
        let registry = |text| Destination::Registry(Reference::parse(text).unwrap());
        let tag = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("web", registry("web")),
            ("docker://a.b/c:d", registry("a.b/c:d")),
            ("oci/x:1", registry("oci/x:1")),
            (
                "oci:a/b:c:d",
                Destination::Layout {
                    path: "a/b".into(),
                    tag: tag("c:d"),
                },
            ),
            (
                "oci-archive:/x.tar",
                Destination::OciArchive {
                    path: "/x.tar".into(),
                    tag: None,
                },
            ),
            (
                "docker-archive:x.tar:a/b:1",
                Destination::DockerArchive {
                    path: "x.tar".into(),
                    name: Some(Reference::parse("a/b:1").unwrap()),
                },
            ),
        ] {
            assert_eq!(Destination::parse(text).unwrap(), expected, "{text}");
        }
        for bad in [
            "oci:",
            "oci::x",
            "oci:x:",
            "oci:x:a b",
            "oci-archive:",
            "docker-archive:x:A",
        ] {
            assert!(Destination::parse(bad).is_err(), "{bad}");
        }
    }
}
