//! Certificates of one registry: `certs.d/HOST[:PORT]/`. Source: containers-certs.d(5).
//!
//! ```text
//! *.crt            authorities that may vouch for the registry, besides the system's
//! *.cert, *.key    what racker shows of itself: a certificate and the key of the same name
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::blocking::ClientBuilder;
use reqwest::{Certificate, Identity};

use super::error::{Error, Result};

/// A directory with certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// The first of the directories that has something for this host and port.
    pub(crate) fn find(directories: &[PathBuf], host: &str) -> Option<Self> {
        let mut all = directories.iter().map(|directory| directory.join(host));
        let directory = all.find(|directory| directory.is_dir())?;
        Some(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The error that the library takes none of this.
    pub(crate) fn unusable(&self, error: &reqwest::Error) -> Error {
        let reason = match super::unreachable::innermost(error) {
            reason if reason.contains("UnsupportedCertVersion") => {
                "the client certificate is X.509 of version 1, and version 3 is needed".to_owned()
            }
            reason => reason,
        };
        Error::Configuration {
            origin: self.directory.display().to_string(),
            reason,
        }
    }

    /// Reads everything into a client's settings.
    pub(crate) fn install(&self, mut builder: ClientBuilder) -> Result<ClientBuilder> {
        let files = fs::read_dir(&self.directory)
            .and_then(|entries| {
                let paths = entries.map(|entry| entry.map(|entry| entry.path()));
                paths.collect::<io::Result<Vec<_>>>()
            })
            .map_err(|error| Error::io(self.directory.display(), error))?;
        let with = |extension: &str| {
            let has = move |path: &&PathBuf| path.extension().is_some_and(|it| it == extension);
            files.iter().filter(has).cloned().collect::<Vec<_>>()
        };
        for file in with("crt") {
            let found = Certificate::from_pem_bundle(&read(&file)?);
            builder = builder.tls_certs_merge(found.map_err(|error| wrong(&file, &error))?);
        }
        for file in with("cert") {
            let mut pem = read(&file)?;
            pem.push(b'\n');
            pem.extend(read(&file.with_extension("key"))?);
            let identity = Identity::from_pem(&pem).map_err(|error| wrong(&file, &error))?;
            builder = builder.identity(identity);
        }
        Ok(builder)
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| Error::io(file.display(), error))
}

fn wrong(file: &Path, error: &reqwest::Error) -> Error {
    Error::Configuration {
        origin: file.display().to_string(),
        reason: super::unreachable::innermost(error),
    }
}
