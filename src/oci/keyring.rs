//! Who racker is to a registry: authentication files and credential helpers.
//!
//! ```text
//! { "auths":       { "quay.io/team": { "auth": base64("name:password"), "identitytoken": "..." } },
//!   "credHelpers": { "gcr.example": "helper" },           docker-credential-helper
//!   "credsStore":  "helper" }
//! ```
//!
//! The first file that knows the registry decides. In a file the registry's helper is asked first,
//! then the helper for all, then the entries, the longest name first. Sources:
//! containers-auth.json(5), the documentation of docker's `config.json`.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::auth::Credentials;
use super::error::{Error, Result};
use super::helper::Helper;
use crate::files::lock_or_wait;
use crate::replace::{parent, replace};

/// The name under which docker keeps what is for Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Docker Hub's names in keys.
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Where credentials are looked for and kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    /// The files to read, in this order.
    pub files: Vec<PathBuf>,
    /// The file to write; it is among those to read.
    pub own: Option<PathBuf>,
}

/// Where credentials were put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In a file, readable by its owner alone but not encrypted.
    File(PathBuf),
    /// With a helper of this name.
    Helper(String),
}

impl Keyring {
    /// What is known for `name`, a registry with or without a repository.
    pub fn find(&self, name: &str) -> Result<Option<Credentials>> {
        for path in &self.files {
            let file = AuthFile::read(path)?;
            if let Some(found) = file.find(name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Keeps credentials for a registry.
    pub fn add(&self, registry: &str, credentials: &Credentials) -> Result<Kept> {
        let (mut file, _turn) = self.own()?;
        if let Some(helper) = file.helpers(registry).next() {
            helper.store(&server(registry), credentials)?;
            return Ok(Kept::Helper(helper.name));
        }
        let mut entry = json!({ "auth": credentials.encoded() });
        if let Some(token) = &credentials.identity_token {
            entry["identitytoken"] = json!(token);
        }
        file.entries().retain(|key, _| normal(key) != registry);
        file.entries().insert(registry.to_owned(), entry);
        file.write()?;
        Ok(Kept::File(file.path))
    }

    /// The file that is read before ours and knows the registry, if one does: what we keep is of no use.
    pub fn shadow(&self, registry: &str) -> Result<Option<PathBuf>> {
        let before = self.files.iter();
        for path in before.take_while(|path| self.own.as_ref() != Some(path)) {
            if AuthFile::read(path)?.find(registry)?.is_some() {
                return Ok(Some(path.clone()));
            }
        }
        Ok(None)
    }

    /// Forgets what is known for a registry; says whether there was something.
    pub fn remove(&self, registry: &str) -> Result<bool> {
        let (mut file, _turn) = self.own()?;
        let mut found = false;
        for helper in file.helpers(registry) {
            found |= helper.erase(&server(registry))?;
        }
        let before = file.entries().len();
        file.entries().retain(|key, _| normal(key) != registry);
        if file.entries().len() < before {
            found = true;
            file.write()?;
        }
        Ok(found)
    }

    /// Our file, and its directory, locked so that of several at once each adds to what the others did.
    fn own(&self) -> Result<(AuthFile, File)> {
        let own = self.own.as_deref().ok_or_else(|| Error::Configuration {
            origin: "authentication file".to_owned(),
            reason: "there is no place for one: neither REGISTRY_AUTH_FILE nor HOME is set".into(),
        })?;
        let failed = |error| Error::io(own.display(), error);
        let directory = parent(own);
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        let locked = made.and_then(|()| {
            let turn = File::open(directory)?;
            lock_or_wait(&turn, || {})?;
            Ok(turn)
        });
        let turn = locked.map_err(failed)?;
        Ok((AuthFile::read(own)?, turn))
    }
}

struct AuthFile {
    path: PathBuf,
    document: Map<String, Value>,
}

impl AuthFile {
    /// Reads a file; one that is not there is empty.
    fn read(path: &Path) -> Result<Self> {
        let document = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
            Ok(bytes) if bytes.trim_ascii().is_empty() => Map::new(),
            // What is wrong is told by its place alone: the text around it may be secret.
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Configuration {
                origin: path.display().to_string(),
                reason: format!("malformed at {}:{}", error.line(), error.column()),
            })?,
            Err(error) => return Err(Error::io(path.display(), error)),
        };
        let path = path.to_owned();
        Ok(Self { path, document })
    }

    /// The helpers for a registry, the closest first.
    fn helpers(&self, registry: &str) -> impl Iterator<Item = Helper> + use<> {
        let own = self.document.get("credHelpers").and_then(Value::as_object);
        let own = own.into_iter().flatten();
        let own = own.filter(|(key, _)| normal(key) == registry);
        let own = own.filter_map(|(_, name)| name.as_str());
        let all = self.document.get("credsStore").and_then(Value::as_str);
        let names: Vec<&str> = own.chain(all).filter(|name| !name.is_empty()).collect();
        let helpers: Vec<Helper> = names.into_iter().map(Helper::new).collect();
        helpers.into_iter()
    }

    fn entries(&mut self) -> &mut Map<String, Value> {
        let entries = self.document.entry("auths").or_insert_with(|| json!({}));
        if !entries.is_object() {
            *entries = json!({});
        }
        entries.as_object_mut().expect("it was just made one")
    }

    fn find(&self, name: &str) -> Result<Option<Credentials>> {
        let registry = name.split('/').next().unwrap_or(name);
        for helper in self.helpers(registry) {
            if let Some(found) = helper.get(&server(registry))? {
                return Ok(Some(found));
            }
        }
        let entries = self.document.get("auths").and_then(Value::as_object);
        let suits = |key: &str| {
            let rest = name.strip_prefix(normal(key).as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut suiting: Vec<_> = entries
            .into_iter()
            .flatten()
            .filter(|(key, _)| suits(key))
            .collect();
        suiting.sort_by_key(|(key, _)| std::cmp::Reverse(normal(key).len()));
        for (key, entry) in suiting {
            if let Some(found) = credentials(entry).map_err(|reason| Error::Configuration {
                origin: format!("{}, entry `{key}`", self.path.display()),
                reason,
            })? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Writes the file anew, for its owner alone.
    fn write(&self) -> Result<()> {
        let failed = |error| Error::io(self.path.display(), error);
        let mut text = serde_json::to_vec_pretty(&self.document)
            .map_err(|error| failed(io::Error::other(error)))?;
        text.push(b'\n');
        replace(&self.path, &text, 0o600).map_err(failed)
    }
}

/// An entry's credentials; one without any stands for a login that a helper keeps.
fn credentials(entry: &Value) -> Result<Option<Credentials>, String> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    let token = text("identitytoken").map(str::to_owned);
    let mut found = match text("auth") {
        Some(auth) => {
            let bytes = STANDARD
                .decode(auth.trim())
                .map_err(|_| "`auth` is not base64")?;
            let pair = String::from_utf8(bytes).map_err(|_| "`auth` is not UTF-8")?;
            let (name, password) = pair.split_once(':').ok_or("`auth` has no colon in it")?;
            Credentials::new(name, password.trim_end_matches('\0'))
        }
        None => match (text("username"), text("password")) {
            (Some(name), Some(password)) => Credentials::new(name, password),
            _ if token.is_some() => Credentials::new("", ""),
            _ => return Ok(None),
        },
    };
    found.identity_token = token;
    Ok(Some(found))
}

/// What a key stands for: a registry, or a part of it. Docker's keys may be addresses.
fn normal(key: &str) -> String {
    let stripped = ["https://", "http://"]
        .iter()
        .find_map(|it| key.strip_prefix(it));
    let name = match stripped {
        Some(address) => address.split('/').next().unwrap_or(address),
        None => key
            .trim_end_matches('/')
            .trim_end_matches("/v1")
            .trim_end_matches("/v2"),
    };
    let (registry, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
    if HUB_HOSTS.contains(&registry) {
        format!("{}{rest}", HUB_HOSTS[0])
    } else {
        name.to_owned()
    }
}

/// What a helper knows a registry by.
fn server(registry: &str) -> String {
    if registry == HUB_HOSTS[0] {
        HUB_KEY.to_owned()
    } else {
        registry.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn keyring(directory: &Path, texts: &[&str]) -> Keyring {
        let files: Vec<PathBuf> = (0..texts.len())
            .map(|number| directory.join(format!("{number}.json")))
            .collect();
        for (file, text) in files.iter().zip(texts) {
            fs::write(file, text).unwrap();
        }
        let own = Some(files[0].clone());
        Keyring { files, own }
    }

    #[test]
    fn several_at_once_keep_what_each_adds() {
        let directory = tempfile::tempdir().unwrap();
        let keyring = &keyring(directory.path(), &["{}"]);
        let credentials = &Credentials::new("u".to_owned(), "p".to_owned());
        std::thread::scope(|scope| {
            for number in 0..16 {
                scope.spawn(move || {
                    let registry = format!("r{number}.example");
                    keyring.add(&registry, credentials).unwrap();
                });
            }
        });
        for number in 0..16 {
            let found = keyring.find(&format!("r{number}.example")).unwrap();
            assert!(found.is_some(), "{number}");
        }
    }

    #[test]
    fn what_is_read_before_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let auth = STANDARD.encode("a:b");
        let first = format!(r#"{{"auths":{{"a.example":{{"auth":"{auth}"}}}}}}"#);
        let mut keyring = keyring(directory.path(), &[&first, "{}"]);
        assert_eq!(keyring.shadow("a.example").unwrap(), None);
        keyring.own = Some(keyring.files[1].clone());
        let shadow = keyring.shadow("a.example").unwrap();
        assert_eq!(shadow.as_ref(), keyring.files.first());
        assert_eq!(keyring.shadow("b.example").unwrap(), None);
    }

    #[test]
    fn the_closest_entry_decides() {
        let directory = tempfile::tempdir().unwrap();
        let auth = |pair: &str| STANDARD.encode(pair);
        let first = format!(
            r#"{{"auths":{{"quay.io":{{"auth":"{}"}},"quay.io/team":{{"auth":"{}"}},
            "https://index.docker.io/v1/":{{"auth":"{}"}},"empty.example":{{}}}}}}"#,
            auth("all:1"),
            auth("team:a:b"),
            auth("hub:2"),
        );
        let second = r#"{"auths":{"empty.example":{"identitytoken":"t"},"http://a.example:1/v2/":
            {"username":"u","password":"p"}}}"#;
        let keyring = keyring(directory.path(), &[&first, second]);
        let find = |name: &str| keyring.find(name).unwrap();
        let named = |name: &str| find(name).map(|it| (it.username, it.password));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(named("quay.io/other/x"), pair("all", "1"));
        assert_eq!(named("quay.io/team/x"), pair("team", "a:b"));
        assert_eq!(named("quay.io/teams/x"), pair("all", "1"));
        assert_eq!(named("docker.io/library/debian"), pair("hub", "2"));
        assert_eq!(named("a.example:1/x"), pair("u", "p"));
        assert_eq!(named("a.example/x"), None);
        let token = find("empty.example/x").unwrap();
        assert_eq!(token.identity_token.as_deref(), Some("t"));
    }

    #[test]
    fn what_is_kept_is_found_and_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let text = r#"{"auths":{"https://a.example":{"auth":"eDp5"}},"other":[1]}"#;
        let keyring = keyring(directory.path(), &[text]);
        let own = keyring.own.clone().unwrap();
        let me = Credentials::new("me", "secret");
        let kept = keyring.add("b.example:5000", &me).unwrap();
        assert_eq!(kept, Kept::File(own.clone()));
        assert_eq!(
            fs::metadata(&own).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(keyring.find("b.example:5000/x").unwrap(), Some(me));
        assert!(keyring.remove("b.example:5000").unwrap());
        assert!(!keyring.remove("b.example:5000").unwrap());
        assert!(keyring.remove("a.example").unwrap());
        assert_eq!(keyring.find("a.example/x").unwrap(), None);
        assert!(fs::read_to_string(&own).unwrap().contains("other"));
    }

    #[test]
    fn a_malformed_file_keeps_its_secrets() {
        let directory = tempfile::tempdir().unwrap();
        for text in [
            r#"{"auths": "hidden" "#,
            r#"{"auths":{"a.example":{"auth":"hidden!"}}}"#,
            r#"{"auths":{"a.example":{"auth":"aGlkZGVu"}}}"#,
        ] {
            let keyring = keyring(directory.path(), &[text]);
            let error = keyring.find("a.example/x").unwrap_err().to_string();
            assert!(
                error.contains("0.json") && !error.contains("hidden"),
                "{error}"
            );
        }
    }
}
