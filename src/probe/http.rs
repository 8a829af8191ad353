//! HTTP from inside a guest's network namespace, with the guest's names and the authorities that it
//! trusts.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::blocking::{self, ClientBuilder, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Method, redirect};

use super::evidence::{self, Evidence};
use super::observed::Observed;
use super::resolver::Resolver;
use super::view::View;
use crate::check::Claim;
use crate::oci::innermost;

/// Most that is read of an answer.
const BODY: u64 = 4 << 20;
/// Lines of an answer that are shown.
const SHOWN: usize = 20;
/// How long a name may take to be looked up.
const NAME: Duration = Duration::from_secs(5);
/// What a try gets at least, however late it is.
const LEAST: Duration = Duration::from_millis(100);

/// Where distributions keep the certificates of the authorities that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Asks by HTTP. To be made and used inside the guest's network namespace.
#[derive(Debug)]
pub(super) struct Client(blocking::Client);

impl Client {
    /// One that takes any certificate.
    pub(super) fn unchecked(resolver: Resolver) -> Result<Self, String> {
        Self::build(builder(resolver).tls_danger_accept_invalid_certs(true))
    }

    fn build(builder: ClientBuilder) -> Result<Self, String> {
        let client = builder.build().map_err(|error| innermost(&error))?;
        Ok(Self(client))
    }

    /// Whether it answers at all, and is not out of order.
    pub(super) fn answers(&self, url: &str, deadline: Instant) -> Result<String, String> {
        let request = self.0.get(url).timeout(left(deadline));
        let answer = request.send().map_err(|error| innermost(&error))?;
        let text = format!("answers {}", answer.status());
        if answer.status().is_server_error() {
            Err(text)
        } else {
            Ok(text)
        }
    }
}

fn builder(resolver: Resolver) -> ClientBuilder {
    let names = Arc::new(Names(resolver));
    blocking::Client::builder().no_proxy().dns_resolver(names)
}

fn left(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .max(LEAST)
}

struct Names(Resolver);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        // The client's thread has nothing else to do meanwhile.
        let found = self.0.addresses(name.as_str(), Instant::now() + NAME);
        Box::pin(std::future::ready(match found {
            Ok(all) => {
                let all = all.into_iter().map(|ip| SocketAddr::new(ip, 0));
                Ok(Box::new(all) as Addrs)
            }
            Err(reason) => Err(reason.into()),
        }))
    }
}

/// What a claim's address is asked, and how.
#[derive(Debug)]
pub(super) struct Question<'a> {
    claim: &'a Claim,
    resolver: Resolver,
    authorities: Vec<Certificate>,
    headers: HeaderMap,
    method: Method,
}

impl<'a> Question<'a> {
    /// Reads what it needs of the guest. A claim that cannot be asked says why.
    pub(super) fn new(view: &View<'_>, claim: &'a Claim) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for line in claim.texts("request-headers") {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let name = HeaderName::try_from(name.trim());
            let value = HeaderValue::try_from(value.trim());
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(format!("`{line}` is no header of a request"));
            };
            headers.append(name, value);
        }
        let method = claim.text("method").unwrap_or("GET");
        let method = Method::from_bytes(method.to_uppercase().as_bytes());
        Ok(Self {
            claim,
            resolver: Resolver::of(view),
            authorities: authorities(view, claim)?,
            headers,
            method: method.map_err(|_| "its method is no word".to_owned())?,
        })
    }

    /// The client for it.
    pub(super) fn client(&self) -> Result<Client, String> {
        let mut builder = builder(self.resolver.clone());
        if self.claim.flag("no-follow-redirects") {
            builder = builder.redirect(redirect::Policy::none());
        }
        builder = if self.claim.flag("allow-insecure") {
            builder.tls_danger_accept_invalid_certs(true)
        } else {
            builder.tls_certs_only(self.authorities.iter().cloned())
        };
        Client::build(builder)
    }

    /// Asks once.
    pub(super) fn ask(&self, client: &Client, deadline: Instant) -> Observed {
        let url = self.claim.subject();
        let mut request = client.0.request(self.method.clone(), url);
        request = request
            .headers(self.headers.clone())
            .timeout(left(deadline));
        if let Some(user) = self.claim.text("username") {
            request = request.basic_auth(user, self.claim.text("password"));
        }
        if let Some(body) = self.claim.text("request-body") {
            request = request.body(body.to_owned());
        }
        match request.send().map_err(|error| innermost(&error)) {
            Ok(answer) => observed(answer),
            Err(reason) => Observed {
                summary: reason,
                ..Observed::default()
            },
        }
    }
}

fn observed(answer: Response) -> Observed {
    let status = answer.status();
    let mut headers = String::new();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers.push_str(&format!("{}: {value}\n", canonical(name.as_str())));
    }
    let mut bytes = Vec::new();
    let whole = answer.take(BODY).read_to_end(&mut bytes);
    let mut lines = evidence::lines(&bytes);
    lines.truncate(SHOWN);
    let mut summary = format!("answers {status}");
    if let Err(error) = whole {
        summary = format!("{summary}, then breaks off: {}", innermost(&error));
    }
    let mut seen = Observed::new("status", status.as_u16().to_string(), summary)
        .with("headers", headers.clone())
        .with("body", String::from_utf8_lossy(&bytes).into_owned());
    for (title, lines) in [
        ("headers", evidence::lines(headers.as_bytes())),
        ("body", lines),
    ] {
        if !lines.is_empty() {
            seen.evidence.push(Evidence {
                title: title.into(),
                lines,
            });
        }
    }
    seen
}

/// A header's name as it is mostly written: `Content-Type`.
fn canonical(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + rest,
        None => String::new(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn authorities(view: &View<'_>, claim: &Claim) -> Result<Vec<Certificate>, String> {
    if claim.flag("allow-insecure") {
        return Ok(Vec::new());
    }
    let text = match claim.text("ca-file") {
        Some(path) => view
            .root
            .read(path)
            .map_err(|error| format!("{path}: {}", super::network::plain(&error)))?,
        None => AUTHORITIES
            .iter()
            .map(|path| view.text(path))
            .find(|it| !it.is_empty())
            .unwrap_or_default(),
    };
    Certificate::from_pem_bundle(text.as_bytes()).map_err(|error| innermost(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_headers() {
        assert_eq!(canonical("content-type"), "Content-Type");
        assert_eq!(canonical("x--y"), "X--Y");
    }
}
