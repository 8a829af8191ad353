//! Whether a registry lets somebody in.

use super::auth::Credentials;
use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::http::Client;
use super::registry::{Ask, Repository};
use super::request::Method;

/// Asks a registry whether it knows these credentials. One that asks nobody for any knows all.
/// Source: OCI distribution-spec, "Determining support" (`GET /v2/`).
pub fn check_login(client: &Client, server: Endpoint, credentials: Credentials) -> Result<()> {
    let host = server.host.clone();
    let registry = Repository::registry(client, server, Some(credentials));
    let refused = |error| match error {
        Error::Unauthorised { host, reason, .. } => Error::Login { host, reason },
        error => error,
    };
    let answer = registry.ask(&Ask::new(Method::GET, "", "the registry"));
    let answer = answer.map_err(refused)?;
    match answer.status() {
        200 => Ok(()),
        401 | 403 => Err(refused(answer.into_error("the registry"))),
        status => Err(Error::Status {
            url: format!("{host}/v2/"),
            status,
            reason: "this is no registry".into(),
        }),
    }
}
