//! One repository on one server: its manifests and blobs, with authorisation done in passing.

use std::sync::OnceLock;

use racker_store::Digest;

use super::auth::{Credentials, Session};
use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::http::{Client, Request, Response};
use super::manifest::{ACCEPT, Blob, MANIFEST_MAX, Raw, sha256};
use super::retry::Retry;
use super::transfer::{Open, Transfer};

/// A repository that can be read.
#[derive(Debug)]
pub(crate) struct Repository<'a> {
    client: &'a Client,
    endpoint: Endpoint,
    session: Session,
    /// `https` or `http`, once the first request has found out.
    scheme: OnceLock<&'static str>,
}

impl<'a> Repository<'a> {
    pub(crate) fn new(
        client: &'a Client,
        endpoint: Endpoint,
        credentials: Option<Credentials>,
    ) -> Self {
        let trusting = endpoint.insecure;
        let session = Session::new(&endpoint.repository, credentials, trusting);
        Self {
            client,
            endpoint,
            session,
            scheme: OnceLock::new(),
        }
    }

    /// The manifest or index by tag or digest. Bytes of another digest are an error.
    pub(crate) fn manifest(&self, reference: &str) -> Result<Raw> {
        let what = format!("{}:{reference}", self.endpoint.repository);
        let path = format!("manifests/{reference}");
        let response = self
            .get(&path, &[("accept", ACCEPT)], &what)?
            .expect(&what)?;
        let promised = response.header("docker-content-digest").map(str::to_owned);
        let media_type = response.header("content-type").map(|text| {
            text.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        });
        let bytes = response.body(&what, MANIFEST_MAX)?;
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
        let (number, header) = self.session.current();
        let first = self.request(path, headers, header.as_deref())?;
        if first.status() != 401 || first.foreign {
            return Ok(first);
        }
        let header = self.session.answer(self.client, first, number)?;
        let second = self.request(path, headers, Some(&header))?;
        if second.status() == 401 {
            Err(second.into_error(what))
        } else {
            Ok(second)
        }
    }

    fn request(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        authorization: Option<&str>,
    ) -> Result<Response> {
        if let Some(scheme) = self.scheme.get() {
            return self.request_by(scheme, path, headers, authorization, self.client.retry());
        }
        let once = Retry::never();
        let (first, second) = match (self.endpoint.insecure, self.endpoint.is_loopback()) {
            (_, true) => ("http", Some("https")),
            (true, false) => ("https", Some("http")),
            (false, false) => ("https", None),
        };
        let Some(second) = second else {
            self.scheme.get_or_init(|| first);
            return self.request(path, headers, authorization);
        };
        let tried = self.request_by(first, path, headers, authorization, &once);
        let scheme = match &tried {
            // What Go's TLS servers say to plain HTTP.
            Ok(response) if first == "http" && response.status() == 400 => second,
            Ok(_) => {
                self.scheme.get_or_init(|| first);
                return tried;
            }
            Err(Error::Unreachable { reason, .. }) if reason.contains("refused") => return tried,
            Err(Error::Unreachable { .. }) => {
                let other = self.request_by(second, path, headers, authorization, &once);
                if other.is_err() { first } else { second }
            }
            Err(_) => first,
        };
        self.scheme.get_or_init(|| scheme);
        self.request(path, headers, authorization)
    }

    fn request_by(
        &self,
        scheme: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        authorization: Option<&str>,
        retry: &Retry,
    ) -> Result<Response> {
        let Endpoint {
            host,
            repository,
            insecure,
        } = &self.endpoint;
        let url = format!("{scheme}://{host}/v2/{repository}/{path}");
        let request = Request {
            url: &url,
            headers,
            authorization,
            insecure: *insecure,
        };
        self.client.send_with(&request, retry)
    }
}
