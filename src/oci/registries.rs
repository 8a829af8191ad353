//! Which server to ask for a name: `registries.conf` version 2, its drop-ins, and extra mirrors.
//!
//! ```text
//! reference --longest prefix--> [[registry]] --> mirrors that take it, then its own location
//! ```
//!
//! Later files replace a `[[registry]]` of the same prefix as a whole. A value of
//! `docker.io=127.0.0.1:5000/hub,quay.io=mirror.example` in [`Settings::mirrors`] puts mirrors
//! before all configured ones. What a name without a registry stands for is in `short_names.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::auth::Credentials;
use super::certificates::Certificates;
use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::keyring::Keyring;
use super::reference::Reference;
use super::registries_conf::{Entry, PullFromMirror, parse};
use super::short_names::ShortNames;

const SYSTEM: &str = "/etc/containers/registries.conf";
/// Where Docker Hub answers.
pub(super) const HUB_SERVER: &str = "registry-1.docker.io";
const HUB: (&str, &str) = ("docker.io", HUB_SERVER);

/// Where the configuration is; the caller has read the environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `CONTAINERS_REGISTRIES_CONF`: instead of the user's and the system's main file.
    pub file: Option<PathBuf>,
    /// The user's `~/.config/containers`.
    pub user: Option<PathBuf>,
    /// `RACKER_REGISTRY_MIRRORS`: `PREFIX=LOCATION,...`.
    pub mirrors: Option<String>,
    /// Directories with certificates by host, the first with one decides.
    pub certificates: Vec<PathBuf>,
    /// Where credentials are.
    pub keyring: Keyring,
}

/// The configuration, by prefix.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    entries: BTreeMap<String, Entry>,
    extra: Vec<(String, String)>,
    short_names: ShortNames,
    certificates: Vec<PathBuf>,
    keyring: Keyring,
}

impl Registries {
    /// Reads what `settings` name, the system's file and all drop-ins; absent files are no error.
    pub fn load(settings: &Settings) -> Result<Self> {
        let mut registries = Self {
            certificates: settings.certificates.clone(),
            keyring: settings.keyring.clone(),
            ..Self::default()
        };
        let user_file = settings
            .user
            .as_ref()
            .map(|dir| dir.join("registries.conf"));
        if let Some(file) = &settings.file {
            registries.read(file, true)?;
        } else if let Some(file) = user_file.filter(|file| file.exists()) {
            registries.read(&file, true)?;
        } else {
            registries.read(Path::new(SYSTEM), false)?;
        }
        registries.read_directory(Path::new(&format!("{SYSTEM}.d")))?;
        if let Some(user) = &settings.user {
            registries.read_directory(&user.join("registries.conf.d"))?;
        }
        if let Some(mirrors) = &settings.mirrors {
            registries.extra = parse_mirrors(mirrors)?;
        }
        Ok(registries)
    }

    /// Adds the configuration in `text`; `origin` is for messages.
    pub fn add(&mut self, text: &str, origin: &str) -> Result<()> {
        let wrong = |reason: String| Error::Configuration {
            origin: origin.to_owned(),
            reason,
        };
        let file = parse(text).map_err(wrong)?;
        self.short_names
            .add(file.aliases, file.unqualified_search_registries)
            .map_err(wrong)?;
        let entries = file.registry.into_iter();
        self.entries
            .extend(entries.map(|entry| (entry.prefix.clone(), entry)));
        Ok(())
    }

    /// The full names that `text` may stand for, the likeliest first; never empty. One with a
    /// registry stands for itself. An error if it breaks the grammar.
    pub fn candidates(&self, text: &str) -> Result<Vec<Reference>> {
        self.short_names.candidates(text)
    }

    /// The servers to try for `reference`, in order; never empty.
    pub fn endpoints(&self, reference: &Reference) -> Result<Vec<Endpoint>> {
        let name = reference.name();
        let mut endpoints = Vec::new();
        for (prefix, location) in &self.extra {
            if let Some(rest) = match_prefix(&name, prefix) {
                endpoints.push(self.endpoint(&format!("{location}{rest}"), false)?);
            }
        }
        let Some((entry, rest)) = self.find(&name) else {
            endpoints.push(self.endpoint(&name, false)?);
            return Ok(endpoints);
        };
        if entry.blocked {
            return Err(Error::Blocked(entry.prefix.clone()));
        }
        for mirror in &entry.mirror {
            let digest_only = entry
                .mirror_by_digest_only
                .then_some(PullFromMirror::DigestOnly);
            let takes = match mirror.takes.or(digest_only) {
                None | Some(PullFromMirror::All) => true,
                Some(PullFromMirror::DigestOnly) => reference.digest().is_some(),
                Some(PullFromMirror::TagOnly) => reference.digest().is_none(),
            };
            if takes {
                let location = format!("{}{rest}", mirror.location);
                endpoints.push(self.endpoint(&location, mirror.insecure)?);
            }
        }
        let location = match entry.location.as_str() {
            "" => name.clone(),
            location => format!("{location}{rest}"),
        };
        endpoints.push(self.endpoint(&location, entry.insecure)?);
        Ok(endpoints)
    }

    /// The server that a reference names itself, which is where it is pushed to.
    pub fn home(&self, reference: &Reference) -> Result<Endpoint> {
        let mut endpoints = self.endpoints(reference)?;
        Ok(endpoints.pop().expect("there is always an endpoint"))
    }

    /// The server of a registry, without a repository.
    pub fn server(&self, registry: &str) -> Result<Endpoint> {
        let endpoint = self.endpoint(&format!("{registry}/x"), false)?;
        Ok(Endpoint {
            repository: String::new(),
            ..endpoint
        })
    }

    /// Who racker is.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Who racker is to a server.
    pub(crate) fn credentials(&self, endpoint: &Endpoint) -> Result<Option<Credentials>> {
        let host = if endpoint.host == HUB.1 {
            HUB.0
        } else {
            &endpoint.host
        };
        self.keyring
            .find(&format!("{host}/{}", endpoint.repository))
    }

    fn find<'a>(&'a self, name: &'a str) -> Option<(&'a Entry, &'a str)> {
        self.entries
            .values()
            .filter_map(|entry| match_prefix(name, &entry.prefix).map(|rest| (entry, rest)))
            .max_by_key(|(entry, _)| entry.prefix.len())
    }

    /// `location` is `host[:port]/repository`; what a mirror's own entry says of it holds too.
    fn endpoint(&self, location: &str, insecure: bool) -> Result<Endpoint> {
        let wrong = |reason: &str| Error::Configuration {
            origin: format!("location `{location}`"),
            reason: reason.to_owned(),
        };
        let (host, repository) = location
            .split_once('/')
            .ok_or_else(|| wrong("has no repository"))?;
        if host.is_empty() || repository.is_empty() || location.contains("://") {
            return Err(wrong("is not of the form host[:port]/path"));
        }
        let insecure = insecure
            || self.find(location).is_some_and(|(entry, _)| {
                entry.insecure && entry.location.split('/').next() == Some(host)
            });
        let certificates = Certificates::find(&self.certificates, host);
        let host = if host == HUB.0 { HUB.1 } else { host };
        Ok(Endpoint {
            host: host.to_owned(),
            repository: repository.to_owned(),
            insecure,
            certificates,
        })
    }

    fn read(&mut self, file: &Path, must_exist: bool) -> Result<()> {
        match fs::read_to_string(file) {
            Ok(text) => self.add(&text, &file.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(()),
            Err(error) => Err(Error::io(file.display(), error)),
        }
    }

    fn read_directory(&mut self, directory: &Path) -> Result<()> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(directory.display(), error)),
        };
        let mut files = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| Error::io(directory.display(), error))?;
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "conf")
        });
        files.sort();
        files.iter().try_for_each(|file| self.read(file, false))
    }
}

/// What follows `prefix` in `name`, if it matches whole components.
fn match_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    if let Some(suffix) = prefix.strip_prefix('*') {
        let authority = name.find('/').unwrap_or(name.len());
        let host = name[..authority].rfind(':').unwrap_or(authority);
        // A wildcard may say the port, or leave it open.
        let mut ends = [authority, host].into_iter();
        let end = ends.find(|&end| end > suffix.len() && name[..end].ends_with(suffix))?;
        return Some(&name[end..]);
    }
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(['/', ':'])).then_some(rest)
}

fn parse_mirrors(text: &str) -> Result<Vec<(String, String)>> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((prefix, location)) if !prefix.is_empty() && !location.is_empty() => Ok((
                prefix.trim().trim_end_matches('/').to_owned(),
                location.trim().trim_end_matches('/').to_owned(),
            )),
            _ => Err(Error::Configuration {
                origin: "registry mirrors".to_owned(),
                reason: format!("`{pair}` is not of the form PREFIX=LOCATION"),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = r#"
        unqualified-search-registries = ["docker.io"]
        [[registry]]
        prefix = "docker.io"
        location = "registry-1.docker.io"
        [[registry.mirror]]
        location = "127.0.0.1:5000/hub"
        [[registry.mirror]]
        location = "digests.example"
        pull-from-mirror = "digest-only"
        [[registry]]
        prefix = "docker.io/secret"
        blocked = true
        [[registry]]
        prefix = "*.corp.example"
        insecure = true
        [[registry]]
        location = "plain.example:80"
        insecure = true
    "#;
    const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn endpoints(registries: &Registries, text: &str) -> Vec<String> {
        let shown = |e: Endpoint| {
            format!(
                "{}/{}{}",
                e.host,
                e.repository,
                if e.insecure { " insecure" } else { "" }
            )
        };
        let reference = Reference::parse(text).unwrap();
        registries
            .endpoints(&reference)
            .unwrap()
            .into_iter()
            .map(shown)
            .collect()
    }

    fn registries() -> Registries {
        let mut registries = Registries::default();
        registries.add(CONF, "test").unwrap();
        registries
    }

    #[test]
    fn rewrites_by_the_longest_prefix() {
        let r = registries();
        assert_eq!(
            endpoints(&r, "debian"),
            [
                "127.0.0.1:5000/hub/library/debian",
                "registry-1.docker.io/library/debian"
            ]
        );
        assert_eq!(
            endpoints(&r, &format!("a/b@{SHA}"))[1],
            "digests.example/a/b"
        );
        assert_eq!(
            endpoints(&r, "x.corp.example/a"),
            ["x.corp.example/a insecure"]
        );
        assert_eq!(
            endpoints(&r, "x.corp.example:1/a"),
            ["x.corp.example:1/a insecure"]
        );
        assert_eq!(
            endpoints(&r, "a.corp.example.corp.example/a"),
            ["a.corp.example.corp.example/a insecure"]
        );
        assert_eq!(
            endpoints(&r, "x.corp.example.org/a"),
            ["x.corp.example.org/a"]
        );
        assert_eq!(endpoints(&r, "corp.example/a"), ["corp.example/a"]);
        assert_eq!(
            endpoints(&r, "plain.example:80/a"),
            ["plain.example:80/a insecure"]
        );
        assert_eq!(
            endpoints(&r, "plain.example:8080/a"),
            ["plain.example:8080/a"]
        );
        assert_eq!(endpoints(&r, "quay.io/a/b"), ["quay.io/a/b"]);
        let secret = Reference::parse("secret/x").unwrap();
        assert!(matches!(r.endpoints(&secret), Err(Error::Blocked(_))));
        assert_eq!(endpoints(&r, "secrets/x").len(), 2);
    }

    #[test]
    fn extra_mirrors_come_first() {
        let extra =
            parse_mirrors(" docker.io/=127.0.0.1:1/p/ , plain.example:80=[::1]:2,").unwrap();
        let r = Registries {
            extra,
            ..registries()
        };
        assert_eq!(endpoints(&r, "debian")[0], "127.0.0.1:1/p/library/debian");
        assert_eq!(endpoints(&r, "plain.example:80/a")[0], "[::1]:2/a");
        assert!(parse_mirrors("docker.io").is_err());
    }

    #[test]
    fn defaults_and_mistakes() {
        let none = Registries::default();
        assert_eq!(
            endpoints(&none, "debian"),
            ["registry-1.docker.io/library/debian"]
        );
        let mut r = Registries::default();
        assert!(r.add("registry = 3", "x").is_err());
    }

    #[test]
    fn drop_ins_replace_by_prefix() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("main.conf");
        let user = dir.path().join("user");
        fs::create_dir_all(user.join("registries.conf.d")).unwrap();
        fs::write(
            &main,
            "[[registry]]\nlocation = 'a.example'\nblocked = true",
        )
        .unwrap();
        let drop_in = user.join("registries.conf.d/1.conf");
        fs::write(
            drop_in,
            "[[registry]]\nlocation = 'a.example'\ninsecure = true",
        )
        .unwrap();
        fs::write(user.join("registries.conf.d/ignored.txt"), "!").unwrap();
        let settings = Settings {
            file: Some(main),
            user: Some(user),
            mirrors: Some("q.io=b.example".into()),
            ..Settings::default()
        };
        let r = Registries::load(&settings).unwrap();
        assert_eq!(endpoints(&r, "a.example/x"), ["a.example/x insecure"]);
        assert_eq!(endpoints(&r, "q.io/x"), ["b.example/x", "q.io/x"]);
        let missing = Settings {
            file: Some(dir.path().join("none")),
            ..Settings::default()
        };
        assert!(Registries::load(&missing).is_err());
    }
}
