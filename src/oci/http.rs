//! The only user of the HTTP library: one GET at a time, redirects, retries.
//!
//! Nothing is decompressed in transit, because digests are of the bytes as stored. Redirects are
//! followed here and not by the library: each hop chooses its own kind of connection, and
//! `Authorization` goes to the first origin alone.

use std::fmt;
use std::io::{self, Read};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking;
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION, RETRY_AFTER};

use super::endpoint::is_loopback;
use super::error::{Error, NO_CLIENT, Result};
use super::retry::{Retry, retry_after};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 10;
const USER_AGENT: &str = concat!("racker/", env!("CARGO_PKG_VERSION"));

/// An HTTP client that is cheap until it is used; its connections are shared by all users.
#[derive(Default)]
pub struct Client {
    retry: Retry,
    verified: OnceLock<blocking::Client>,
    unverified: OnceLock<blocking::Client>,
    direct: OnceLock<blocking::Client>,
}

/// A GET.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub url: &'a str,
    pub headers: &'a [(&'static str, &'a str)],
    pub authorization: Option<&'a str>,
    /// Take any certificate, and plain HTTP after a redirect.
    pub insecure: bool,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub(crate) struct Response {
    inner: blocking::Response,
    /// Whether another origin than the one asked gave this answer.
    pub foreign: bool,
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

    /// The policy for failures.
    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Reads a small document.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>> {
        let request = Request {
            url,
            headers: &[],
            authorization: None,
            insecure: false,
        };
        self.send(&request)?.expect(url)?.body(url, limit)
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
        let mut url = start.clone();
        for _ in 0..=REDIRECTS {
            let client = self
                .connection(&url, request.insecure)
                .map_err(|error| (error, true))?;
            let mut get = client.get(url.clone());
            for (name, value) in request.headers {
                get = get.header(*name, *value);
            }
            let foreign = url.origin() != start.origin();
            if let Some(authorization) = request.authorization.filter(|_| !foreign) {
                get = get.header(AUTHORIZATION, authorization);
            }
            let inner = get.send().map_err(|error| unreachable(&url, &error))?;
            let location = inner
                .headers()
                .get(LOCATION)
                .filter(|_| inner.status().is_redirection());
            let Some(location) = location.and_then(|value| value.to_str().ok()) else {
                return Ok(Response { inner, foreign });
            };
            let next = url
                .join(location)
                .map_err(|error| (bad_url(location, error), false))?;
            if url.scheme() == "https" && next.scheme() == "http" && !request.insecure {
                let reason = "a redirect from https to http is not followed";
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

    /// The library's client for a URL. Plain HTTP needs no certificates, which take long to load.
    fn connection(&self, url: &Url, insecure: bool) -> Result<&blocking::Client> {
        let local = url.host_str().is_some_and(is_loopback);
        let verify = url.scheme() == "https" && !insecure;
        let cell = match (verify, local) {
            (true, _) => &self.verified,
            (false, true) => &self.direct,
            (false, false) => &self.unverified,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let mut builder = blocking::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(READ_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(!verify);
        if local && !verify {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| Error::Unreachable {
            host: authority(url),
            reason: format!("{NO_CLIENT}: {}", innermost(&error)),
        })?;
        Ok(cell.get_or_init(|| client))
    }
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let values = HeaderMap::get_all(self.inner.headers(), name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect()
    }

    /// The length of the body, if it is told.
    pub(crate) fn length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// Host and port that gave this answer.
    pub(crate) fn host(&self) -> String {
        authority(self.inner.url())
    }

    /// Reads the body, which must not exceed `limit`.
    pub(crate) fn body(self, what: &str, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.inner
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::Transfer {
                what: what.to_owned(),
                received: bytes.len() as u64,
                reason: innermost(&error),
            })?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge {
                what: what.to_owned(),
                limit,
            });
        }
        Ok(bytes)
    }

    /// Itself, if the answer is a body or a part of one.
    pub(crate) fn expect(self, what: &str) -> Result<Self> {
        if matches!(self.status(), 200 | 206) {
            Ok(self)
        } else {
            Err(self.into_error(what))
        }
    }

    /// The error that this answer means.
    pub(crate) fn into_error(self, what: &str) -> Error {
        let (host, what) = (self.host(), what.to_owned());
        let after = self.header(RETRY_AFTER.as_str()).and_then(retry_after);
        match self.status() {
            401 | 403 => Error::Unauthorised {
                host,
                what,
                reason: self.reason(),
            },
            404 | 410 => Error::NotFound { host, what },
            429 => Error::RateLimited { host, after },
            status => Error::Status {
                url: what,
                status,
                reason: self.reason(),
            },
        }
    }

    /// What the body of an error answer says, by the registries' convention or as plain text.
    fn reason(self) -> String {
        let status = self.inner.status();
        let fallback = status.canonical_reason().unwrap_or("").to_lowercase();
        let Ok(body) = self.body("", 16 * 1024) else {
            return fallback;
        };
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = &document["errors"][0];
        let text = ["message", "code"]
            .iter()
            .find_map(|key| error[*key].as_str());
        let text = text.filter(|text| !text.is_empty()).unwrap_or(&fallback);
        text.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

impl Read for Response {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out)
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

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A refused connection or an unknown certificate stays what it is; all else may pass.
fn unreachable(url: &Url, error: &reqwest::Error) -> (Error, bool) {
    let reason = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        innermost(error)
    };
    let refused = chain(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    });
    let lasting =
        refused || reason.contains("certificate") || reason.contains("InvalidContentType");
    (
        Error::Unreachable {
            host: authority(url),
            reason,
        },
        !lasting && !error.is_builder(),
    )
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The last message of a chain of causes: the one with something to say.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
