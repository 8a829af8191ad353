//! What all ways to get an image have in common.

use std::fmt;

use super::auth::Credentials;
use super::http::Client;
use super::platform::Platform;
use super::progress::{Progress, Silent};
use super::registries::Registries;

/// How to get an image.
#[derive(Clone)]
pub struct Options<'a> {
    /// The client, shared so that connections are.
    pub client: &'a Client,
    /// Which servers stand for which names.
    pub registries: &'a Registries,
    /// Who is told what happens.
    pub progress: &'a dyn Progress,
    /// The platform asked for; without one the host's is preferred.
    pub platform: Option<Platform>,
    /// Any certificate and plain HTTP will do, whatever the configuration says.
    pub insecure: bool,
    /// No network.
    pub offline: bool,
    /// Who asks.
    pub credentials: Option<Credentials>,
}

impl<'a> Options<'a> {
    /// Everything usual, and silent.
    pub fn new(client: &'a Client, registries: &'a Registries) -> Self {
        Self {
            client,
            registries,
            progress: &Silent,
            platform: None,
            insecure: false,
            offline: false,
            credentials: None,
        }
    }

    /// The platform to look for.
    pub fn platform(&self) -> Platform {
        self.platform.clone().unwrap_or_else(Platform::host)
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("platform", &self.platform)
            .field("insecure", &self.insecure)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}
