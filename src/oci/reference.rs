//! Names of images in registries, by the grammar of distribution/reference.
//!
//! ```text
//! reference  = [ domain "/" ] path [ ":" tag ] [ "@" digest ]
//! domain     = host [ ":" port ]          first component, if it has `.` or `:`, is `localhost`
//!                                         or has an upper-case letter
//! component  = [a-z0-9]+ ( ( "." | "_" | "__" | "-"+ ) [a-z0-9]+ )*
//! tag        = [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
//! ```
//!
//! Without a domain the registry is `docker.io`, where one component alone lies below `library/`;
//! without tag and digest the tag is `latest`. A `docker://` prefix is dropped.

use std::fmt;
use std::str::FromStr;

use racker_store::Digest;

use super::error::{Error, Result};

const HUB: &str = "docker.io";
const HUB_LEGACY: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const LATEST: &str = "latest";
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// A fully qualified image name. Displays in canonical form: `docker.io/library/debian:12`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses and completes a reference as a user writes it.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).map_err(|reason| Error::Reference {
            text: without_credentials(text),
            reason,
        })
    }

    /// Splits a name that names no registry, as in `debian` and `:12`; `None` where one is named,
    /// or `docker://` says which.
    pub(super) fn split_short(text: &str) -> Option<(&str, &str)> {
        if text.starts_with("docker://") || split_domain(text).0.is_some() {
            return None;
        }
        Some(text.split_at(text.find([':', '@']).unwrap_or(text.len())))
    }

    /// Host and port of the registry as in the name: `docker.io`, `localhost:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path below the registry: `library/debian`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` if the text had neither tag nor digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the reference is pinned.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository at exactly this manifest, with the tag kept as a memory.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same repository at a tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        Self::parse(&format!("{}:{tag}", self.name()))
    }

    /// The name without tag and digest: `docker.io/library/debian`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The short form that people write: `debian:12`, `user/app@sha256:...`, `quay.io/a/b:c`.
    pub fn familiar(&self) -> String {
        let short = if self.registry == HUB {
            let rest = self.repository.strip_prefix(OFFICIAL);
            rest.filter(|rest| !rest.contains('/'))
                .unwrap_or(&self.repository)
                .to_owned()
        } else {
            self.name()
        };
        format!("{short}{}", Suffix(self))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.registry, self.repository, Suffix(self))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

struct Suffix<'a>(&'a Reference);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.0.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.0.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let text = text.strip_prefix("docker://").unwrap_or(text);
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("64 hexadecimal digits are an id, not a name");
    }
    if has_credentials(text) {
        return Err("a user and a password do not belong into a name: racker login keeps them");
    }
    let (rest, digest) = match text.split_once('@') {
        None => (text, None),
        Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
    };
    let (domain, rest) = split_domain(rest);
    if domain.is_some_and(|domain| !is_domain(domain)) {
        return Err("the registry is not a valid host[:port]");
    }
    let (path, tag) = match rest.split_once(':') {
        None => (rest, None),
        Some((path, tag)) if is_tag(tag) => (path, Some(tag.to_owned())),
        Some(_) => return Err("the tag is not valid"),
    };
    if path.is_empty() {
        return Err("it has no name");
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("the name must be lowercase");
    }
    if !path.split('/').all(is_component) {
        return Err("the name is not valid");
    }
    let registry = match domain {
        None | Some(HUB_LEGACY) => HUB,
        Some(domain) => domain,
    };
    let official = registry == HUB && !path.contains('/');
    let repository = format!("{}{path}", if official { OFFICIAL } else { "" });
    if registry.len() + 1 + repository.len() > NAME_MAX {
        return Err("the name is longer than 255 characters");
    }
    let tag = tag.or_else(|| digest.is_none().then(|| LATEST.to_owned()));
    Ok(Reference {
        registry: registry.to_owned(),
        repository,
        tag,
        digest,
    })
}

/// Whether something comes before an `@` that is no name before a digest: `user:password@host/name`.
fn has_credentials(text: &str) -> bool {
    text.rsplit_once('@')
        .is_some_and(|(_, behind)| behind.contains('/'))
}

/// The text as it may be shown.
fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, behind)) if has_credentials(text) => format!("***@{behind}"),
        _ => text.to_owned(),
    }
}

fn split_domain(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, text),
    }
}

fn parse_digest(text: &str) -> Result<Digest, &'static str> {
    match text.split_once(':') {
        Some(("sha256", _)) => text.parse().map_err(|_| "the digest is not valid"),
        Some(_) => Err("only sha256 digests are supported"),
        None => Err("the digest has no algorithm"),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else {
            return false;
        };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return false;
        }
        (
            None,
            if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(':').unwrap_or(""))
            },
        )
    } else {
        match text.split_once(':') {
            None => (Some(text), None),
            Some((host, port)) => (Some(host), Some(port)),
        }
    };
    host.is_none_or(|host| host.split('.').all(is_host_label))
        && port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'))
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_tag(tag: &str) -> bool {
    (1..=TAG_MAX).contains(&tag.len())
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !tag.starts_with(['.', '-'])
}

fn is_component(component: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    if !edge(component.bytes().next()) || !edge(component.bytes().last()) {
        return false;
    }
    component
        .split(|c: char| c.is_ascii_alphanumeric())
        .all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn completes_and_shortens() {
        let long = "a".repeat(128);
        for (text, canonical, familiar) in [
            ("foo", "docker.io/library/foo:latest", "foo:latest"),
            ("debian:12", "docker.io/library/debian:12", "debian:12"),
            (
                "docker://debian:12",
                "docker.io/library/debian:12",
                "debian:12",
            ),
            ("user/app", "docker.io/user/app:latest", "user/app:latest"),
            (
                "docker.io/foo",
                "docker.io/library/foo:latest",
                "foo:latest",
            ),
            (
                "index.docker.io/foo",
                "docker.io/library/foo:latest",
                "foo:latest",
            ),
            (
                "docker.io/library/a/b",
                "docker.io/library/a/b:latest",
                "library/a/b:latest",
            ),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            (
                "localhost:5000/x",
                "localhost:5000/x:latest",
                "localhost:5000/x:latest",
            ),
            (
                "localhost:5000",
                "docker.io/library/localhost:5000",
                "localhost:5000",
            ),
            ("[::1]:5000/x:y", "[::1]:5000/x:y", "[::1]:5000/x:y"),
            ("Registry/x", "Registry/x:latest", "Registry/x:latest"),
            (
                "example.com/a__b/c.d/e---f:T.1-_",
                "example.com/a__b/c.d/e---f:T.1-_",
                "",
            ),
            ("127.0.0.1:1/a/b/c", "127.0.0.1:1/a/b/c:latest", ""),
        ] {
            let parsed = Reference::parse(text).unwrap();
            assert_eq!(parsed.to_string(), canonical, "{text}");
            if !familiar.is_empty() {
                assert_eq!(parsed.familiar(), familiar, "{text}");
            }
            assert_eq!(Reference::parse(canonical).unwrap(), parsed);
            assert_eq!(Reference::parse(&parsed.familiar()).unwrap(), parsed);
        }
        assert!(Reference::parse(&format!("a:{long}")).is_ok());
        assert!(Reference::parse(&format!("a:{long}a")).is_err());
    }

    #[test]
    fn keeps_digests() {
        let both = Reference::parse(&format!("quay.io/a/b:tag@{SHA}")).unwrap();
        assert_eq!(
            (both.tag(), both.digest().unwrap().to_string().as_str()),
            (Some("tag"), SHA)
        );
        assert_eq!(both.to_string(), format!("quay.io/a/b:tag@{SHA}"));
        let pinned = Reference::parse(&format!("a@{SHA}")).unwrap();
        assert_eq!(pinned.tag(), None);
        assert_eq!(pinned.familiar(), format!("a@{SHA}"));
    }

    #[test]
    fn credentials_are_not_repeated() {
        for text in [
            "me:secret@a.example/x:1",
            "docker://me:s/ecret@a.example:5000/x",
            "https://me:secret@a.example/x",
        ] {
            let error = Reference::parse(text).unwrap_err().to_string();
            assert!(error.contains("do not belong into a name"), "{error}");
            assert!(
                error.contains("a.example") && !error.contains("ecret"),
                "{error}"
            );
        }
    }

    #[test]
    fn refuses_what_the_grammar_refuses() {
        for text in [
            "",
            ":tag",
            "/a",
            "a/",
            "a//b",
            "Foo",
            "a/B",
            "a:",
            "a:-x",
            "a:.x",
            "a:b:c",
            "a b",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a._b",
            "a.-b",
            "_a",
            "a@",
            "a@sha256:12",
            "a@md5:d41d8cd98f00b204e9800998ecf8427e",
            "http://a/b",
            "a@b@c",
            "-x.y/a",
            "a.b:x/c",
            "a.b:99999/c",
            "a.b:/c",
            "a.b:+1/c",
            "[::1/x",
            "[zz]:1/x",
            "é",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
        assert!(Reference::parse(&format!("x.y/{}", "a".repeat(251))).is_ok());
        assert!(Reference::parse(&format!("x.y/{}", "a".repeat(252))).is_err());
    }
}
