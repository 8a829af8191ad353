//! What can go wrong while provisioning, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::package::Manager;

/// An error of provisioning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no package can have.
    #[error("`{name}` is not a package name")]
    BadName {
        /// The name as written.
        name: String,
    },
    /// The repositories do not have a package.
    #[error("unknown package `{name}`")]
    UnknownPackage {
        /// The package asked for.
        name: String,
    },
    /// A name that no package has, and several provide.
    #[error("package `{name}` is a virtual one")]
    VirtualPackage {
        /// The name asked for.
        name: String,
        /// Names of the packages that provide it.
        providers: Vec<String>,
    },
    /// The repositories do not have a version of a package.
    #[error("package `{name}` has no version `{version}`")]
    UnknownVersion {
        /// The package asked for.
        name: String,
        /// The version, or pattern of versions, asked for.
        version: String,
    },
    /// The solver found no solution.
    #[error("the packages cannot be installed together: {details}")]
    Unsatisfiable {
        /// What the package manager said.
        details: String,
    },
    /// The repository could not be reached.
    #[error("cannot reach the package repository: {details}")]
    Unreachable {
        /// What the package manager said.
        details: String,
    },
    /// The repository is not signed by a key that is trusted.
    #[error("the package repository's signature does not hold: {details}")]
    Unsigned {
        /// What the package manager said.
        details: String,
    },
    /// The image accepts a repository that nobody vouches for.
    #[error("the image takes packages from a repository without a signature: {which}")]
    Untrusted {
        /// The repository, or the file that says so.
        which: String,
    },
    /// The repository's metadata is too old or from the future.
    #[error("the package repository's metadata is out of date: {details}")]
    Expired {
        /// What the package manager said.
        details: String,
    },
    /// The image names no repository at all.
    #[error("the image has no package repository configured")]
    NoSources,
    /// The package manager failed for another reason.
    #[error("{tool} failed: {details}")]
    Failed {
        /// The program that failed.
        tool: &'static str,
        /// Its last words.
        details: String,
    },
    /// The package manager said something that is not understood.
    #[error("cannot understand the output of {tool}: `{line}`")]
    Output {
        /// The program.
        tool: &'static str,
        /// The line.
        line: String,
    },
    /// What a repository says about itself does not fit together.
    #[error("repository metadata {file}: {reason}")]
    Metadata {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A package file is broken.
    #[error("{}: not a usable package: {reason}", path.display())]
    BadPackage {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tree has no package manager.
    #[error("the image has no package manager that is known (apt, dnf, zypper, pacman, apk)")]
    NoManager,
    /// A solution that switches on streams of modules, which a later installation could not.
    #[error("the packages come from streams of modules that are not enabled: {streams}")]
    Modules {
        /// Names and streams.
        streams: String,
    },
    /// A package manager of a kind that is not supported.
    #[error("the image's {program} is of a kind that is not supported: {details}")]
    UnsupportedKind {
        /// The program.
        program: &'static str,
        /// What it is.
        details: String,
    },
    /// A package manager that has nothing of the kind.
    #[error("{manager} has no {what}")]
    Unfit {
        /// The manager.
        manager: Manager,
        /// What the step wants of it.
        what: String,
    },
    /// The recipe names another package manager than the image has.
    #[error("the step is for {wanted}, but the image's package manager is {found}")]
    WrongManager {
        /// What the step asks for.
        wanted: Manager,
        /// What the tree has.
        found: Manager,
    },
    /// A units step on an image without systemd.
    #[error("the image has no systemctl, so units cannot be enabled, disabled or masked")]
    NoSystemctl,
    /// The host lacks a program.
    #[error("`{program}` is not installed on this host")]
    MissingTool {
        /// The program.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// Nothing says where to bootstrap from.
    #[error("no mirror of {distribution} for `{suite}` in this host's package sources")]
    NoMirror {
        /// The distribution asked for.
        distribution: String,
        /// The suite asked for.
        suite: String,
    },
    /// A distribution that cannot be bootstrapped.
    #[error("`{distribution}` cannot be bootstrapped, only debian can")]
    UnknownDistribution {
        /// The distribution asked for.
        distribution: String,
    },
    /// A variant of bootstrapping that is not known.
    #[error("`{variant}` is no variant of bootstrapping")]
    UnknownVariant {
        /// The variant asked for.
        variant: String,
    },
    /// The normaliser could not store what it wrote, or met a tree that it cannot change.
    #[error("cannot normalise the tree")]
    Tree(#[from] racker_store::Error),
    /// A file of the tree cannot be written anew.
    #[error("cannot normalise /{path}: {reason}")]
    Database {
        /// The file, from the root.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Error {
    /// Makes an [`Error::Io`] of an `io::Error`, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }

    /// What a person can do about it, a line each.
    pub fn hints(&self) -> Vec<String> {
        let hint: &str = match self {
            Error::BadName { .. } => "write a name, or name=version; patterns are not allowed",
            Error::UnknownPackage { .. } => {
                "check the spelling, and whether the image's sources have the component or suite"
            }
            Error::VirtualPackage { providers, .. } => {
                return vec![format!(
                    "name one that provides it: {}",
                    providers.join(", ")
                )];
            }
            Error::UnknownVersion { .. } => {
                "leave the version out, or end it in `*` to accept updates of it"
            }
            Error::Unreachable { .. } => {
                "check the network, the proxy (of apt: `apt-config dump Acquire`) and the image's sources"
            }
            Error::Untrusted { .. } => {
                "sign it; or write `unsigned = true` in the step, if you know what is in it"
            }
            Error::Unsigned { .. } => "give the image the repository's key before this step",
            Error::Expired { .. } => {
                "check the clock; for a snapshot mirror set Acquire::Check-Valid-Until \"false\" \
                 in this host's apt configuration"
            }
            Error::Modules { .. } => {
                "enable them in an earlier step; a copied /etc/dnf/modules.d/NAME.module does"
            }
            Error::NoSources => {
                "write /etc/apt/sources.list, or what the image's package manager has instead, in an \
                 earlier step"
            }
            Error::MissingTool { package, .. } => {
                return vec![format!("apt-get install {package}")];
            }
            Error::NoMirror { .. } => {
                "name one: from = { bootstrap = ..., mirror = \"http://...\" }"
            }
            Error::NoSystemctl => "install systemd in an earlier step",
            Error::UnknownVariant { .. } => {
                return vec![format!(
                    "there are {}",
                    super::bootstrap::Bootstrap::VARIANTS.join(", ")
                )];
            }
            Error::WrongManager { .. } => "write `packages = [...]`, which takes the image's own",
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
