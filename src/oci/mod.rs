//! Images and files from elsewhere: registries, layout directories, archives, URLs.
//!
//! ```text
//! text --reference--> Reference --registries--> endpoints --registry--> manifest
//!                                                             |            | index (platform)
//!                              auth, keyring, http, transfer               v
//! blobs ------------------------- layers (decompress) <---- config, layer digests
//!                                     |
//!                                     v  assemble: apply in order, one image
//!                                   store
//! ```
//!
//! image in the store --outgoing--> the same, elsewhere (a registry: upload)
//!
//! Nothing here starts a container or follows a path of an image on this machine. No byte is
//! believed before its digest is verified, and an image appears in the store only when all of it
//! is there. The environment is not read, but for the proxies by the HTTP library: callers hand in
//! [`Settings`] and [`Options`].

mod ahead;
pub mod archive;
mod artifact;
mod assemble;
mod auth;
mod blobs;
mod certificates;
mod config;
mod decompress;
mod download;
mod endpoint;
mod error;
mod helper;
mod http;
mod index;
mod keyring;
mod layers;
pub mod layout;
mod load;
mod locate;
mod login;
mod manifest;
mod options;
pub mod outgoing;
mod parallel;
mod pieces;
pub mod pinned;
mod pipe;
mod platform;
mod progress;
mod proxies;
mod pull;
mod reference;
#[cfg(test)]
mod refusal_tests;
mod registries;
mod registries_conf;
mod registry;
#[cfg(test)]
mod registry_tests;
mod request;
mod response;
mod retry;
pub mod rootfs;
#[cfg(test)]
mod server;
mod short_names;
pub(crate) mod stream;
mod tarball;
mod transfer;
mod unreachable;
mod upload;
mod watch;

pub(crate) use artifact::{Artifact, Part, deposit, send};
pub use auth::Credentials;
pub use certificates::Certificates;
pub use config::{check_config, created};
pub use decompress::{Compression, Decompress};
pub use download::Download;
pub use endpoint::Endpoint;
pub use error::{Error, Result};
pub use http::Client;
pub use keyring::{Kept, Keyring};
pub use load::{Loadable, load};
pub use locate::{locate, locate_tags};
pub use login::check_login;
pub use manifest::check_manifest;
pub(crate) use manifest::{Blob, read_blob};
pub use options::Options;
pub(crate) use parallel::each;
pub use platform::Platform;
pub use progress::{Progress, Silent};
pub use proxies::Proxies;
pub(crate) use pull::pull_copy;
pub use pull::{Pulled, Resolved, Status, pull, resolve, tags};
pub use reference::Reference;
pub use registries::{Registries, Settings};
pub(crate) use registry::{Ask, Repository};
pub(crate) use request::Method;
pub use retry::Retry;
pub(crate) use unreachable::innermost;
pub(crate) use upload::is_there;
