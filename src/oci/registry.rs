//! One repository on one server: its manifests and blobs, with authorisation done in passing.

use std::sync::OnceLock;
use std::thread;

use racker_store::Digest;

use super::auth::{Credentials, Session};
use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::http::{Client, TIMED_OUT};
use super::manifest::{ACCEPT, Blob, MANIFEST_MAX, Raw, sha256};
use super::request::{Method, Payload, Request};
use super::response::Response;
use super::retry::Retry;
use super::transfer::{Open, Transfer};
use super::unreachable::about_tls;

/// Pages of a list of tags.
const PAGES: usize = 1000;

/// A repository that can be read, and written if it was opened for that.
#[derive(Debug)]
pub(crate) struct Repository<'a> {
    client: &'a Client,
    endpoint: Endpoint,
    session: Session,
    /// `https` or `http`, once the first request has found out.
    scheme: OnceLock<&'static str>,
}

impl<'a> Repository<'a> {
    /// A repository to pull from.
    pub(crate) fn new(
        client: &'a Client,
        endpoint: Endpoint,
        credentials: Option<Credentials>,
    ) -> Self {
        let repository = &endpoint.repository;
        let session = Session::new(repository, credentials, endpoint.insecure)
            .or_scope(format!("repository:{repository}:pull"));
        Self::with_session(client, endpoint, session)
    }

    /// A repository that can be written; `source` is another that blobs may come from.
    pub(crate) fn for_push(
        client: &'a Client,
        endpoint: Endpoint,
        credentials: Option<Credentials>,
        source: Option<&str>,
    ) -> Self {
        let repository = &endpoint.repository;
        let mut session = Session::new(repository, credentials, endpoint.insecure)
            .with_scope(format!("repository:{repository}:pull,push"));
        if let Some(source) = source {
            session = session.with_scope(format!("repository:{source}:pull"));
        }
        Self::with_session(client, endpoint, session)
    }

    /// The registry itself, to see whether it lets somebody in.
    pub(crate) fn registry(
        client: &'a Client,
        endpoint: Endpoint,
        credentials: Option<Credentials>,
    ) -> Self {
        let session = Session::new("the registry", credentials, endpoint.insecure);
        Self::with_session(client, endpoint, session)
    }

    fn with_session(client: &'a Client, endpoint: Endpoint, session: Session) -> Self {
        Self {
            client,
            endpoint,
            session,
            scheme: OnceLock::new(),
        }
    }

    pub(crate) fn client(&self) -> &'a Client {
        self.client
    }

    pub(crate) fn repository(&self) -> &str {
        &self.endpoint.repository
    }

    /// The manifest or index by tag or digest. Bytes of another digest are an error.
    pub(crate) fn manifest(&self, reference: &str) -> Result<Raw> {
        let what = format!("{}:{reference}", self.endpoint.repository);
        let path = format!("manifests/{reference}");
        let mut failures = 0;
        let (bytes, promised, media_type) = loop {
            let response = self
                .get(&path, &[("accept", ACCEPT)], &what)?
                .expect(&what)?;
            let promised = response.header("docker-content-digest").map(str::to_owned);
            let media_type = response.header("content-type").map(|text| {
                let text = text.split(';').next().unwrap_or_default();
                text.trim().to_ascii_lowercase()
            });
            failures += 1;
            match response.body(&what, MANIFEST_MAX) {
                Err(error @ Error::Transfer { .. }) => match self.client.retry().wait(failures) {
                    Some(wait) => thread::sleep(wait),
                    None => return Err(error),
                },
                body => break (body?, promised, media_type),
            }
        };
        let digest = sha256(&bytes);
        let promised: Option<Digest> = promised.and_then(|text| text.parse().ok());
        let pinned: Option<Digest> = reference.parse().ok();
        match pinned.or(promised) {
            Some(expected) if expected != digest => Err(Error::DigestMismatch {
                what,
                expected,
                actual: digest,
            }),
            _ => Ok(Raw {
                bytes,
                digest,
                media_type,
            }),
        }
    }

    /// All tags, page by page. Source: OCI distribution-spec, "Listing tags".
    pub(crate) fn tags(&self) -> Result<Vec<String>> {
        #[derive(serde::Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let what = format!("the tags of {}", self.endpoint.repository);
        let mut all: Vec<String> = Vec::new();
        let mut path = "tags/list".to_owned();
        for _ in 0..PAGES {
            let answer = self.get(&path, &[("accept", "application/json")], &what)?;
            let answer = answer.expect(&what)?;
            let next = answer.next_page();
            let body = answer.body(&what, MANIFEST_MAX)?;
            let page: Page =
                serde_json::from_slice(&body).map_err(|error| Error::refused(&what, error))?;
            all.extend(page.tags.unwrap_or_default());
            match next {
                Some(next) => path = next.to_string(),
                None => {
                    all.sort();
                    all.dedup();
                    return Ok(all);
                }
            }
        }
        Err(Error::refused(&what, "there is no end to them"))
    }

    /// The bytes of a blob, not yet verified.
    pub(crate) fn blob<'b>(&'b self, blob: &Blob) -> Transfer<'b> {
        let path = format!("blobs/{}", blob.digest);
        let what = blob.digest.to_string();
        let name = what.clone();
        let open: Open<'b> = Box::new(move |offset, _| {
            let range = format!("bytes={offset}-");
            let headers: &[(&str, &str)] = if offset > 0 {
                &[("range", range.as_str())]
            } else {
                &[]
            };
            let response = self.get(&path, headers, &name)?;
            if response.status() == 416 {
                Ok(response)
            } else {
                response.expect(&name)
            }
        });
        Transfer::new(&what, Some(blob.size), self.client.retry(), open)
    }

    fn get(&self, path: &str, headers: &[(&'static str, &str)], what: &str) -> Result<Response> {
        self.ask(&Ask {
            headers,
            ..Ask::new(Method::GET, path, what)
        })
    }

    /// Sends a request, with whatever authorisation the registry wants.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Response> {
        let (number, header) = self.session.current();
        let first = self.request(ask, header.as_deref())?;
        if first.status() != 401 || first.foreign {
            return Ok(first);
        }
        let header = self.session.answer(self.client, first, number)?;
        let second = self.request(ask, Some(&header))?;
        if second.status() == 401 {
            Err(second.into_error(ask.what))
        } else {
            Ok(second)
        }
    }

    fn request(&self, ask: &Ask<'_>, authorization: Option<&str>) -> Result<Response> {
        let patience = if ask.once {
            &Retry::never()
        } else {
            self.client.retry()
        };
        if let Some(scheme) = self.scheme.get() {
            return self.request_by(scheme, ask, authorization, patience);
        }
        let once = Retry::never();
        let (first, second) = match (self.endpoint.insecure, self.endpoint.is_loopback()) {
            (_, true) => ("http", Some("https")),
            (true, false) => ("https", Some("http")),
            (false, false) => ("https", None),
        };
        let Some(second) = second else {
            self.scheme.get_or_init(|| first);
            return self.request(ask, authorization);
        };
        let tried = self.request_by(first, ask, authorization, &once);
        let scheme = match &tried {
            // What Go's TLS servers say to plain HTTP.
            Ok(response) if first == "http" && response.status() == 400 => second,
            Ok(_) => {
                self.scheme.get_or_init(|| first);
                return tried;
            }
            Err(Error::Unreachable { reason, .. }) if reason.contains("refused") => return tried,
            // Whoever is silent here will be silent there: that is known after one wait.
            Err(Error::Unreachable { reason, .. })
                if patience.is_single() && reason.contains(TIMED_OUT) =>
            {
                return tried;
            }
            Err(Error::Unreachable { .. }) => {
                match self.request_by(second, ask, authorization, &once) {
                    // Where both fail, the one that the server speaks has the reason.
                    Err(Error::Unreachable { reason, .. }) if about_tls(&reason) => "https",
                    Err(_) => first,
                    Ok(_) => second,
                }
            }
            Err(_) => first,
        };
        self.scheme.get_or_init(|| scheme);
        self.request(ask, authorization)
    }

    fn request_by(
        &self,
        scheme: &str,
        ask: &Ask<'_>,
        authorization: Option<&str>,
        retry: &Retry,
    ) -> Result<Response> {
        let own = format!("{scheme}://{}/v2/", self.endpoint.host);
        let own = reqwest::Url::parse(&own).map_err(|error| Error::Url {
            url: own.clone(),
            reason: error.to_string(),
        })?;
        let repository = &self.endpoint.repository;
        // An address is where an upload goes on; it may be another host's.
        let url = if ask.path.contains("://") {
            ask.path.to_owned()
        } else if ask.path.is_empty() {
            own.to_string()
        } else {
            format!("{own}{repository}/{}", ask.path)
        };
        let at_home = reqwest::Url::parse(&url).is_ok_and(|url| url.origin() == own.origin());
        let request = Request {
            method: ask.method.clone(),
            url: &url,
            headers: ask.headers,
            authorization: authorization.filter(|_| at_home),
            body: ask.body,
            work: ask.work,
            insecure: self.endpoint.insecure,
            certificates: self.endpoint.certificates.as_ref().filter(|_| at_home),
        };
        let mut response = self.client.send_with(&request, retry)?;
        response.foreign |= !at_home;
        response.anonymous = !self.session.is_named();
        Ok(response)
    }
}

/// What a repository is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub method: Method,
    /// Below the repository; an address as a registry gave it; nothing for the registry itself.
    pub path: &'a str,
    pub headers: &'a [(&'static str, &'a str)],
    pub body: Payload<'a>,
    /// Bytes that the registry has to go through before it can answer, beside the body.
    pub work: u64,
    /// For messages.
    pub what: &'a str,
    /// Whether a second try would do something else.
    pub once: bool,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(method: Method, path: &'a str, what: &'a str) -> Self {
        Self {
            method,
            path,
            headers: &[],
            body: Payload::Nothing,
            work: 0,
            what,
            once: false,
        }
    }
}
