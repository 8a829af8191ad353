//! Settings, and the only place that reads the environment.
//!
//! option > environment (`RACKER_*`) > `~/.config/racker/config.toml` > `/etc/racker/config.toml`.

mod collecting;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use collecting::Collecting;

use crate::cache;
use crate::container::Method;
use crate::failure::{Failure, USAGE};

/// What a configuration file may say; every key has a `RACKER_*` variable of the same name.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    store: Option<PathBuf>,
    tree_mount: Option<String>,
    registry_mirrors: Option<String>,
    package_mirrors: Option<String>,
    offline: Option<bool>,
    jobs: Option<usize>,
    cache: Option<Vec<String>>,
    cache_push: Option<String>,
    trusted_keys: Option<Vec<String>>,
    signing_key: Option<PathBuf>,
    gc_min_free: Option<String>,
    gc_max_free: Option<String>,
    gc_max_size: Option<String>,
    gc_older_than: Option<String>,
    gc_keep: Option<Vec<String>>,
}

/// Options of the command line that are settings.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// `--store`
    pub store: Option<PathBuf>,
    /// `--tree-mount`
    pub tree_mount: Option<String>,
    /// `--offline`
    pub offline: bool,
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store's directory.
    pub store: PathBuf,
    /// How trees are mounted.
    pub tree_mount: Method,
    /// `host=mirror,...`: registries to ask before a host.
    pub registry_mirrors: Option<String>,
    /// What package files may be had from instead of where they were found: beginnings of
    /// addresses, and what takes their place.
    pub package_mirrors: Vec<(String, String)>,
    /// The value of `CONTAINERS_REGISTRIES_CONF`.
    pub registries_conf: Option<PathBuf>,
    /// The user's `~/.config/containers`.
    pub user_containers: Option<PathBuf>,
    /// Where credentials for registries are.
    pub keyring: crate::oci::Keyring,
    /// Whether the network may not be used.
    pub offline: bool,
    /// How many things are done at once.
    pub jobs: usize,
    /// Where results of steps are shared with other machines.
    pub cache: cache::Settings,
    /// The file of the secret key that results are signed with.
    pub signing_key: Option<PathBuf>,
    /// When a store is collected, and what is kept.
    pub gc: Collecting,
    /// The user's directory for racker's own files.
    pub own: Option<PathBuf>,
}

impl Settings {
    /// Reads files and environment; `options` go before both.
    pub fn read(options: Options) -> Result<Self, Failure> {
        let root = rustix::process::geteuid().is_root();
        let home = variable("HOME").map(PathBuf::from);
        let user_config = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".config")));
        let mut file = load(Path::new("/etc/racker/config.toml"))?;
        let user_containers = user_config.as_ref().map(|config| config.join("containers"));
        let own = user_config.map(|config| config.join("racker"));
        if let Some(directory) = &own {
            file = load(&directory.join("config.toml"))?.over(file);
        }
        file = environment()?.over(file);
        let default_store = || {
            if root {
                return PathBuf::from("/var/lib/racker");
            }
            variable("XDG_DATA_HOME")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".local/share")))
                .unwrap_or_else(|| PathBuf::from("/var/tmp"))
                .join("racker")
        };
        let cache = shared(&file)?;
        let gc = Collecting::read(&file)?;
        let method = options.tree_mount.or(file.tree_mount);
        Ok(Self {
            store: options.store.or(file.store).unwrap_or_else(default_store),
            tree_mount: parse_method(method.as_deref().unwrap_or("auto"))?,
            registry_mirrors: file.registry_mirrors,
            package_mirrors: parse_mirrors(file.package_mirrors.as_deref().unwrap_or_default())?,
            keyring: keyring(user_containers.as_deref(), home.as_deref()),
            user_containers,
            registries_conf: variable("CONTAINERS_REGISTRIES_CONF").map(PathBuf::from),
            cache,
            signing_key: file.signing_key,
            gc,
            own,
            offline: options.offline || file.offline.unwrap_or(false),
            jobs: file.jobs.unwrap_or_else(|| {
                std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
            }),
        })
    }
}

impl File {
    fn over(self, below: Self) -> Self {
        Self {
            store: self.store.or(below.store),
            tree_mount: self.tree_mount.or(below.tree_mount),
            registry_mirrors: self.registry_mirrors.or(below.registry_mirrors),
            package_mirrors: self.package_mirrors.or(below.package_mirrors),
            offline: self.offline.or(below.offline),
            jobs: self.jobs.or(below.jobs),
            cache: self.cache.or(below.cache),
            cache_push: self.cache_push.or(below.cache_push),
            trusted_keys: self.trusted_keys.or(below.trusted_keys),
            signing_key: self.signing_key.or(below.signing_key),
            gc_min_free: self.gc_min_free.or(below.gc_min_free),
            gc_max_free: self.gc_max_free.or(below.gc_max_free),
            gc_max_size: self.gc_max_size.or(below.gc_max_size),
            gc_older_than: self.gc_older_than.or(below.gc_older_than),
            gc_keep: self.gc_keep.or(below.gc_keep),
        }
    }
}

impl Settings {
    /// What the registry configuration is read from.
    pub fn registries(&self) -> crate::oci::Settings {
        let certificates = self.user_containers.iter().cloned();
        let certificates = certificates
            .chain(["/etc/containers", "/etc/docker"].map(PathBuf::from))
            .map(|directory| directory.join("certs.d"));
        crate::oci::Settings {
            file: self.registries_conf.clone(),
            user: self.user_containers.clone(),
            mirrors: self.registry_mirrors.clone(),
            certificates: certificates.collect(),
            keyring: self.keyring.clone(),
        }
    }
}

/// Where credentials are: `REGISTRY_AUTH_FILE` alone, or else the files of podman and docker.
/// Source: containers-auth.json(5).
fn keyring(user_containers: Option<&Path>, home: Option<&Path>) -> crate::oci::Keyring {
    if let Some(file) = variable("REGISTRY_AUTH_FILE").map(PathBuf::from) {
        return crate::oci::Keyring {
            files: vec![file.clone()],
            own: Some(file),
        };
    }
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let user = rustix::process::geteuid().as_raw();
    let fallback = PathBuf::from(format!("/run/containers/{user}/auth.json"));
    let podman = match &runtime {
        Some(directory) => directory.join("containers/auth.json"),
        None => fallback,
    };
    let config = user_containers.map(|directory| directory.join("auth.json"));
    let docker = variable("DOCKER_CONFIG").map(PathBuf::from);
    let docker = docker.or_else(|| home.map(|home| home.join(".docker")));
    let docker = docker.map(|directory| directory.join("config.json"));
    // What is in the runtime directory is gone after the session, as podman has it.
    let own = runtime.map(|_| podman.clone()).or_else(|| config.clone());
    let files = [Some(podman), config, docker].into_iter().flatten();
    crate::oci::Keyring {
        files: files.collect(),
        own,
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the environment says of proxies.
pub fn proxies() -> crate::oci::Proxies {
    crate::oci::Proxies::read(|name| env::var(name).ok())
}

/// Whether `NO_COLOR` is set, or standard error cannot show colour.
pub fn no_color() -> bool {
    use std::io::IsTerminal;
    variable("NO_COLOR").is_some()
        || variable("TERM").is_some_and(|term| term == "dumb")
        || !std::io::stderr().is_terminal()
}

/// The value of a variable of the caller's, for `-e NAME`.
pub fn caller_variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn environment() -> Result<File, Failure> {
    let number = |name: &str| match variable(name) {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| Failure::new(USAGE, format!("{name} is not a number: {text:?}"))),
    };
    let list = |name: &str| {
        let list = |text: String| text.split(',').map(|part| part.trim().to_owned()).collect();
        variable(name).map(list)
    };
    Ok(File {
        store: variable("RACKER_STORE").map(PathBuf::from),
        tree_mount: variable("RACKER_TREE_MOUNT"),
        registry_mirrors: variable("RACKER_REGISTRY_MIRRORS"),
        package_mirrors: variable("RACKER_PACKAGE_MIRRORS"),
        offline: variable("RACKER_OFFLINE").map(|value| value != "0"),
        jobs: number("RACKER_JOBS")?,
        cache: list("RACKER_CACHE"),
        cache_push: variable("RACKER_CACHE_PUSH"),
        trusted_keys: list("RACKER_TRUSTED_KEYS"),
        signing_key: variable("RACKER_SIGNING_KEY").map(PathBuf::from),
        gc_min_free: variable("RACKER_GC_MIN_FREE"),
        gc_max_free: variable("RACKER_GC_MAX_FREE"),
        gc_max_size: variable("RACKER_GC_MAX_SIZE"),
        gc_older_than: variable("RACKER_GC_OLDER_THAN"),
        gc_keep: list("RACKER_GC_KEEP"),
    })
}

fn load(path: &Path) -> Result<File, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => {
            return Err(Failure::new(
                USAGE,
                format!("read {}: {error}", path.display()),
            ));
        }
    };
    toml::from_str(&text)
        .map_err(|error| Failure::new(USAGE, format!("{}: {error}", path.display())))
}

/// What the files and the environment say about shared caches.
fn shared(file: &File) -> Result<cache::Settings, Failure> {
    let wrong =
        |what: &str, error: &dyn std::fmt::Display| Failure::new(USAGE, format!("{what}: {error}"));
    let place = |text: &String| parse_cache(text).map_err(|error| wrong("no cache", &error));
    let key = |text: &String| {
        let key = text.parse::<cache::PublicKey>();
        // By its name alone: it may be a secret one.
        let name = text
            .split_once(':')
            .map_or("a key without a name", |it| it.0);
        key.map_err(|error| wrong(&format!("trusted-keys has {name:?}"), &error))
    };
    let read = file.cache.iter().flatten().map(place);
    let trusted = file.trusted_keys.iter().flatten().map(key);
    Ok(cache::Settings {
        read: read.collect::<Result<_, _>>()?,
        push: file.cache_push.as_ref().map(place).transpose()?,
        trusted: trusted.collect::<Result<_, _>>()?,
    })
}

/// Reads `REGISTRY/REPOSITORY`.
pub fn parse_cache(text: &str) -> Result<crate::oci::Reference, String> {
    let form = || format!("expected REGISTRY/REPOSITORY, not {text:?}");
    let reference = crate::oci::Reference::parse(text).map_err(|_| form())?;
    // Neither a tag nor a name that has its registry from somewhere else.
    if reference.name() == text {
        Ok(reference)
    } else {
        Err(form())
    }
}

/// Reads `PREFIX=LOCATION,...`.
fn parse_mirrors(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((prefix, location)) if prefix.contains("://") && location.contains("://") => {
                Ok((prefix.to_owned(), location.to_owned()))
            }
            _ => Err(Failure::new(USAGE, format!("no package mirror: {part:?}"))
                .hint("package-mirrors is PREFIX=LOCATION,..., both beginnings of URLs")),
        })
        .collect()
}

fn parse_method(text: &str) -> Result<Method, Failure> {
    Method::of(text).ok_or_else(|| {
        Failure::new(USAGE, format!("no such way to mount a tree: {text:?}"))
            .hint("auto, erofs or checkout")
    })
}
