//! Answers to `401`: anonymous or named tokens (Bearer), or a name and a password (Basic).
//!
//! ```text
//! 401 WWW-Authenticate: Bearer realm="https://auth/token",service="s",scope="repository:x:pull"
//!  -> GET https://auth/token?service=s&scope=...   -> { "token" | "access_token", "expires_in" }
//!     POST with grant_type=refresh_token where there is an identity token
//! ```
//!
//! Sources: RFC 7235; distribution's token and OAuth2 specifications.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::endpoint::is_loopback;
use super::error::{Error, Result};
use super::http::Client;
use super::request::{Method, Payload, Request};
use super::response::Response;

/// How long a token is good for when its giver does not say (distribution's token protocol).
const DEFAULT_LIFE: f64 = 60.0;
/// The least and the most seconds that a token is believed to be good for.
const LIVES: (f64, f64) = (1.0, 1e9);
/// Tokens are small.
const TOKEN_MAX: u64 = 1 << 20;

/// A name and a password for a registry, or a token instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or access token.
    pub password: String,
    /// What a token server takes instead of both.
    pub identity_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, ...)", self.username)
    }
}

impl Credentials {
    /// A name and a password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            identity_token: None,
        }
    }

    /// `name:password` as Basic and authentication files have it.
    pub(crate) fn encoded(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.username, self.password))
    }

    fn basic(&self) -> Option<String> {
        let named = !self.username.is_empty();
        named.then(|| format!("Basic {}", self.encoded()))
    }
}

/// One offer of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// What has been agreed with one registry for one repository.
#[derive(Debug)]
pub(crate) struct Session {
    credentials: Option<Credentials>,
    insecure: bool,
    /// What is asked for, for messages.
    what: String,
    /// Scopes that are asked for beside the challenge's own.
    scopes: Vec<String>,
    /// The scope where nobody names one.
    fallback: Option<String>,
    granted: Mutex<Granted>,
}

/// The present `Authorization`; its number tells a stale one from a fresh one.
#[derive(Clone, Default)]
struct Granted {
    number: u64,
    header: Option<String>,
    until: Option<Instant>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Session {
    /// A session for `what`. `insecure` allows tokens over unverified connections.
    pub(crate) fn new(what: &str, credentials: Option<Credentials>, insecure: bool) -> Self {
        Self {
            credentials,
            insecure,
            what: what.to_owned(),
            scopes: Vec::new(),
            fallback: None,
            granted: Mutex::default(),
        }
    }

    /// Asks for this scope where the registry does not say which one it wants.
    pub(crate) fn or_scope(mut self, scope: String) -> Self {
        self.fallback = Some(scope);
        self
    }

    /// Asks for this scope (`repository:a/b:pull,push`) in every token.
    pub(crate) fn with_scope(mut self, scope: String) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Whether there is a name to tell the registry.
    pub(crate) fn is_named(&self) -> bool {
        self.credentials.is_some()
    }

    /// The number and value of the `Authorization` to send, if any is known and still good.
    pub(crate) fn current(&self) -> (u64, Option<String>) {
        let granted = self.granted.lock().unwrap().clone();
        let expired = granted.until.is_some_and(|until| until <= Instant::now());
        (granted.number, granted.header.filter(|_| !expired))
    }

    /// Gets an `Authorization` that answers `refusal`, which followed on number `used`.
    pub(crate) fn answer(&self, client: &Client, refusal: Response, used: u64) -> Result<String> {
        let mut granted = self.granted.lock().unwrap();
        if granted.number != used
            && let Some(header) = &granted.header
        {
            return Ok(header.clone());
        }
        let challenges: Vec<Challenge> = refusal
            .headers("www-authenticate")
            .iter()
            .flat_map(|text| parse(text))
            .collect();
        let find = |scheme: &str| challenges.iter().find(|c| c.scheme == scheme);
        let basic = self.credentials.as_ref().and_then(Credentials::basic);
        let (header, until) = match (find("bearer"), find("basic"), basic) {
            (Some(bearer), _, _) => self.fetch_token(client, bearer, &refusal.host())?,
            (None, Some(_), Some(basic)) => (basic, None),
            _ => return Err(refusal.into_error(&self.what)),
        };
        *granted = Granted {
            number: used + 1,
            header: Some(header.clone()),
            until,
        };
        Ok(header)
    }

    fn fetch_token(
        &self,
        client: &Client,
        challenge: &Challenge,
        registry: &str,
    ) -> Result<(String, Option<Instant>)> {
        let refused = |reason: String| Error::Unauthorised {
            host: registry.to_owned(),
            what: self.what.clone(),
            anonymous: !self.is_named(),
            reason,
        };
        let realm = challenge.get("realm").unwrap_or_default();
        let mut url = reqwest::Url::parse(realm)
            .map_err(|error| refused(format!("its token server `{realm}` is no URL: {error}")))?;
        let local = url.host_str().is_some_and(is_loopback);
        if url.scheme() != "https" && !(url.scheme() == "http" && (local || self.insecure)) {
            return Err(refused(format!(
                "its token server `{realm}` is not reached by https"
            )));
        }
        let service = challenge.get("service").map(|service| ("service", service));
        let scopes = self.scopes(challenge.get("scope"));
        let mut request = Request {
            headers: &[("accept", "application/json")],
            insecure: self.insecure,
            ..Request::get(realm)
        };
        let token = self
            .credentials
            .as_ref()
            .and_then(|it| it.identity_token.as_deref());
        let basic = self.credentials.as_ref().and_then(Credentials::basic);
        let form;
        if let Some(token) = token {
            form = reqwest::Url::parse_with_params(
                "form:",
                [
                    ("grant_type", "refresh_token"),
                    ("client_id", "racker"),
                    ("scope", scopes.join(" ").as_str()),
                    ("refresh_token", token),
                ]
                .into_iter()
                .chain(service),
            )
            .map_err(|error| refused(error.to_string()))?;
            request.method = Method::POST;
            request.headers = &[
                ("accept", "application/json"),
                ("content-type", "application/x-www-form-urlencoded"),
            ];
            request.body = Payload::Secret(form.query().unwrap_or_default().as_bytes());
        } else {
            let scopes = scopes.iter().map(|scope| ("scope", *scope));
            url.query_pairs_mut()
                .extend_pairs(service.into_iter().chain(scopes));
            request.authorization = basic.as_deref();
        }
        let request = Request {
            url: url.as_str(),
            ..request
        };
        let answer = client.send(&request)?;
        if matches!(answer.status(), 401 | 403) {
            let reason = answer.reason();
            return Err(refused(format!("its token server `{realm}`: {reason}")));
        }
        if !answer.is_success() {
            return Err(answer.into_refusal(realm));
        }
        let body = answer.body(realm, TOKEN_MAX)?;
        let token: Answer = serde_json::from_slice(&body)
            .map_err(|_| refused(format!("`{realm}` did not answer with a token")))?;
        let life = token.expires_in.unwrap_or(DEFAULT_LIFE);
        let life = Duration::from_secs_f64(life.clamp(LIVES.0, LIVES.1));
        let text = token.token.filter(|t| !t.is_empty()).or(token.access_token);
        let text = text
            .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| refused(format!("`{realm}` did not answer with a token")))?;
        Ok((format!("Bearer {text}"), Instant::now().checked_add(life)))
    }

    /// Ours, and what the challenge asks for beside them.
    fn scopes<'s>(&'s self, asked: Option<&'s str>) -> Vec<&'s str> {
        let mut all: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let resource = |scope: &str| scope.rsplit_once(':').map(|(it, _)| it.to_owned());
        for scope in asked
            .unwrap_or_default()
            .split(' ')
            .filter(|it| !it.is_empty())
        {
            if !all.iter().any(|known| resource(known) == resource(scope)) {
                all.push(scope);
            }
        }
        if all.is_empty() {
            all.extend(self.fallback.as_deref());
        }
        all
    }
}

/// Takes a `WWW-Authenticate` header apart; what cannot be read ends the list.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        if end == 0 {
            return challenges;
        }
        let word = &rest[..end];
        rest = &rest[end..];
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            challenges.push(Challenge {
                scheme: word.to_ascii_lowercase(),
                parameters: Vec::new(),
            });
            continue;
        };
        let Some((value, after)) = parse_value(value.trim_start()) else {
            return challenges;
        };
        let Some(last) = challenges.last_mut() else {
            return challenges;
        };
        last.parameters.push((word.to_ascii_lowercase(), value));
        rest = after;
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// A token or a quoted string, and what follows it.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_challenges() {
        let both = parse(
            r#"Basic realm="a \"b\"", Bearer realm="https://x/t",service=s,scope="repository:a/b:pull,push""#,
        );
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].get("realm"), Some("a \"b\""));
        assert_eq!(both[1].scheme, "bearer");
        assert_eq!(both[1].get("service"), Some("s"));
        assert_eq!(both[1].get("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(
            parse("Negotiate, BASIC realm = x")[1].get("realm"),
            Some("x")
        );
        for odd in ["", "=x", "Bearer realm=\"open", "\"", "realm=x"] {
            assert!(parse(odd).iter().all(|c| c.parameters.is_empty()), "{odd}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut credentials = Credentials::new("me", "hidden");
        assert_eq!(credentials.basic().unwrap(), "Basic bWU6aGlkZGVu");
        credentials.identity_token = Some("hidden too".into());
        let session = Session::new("a", Some(credentials), false);
        assert!(!format!("{session:?}").contains("hidden"));
    }

    #[test]
    fn asks_for_its_own_scopes_and_the_challenges() {
        let session = Session::new("a", None, false);
        assert_eq!(session.scopes(Some("x:y:pull")), ["x:y:pull"]);
        assert!(session.scopes(None).is_empty());
        let session = session.or_scope("repository:a:pull".into());
        assert_eq!(session.scopes(Some("x:y:pull")), ["x:y:pull"]);
        assert_eq!(session.scopes(None), ["repository:a:pull"]);
        let session = session.with_scope("repository:a:pull,push".into());
        let asked = "repository:a:pull repository:b:pull";
        assert_eq!(
            session.scopes(Some(asked)),
            ["repository:a:pull,push", "repository:b:pull"]
        );
    }
}
