//! The only user of the HTTP library: one request at a time, redirects, retries.
//!
//! Nothing is decompressed in transit, because digests are of the bytes as stored. Redirects are
//! followed here and not by the library: each hop chooses its own kind of connection, and
//! `Authorization` goes to the first origin alone.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking;
use reqwest::header::{AUTHORIZATION, LOCATION, RETRY_AFTER};

use super::certificates::Certificates;
use super::endpoint::is_loopback;
use super::error::{Error, NO_CLIENT, Result};
use super::proxies::Proxies;
use super::request::{Method, Payload, Request, SMALL};
use super::response::Response;
use super::retry::{Retry, retry_after};
use super::unreachable::{innermost, unreachable, was_cut};
use super::watch::Watch;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The reason where a server says nothing, or takes nothing.
pub(super) const TIMED_OUT: &str = "timed out";
const REDIRECTS: usize = 10;
/// Bytes a second below which an upload counts as stuck.
const SLOWEST: u64 = 64 << 10;
/// Bytes of an upload that may lie in buffers, so that nobody sees them get on.
const BUFFERED: u64 = 512 << 10;
/// Bytes a second that a server goes through at least where it has to.
const WORK: u64 = 16 << 20;
/// How many times the patience with silence a whole small document may take.
const BODY_STALLS: u32 = 4;
const USER_AGENT: &str = concat!("racker/", env!("CARGO_PKG_VERSION"));

/// An HTTP client that is cheap until it is used; its connections are shared by all users.
#[derive(Default)]
pub struct Client {
    retry: Retry,
    proxies: Proxies,
    clients: Mutex<BTreeMap<Kind, blocking::Client>>,
}

/// What the library's clients differ in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// The directory that their certificates came from.
    certificates: Option<PathBuf>,
    /// Whether they ask for a certificate.
    verify: bool,
    /// Whether they ask no proxy.
    direct: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client with the usual patience.
    pub fn new() -> Self {
        Self::default()
    }

    /// A client with a patience of its own.
    pub fn with_retry(retry: Retry) -> Self {
        Self {
            retry,
            ..Self::default()
        }
    }

    /// The same, with proxies that are checked.
    pub fn through(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }

    /// The policy for failures.
    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Reads a small document.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>> {
        self.send(&Request::get(url))?.expect(url)?.body(url, limit)
    }

    /// Sends a request until it is answered with something that will not change by waiting.
    pub(crate) fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.send_with(request, &self.retry)
    }

    pub(crate) fn send_with(&self, request: &Request<'_>, retry: &Retry) -> Result<Response> {
        let mut failures = 0;
        loop {
            failures += 1;
            let (error, after) = match self.send_once(request) {
                Ok(response) if Retry::is_transient(response.status()) => {
                    let after = response.header(RETRY_AFTER.as_str()).and_then(retry_after);
                    (response.into_error(request.url), after)
                }
                // The server may have closed a connection that was kept. That says nothing of it.
                Err((error, true))
                    if failures == 1 && self.retry.is_single() && was_cut(request, &error) =>
                {
                    continue;
                }
                Err((error, true)) => (error, None),
                Err((error, false)) => return Err(error),
                Ok(response) => return Ok(response),
            };
            match (retry.wait(failures), after) {
                (Some(_), Some(after)) if after > retry.patience => return Err(error),
                (Some(wait), after) => thread::sleep(after.unwrap_or(wait)),
                (None, _) => return Err(error),
            }
        }
    }

    /// One try; the error says whether another may help.
    fn send_once(&self, request: &Request<'_>) -> Result<Response, (Error, bool)> {
        let start = parse_url(request.url).map_err(|error| (error, false))?;
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        let mut url = start.clone();
        for _ in 0..=REDIRECTS {
            let inner = self.hop(request, &start, &url)?;
            let status = inner.status().as_u16();
            let foreign = url.origin() != start.origin();
            // What writes is sent elsewhere only where the answer says that it is to be sent again.
            let moved = inner.status().is_redirection() && (reads || matches!(status, 307 | 308));
            let location = inner.headers().get(LOCATION).filter(|_| moved);
            let Some(location) = location.and_then(|value| value.to_str().ok()) else {
                return Ok(Response {
                    inner,
                    foreign,
                    anonymous: true,
                    patience: self.retry.stall * BODY_STALLS,
                });
            };
            let next = url
                .join(location)
                .map_err(|error| (bad_url(location, error), false))?;
            if url.scheme() == "https" && next.scheme() == "http" && !request.insecure {
                let reason = "a redirect from https to http is not followed";
                return Err((bad_url(next.as_str(), reason), false));
            }
            if matches!(request.body, Payload::Secret(_)) && next.origin() != start.origin() {
                let reason = "what is sent there is meant for another host";
                return Err((bad_url(next.as_str(), reason), false));
            }
            if !matches!(next.scheme(), "http" | "https") {
                return Err((bad_url(location, "neither http nor https"), false));
            }
            url = next;
        }
        Err((
            bad_url(request.url, format!("more than {REDIRECTS} redirects")),
            false,
        ))
    }

    /// Sends a request to `url`, which it reached by redirects from `start`.
    fn hop(
        &self,
        request: &Request<'_>,
        start: &Url,
        url: &Url,
    ) -> Result<blocking::Response, (Error, bool)> {
        let foreign = url.origin() != start.origin();
        let certificates = request.certificates.filter(|_| !foreign);
        let client = self
            .connection(url, request.insecure, certificates)
            .map_err(|error| {
                let may_pass = matches!(error, Error::Unreachable { .. });
                (error, may_pass)
            })?;
        let mut builder = client.request(request.method.clone(), url.clone());
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        if let Some(authorization) = request.authorization.filter(|_| !foreign) {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        // Where nothing is tried again, silence must be told from slowness.
        let watch = self.retry.is_single().then(Watch::new);
        let body = request.body.body(watch.as_ref());
        let Some(body) = body.map_err(|error| (Error::io(request.url, error), false))? else {
            return builder.send().map_err(|error| unreachable(url, &error));
        };
        let size = request.body.size();
        let patience = self.retry.stall + Duration::from_secs(request.work / WORK);
        let whole = patience + Duration::from_secs(size / SLOWEST);
        let builder = builder.body(body).timeout(whole);
        let Some(watch) = watch.filter(|_| size > SMALL) else {
            return builder.send().map_err(|error| unreachable(url, &error));
        };
        let patience = patience + Duration::from_secs(size.min(BUFFERED) / SLOWEST);
        let sent = watch.during(patience, || builder.send());
        let sent = sent.ok_or_else(|| (silent(url), true))?;
        sent.map_err(|error| unreachable(url, &error))
    }

    /// The library's client for a URL. Plain HTTP needs no certificates, which take long to load.
    fn connection(
        &self,
        url: &Url,
        insecure: bool,
        certificates: Option<&Certificates>,
    ) -> Result<blocking::Client> {
        let local = url.host_str().is_some_and(is_loopback);
        let verify = url.scheme() == "https" && !insecure;
        let certificates = certificates.filter(|_| url.scheme() == "https");
        // As Go has it, nobody asks a proxy for this machine.
        let direct = local || self.proxies.bypassed(url);
        if !direct {
            self.proxies.check(url.scheme())?;
        }
        let kind = Kind {
            certificates: certificates.map(|it| it.directory().to_owned()),
            verify,
            direct,
        };
        let mut clients = self.clients.lock().unwrap();
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let builder = self.builder(verify, direct);
        let client = match certificates {
            Some(own) => own
                .install(builder)?
                .build()
                .map_err(|error| own.unusable(&error))?,
            None => builder.build().map_err(|error| no_client(url, &error))?,
        };
        clients.insert(kind, client.clone());
        Ok(client)
    }

    fn builder(&self, verify: bool, direct: bool) -> blocking::ClientBuilder {
        let builder = blocking::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT.min(self.retry.stall))
            .timeout(self.retry.stall)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(!verify);
        if direct { builder.no_proxy() } else { builder }
    }
}

fn silent(url: &Url) -> Error {
    Error::Unreachable {
        host: authority(url),
        reason: TIMED_OUT.to_owned(),
    }
}

fn no_client(url: &Url, error: &reqwest::Error) -> Error {
    Error::Unreachable {
        host: authority(url),
        reason: format!("{NO_CLIENT}: {}", innermost(error)),
    }
}

fn parse_url(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| bad_url(text, error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad_url(text, "neither http nor https"));
    }
    Ok(url)
}

fn bad_url(url: &str, reason: impl ToString) -> Error {
    Error::Url {
        url: url.to_owned(),
        reason: reason.to_string(),
    }
}

pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
