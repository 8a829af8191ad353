//! Package URLs: `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS`.
//!
//! ```text
//! pkg:deb/debian/nginx@1.22.1-9?arch=amd64&distro=debian-12
//! pkg:rpm/fedora/bash@5.2-3.fc40?arch=x86_64&distro=fedora-40&epoch=1
//! ```
//!
//! Source: the purl specification and its definitions of the types `deb`, `rpm`, `alpm`, `apk` and
//! `oci`. The namespace is the distribution's id of its os-release; without one there is none.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use racker_store::Digest;

use crate::installed::{Database, Os, Package, Source};

/// A package URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purl {
    kind: &'static str,
    namespace: Option<String>,
    name: String,
    version: String,
    qualifiers: BTreeMap<&'static str, String>,
}

impl Purl {
    /// Names an installed package.
    pub fn of_package(package: &Package, os: Option<&Os>) -> Self {
        let (name, version) = (&package.name, &package.version);
        Self::of(package.database, name, version, &package.architecture, os)
    }

    /// Names the source of packages in such a database.
    pub fn of_source(database: Database, source: &Source, os: Option<&Os>) -> Self {
        let architecture = match database {
            Database::Dpkg => "source",
            Database::Rpm => "src",
            Database::Pacman | Database::Apk => "",
        };
        Self::of(database, &source.name, &source.version, architecture, os)
    }

    /// Names a package of a distribution.
    pub fn of(
        database: Database,
        name: &str,
        version: &str,
        architecture: &str,
        os: Option<&Os>,
    ) -> Self {
        let kind = match database {
            Database::Dpkg => "deb",
            Database::Rpm => "rpm",
            Database::Pacman => "alpm",
            Database::Apk => "apk",
        };
        let mut qualifiers = BTreeMap::new();
        let mut qualify = |name, value: String| {
            if !value.is_empty() {
                qualifiers.insert(name, value);
            }
        };
        qualify("arch", architecture.to_owned());
        qualify("distro", os.map(Os::word).unwrap_or_default());
        let mut version = version;
        if database == Database::Rpm
            && let Some((epoch, rest)) = version.split_once(':')
        {
            qualify("epoch", epoch.to_owned());
            version = rest;
        }
        // Of these types only rpm's names tell lower case from upper.
        let name = match database {
            Database::Rpm => name.to_owned(),
            _ => name.to_lowercase(),
        };
        Self {
            kind,
            namespace: os.map(|os| os.id.to_lowercase()),
            name,
            version: version.to_owned(),
            qualifiers,
        }
    }

    /// Names an image in a registry by its repository, such as `docker.io/library/debian`.
    pub fn of_image(repository: &str, digest: &Digest) -> Self {
        let name = repository.rsplit('/').next().unwrap_or(repository);
        Self {
            kind: "oci",
            namespace: None,
            name: name.to_lowercase(),
            version: digest.to_string(),
            qualifiers: BTreeMap::from([("repository_url", repository.to_lowercase())]),
        }
    }
}

impl Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{}/", Encoded(namespace, false))?;
        }
        let version = Encoded(&self.version, true);
        write!(f, "{}@{version}", Encoded(&self.name, false))?;
        let mut separator = '?';
        for (name, value) in &self.qualifiers {
            write!(f, "{separator}{name}={}", Encoded(value, true))?;
            separator = '&';
        }
        Ok(())
    }
}

/// Percent-encoded, but for the characters that a purl keeps; the slash is kept where it parts nothing.
struct Encoded<'a>(&'a str, bool);

impl Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                    f.write_char(char::from(byte))?;
                }
                b'/' if self.1 => f.write_char('/')?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: Option<&str>) -> Os {
        Os {
            id: id.into(),
            name: None,
            version_id: version.map(Into::into),
            pretty_name: None,
            home_url: None,
        }
    }

    #[test]
    fn each_database_has_its_type() {
        let of = |database, name, version, arch, os: Option<Os>| {
            Purl::of(database, name, version, arch, os.as_ref()).to_string()
        };
        let debian = Some(os("debian", Some("12")));
        assert_eq!(
            of(Database::Dpkg, "libstdc++6", "1:2~rc1+b1", "amd64", debian),
            "pkg:deb/debian/libstdc%2B%2B6@1:2~rc1%2Bb1?arch=amd64&distro=debian-12"
        );
        let fedora = Some(os("fedora", Some("40")));
        assert_eq!(
            of(Database::Rpm, "perl-XML", "2:1-3.fc40", "noarch", fedora),
            "pkg:rpm/fedora/perl-XML@1-3.fc40?arch=noarch&distro=fedora-40&epoch=2"
        );
        let arch = Some(os("arch", None));
        assert_eq!(
            of(Database::Pacman, "zlib", "1:1.3-1", "x86_64", arch),
            "pkg:alpm/arch/zlib@1:1.3-1?arch=x86_64&distro=arch"
        );
        assert_eq!(of(Database::Apk, "musl", "1", "", None), "pkg:apk/musl@1");
    }

    #[test]
    fn images_have_their_repository() {
        let digest = Digest::from_bytes([0; 32]);
        assert_eq!(
            Purl::of_image("docker.io/library/debian", &digest).to_string(),
            format!("pkg:oci/debian@{digest}?repository_url=docker.io/library/debian")
        );
    }
}
