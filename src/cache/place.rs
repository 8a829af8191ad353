//! One repository that is a cache.

use crate::oci::{Ask, Client, Endpoint, Error, Method, Reference, Registries, Repository, Result};

/// A repository, and whether its registry answers.
pub(super) struct Place<'a> {
    /// What users call it.
    pub(super) name: String,
    pub(super) reference: Reference,
    pub(super) repository: Repository<'a>,
    /// Whether results are put there, and not looked for.
    pub(super) writes: bool,
    /// The registry, to be asked once whether it is there.
    registry: Repository<'a>,
}

impl<'a> Place<'a> {
    pub(super) fn to_read(
        reference: &Reference,
        client: &'a Client,
        registries: &Registries,
    ) -> Result<Self> {
        let endpoint = registries.home(reference)?;
        let credentials = registries.credentials(&endpoint)?;
        let repository = Repository::new(client, endpoint, credentials);
        Self::new(reference, registries, repository, false)
    }

    pub(super) fn to_write(
        reference: &Reference,
        client: &'a Client,
        registries: &Registries,
    ) -> Result<Self> {
        let endpoint = registries.home(reference)?;
        let credentials = registries.credentials(&endpoint)?;
        let repository = Repository::for_push(client, endpoint, credentials, None);
        Self::new(reference, registries, repository, true)
    }

    fn new(
        reference: &Reference,
        registries: &Registries,
        repository: Repository<'a>,
        writes: bool,
    ) -> Result<Self> {
        let endpoint = registries.home(reference)?;
        let credentials = registries.credentials(&endpoint)?;
        let server = Endpoint {
            repository: String::new(),
            ..endpoint
        };
        Ok(Self {
            name: reference.name(),
            reference: reference.clone(),
            registry: Repository::registry(repository.client(), server, credentials),
            repository,
            writes,
        })
    }

    /// What is known of it is known by this.
    pub(super) fn key(&self) -> (String, bool) {
        (self.name.clone(), self.writes)
    }

    /// Whether somebody answers there. What a registry has against us it may say later, when it is
    /// asked for something.
    pub(super) fn probe(&self) -> Result<()> {
        let ask = Ask {
            once: true,
            ..Ask::new(Method::GET, "", "the registry")
        };
        match self.registry.ask(&ask) {
            Ok(answer) if answer.status() >= 500 => Err(answer.into_error("the registry")),
            Err(
                error @ (Error::Unreachable { .. }
                | Error::RateLimited { .. }
                | Error::Status { status: 500.., .. }),
            ) => Err(error),
            _ => Ok(()),
        }
    }
}
