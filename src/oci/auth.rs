//! Answers to `401`: anonymous or named tokens (Bearer), or a name and a password (Basic).
//!
//! ```text
//! 401 WWW-Authenticate: Bearer realm="https://auth/token",service="s",scope="repository:x:pull"
//!  -> GET https://auth/token?service=s&scope=...   -> { "token" | "access_token", "expires_in" }
//! ```

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::endpoint::is_loopback;
use super::error::{Error, Result};
use super::http::{Client, Request, Response};

/// How long a token is good for when its giver does not say (distribution's token protocol).
const DEFAULT_LIFE: u64 = 60;
/// Tokens are small.
const TOKEN_MAX: u64 = 1 << 20;

/// A name and a password for a registry.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or access token.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, ...)", self.username)
    }
}

impl Credentials {
    fn basic(&self) -> String {
        let pair = format!("{}:{}", self.username, self.password);
        format!("Basic {}", STANDARD.encode(pair))
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
    scope: String,
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
    expires_in: Option<u64>,
}

impl Session {
    /// A session for pulling `repository`. `insecure` allows tokens over unverified connections.
    pub(crate) fn new(repository: &str, credentials: Option<Credentials>, insecure: bool) -> Self {
        let scope = format!("repository:{repository}:pull");
        Self {
            credentials,
            insecure,
            scope,
            granted: Mutex::default(),
        }
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
        let (header, until) = match (find("bearer"), find("basic"), &self.credentials) {
            (Some(bearer), _, _) => self.fetch_token(client, bearer, &refusal.host())?,
            (None, Some(_), Some(credentials)) => (credentials.basic(), None),
            _ => return Err(refusal.into_error(&self.scope)),
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
            what: self.scope.clone(),
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
        url.query_pairs_mut()
            .extend_pairs(challenge.get("service").map(|service| ("service", service)))
            .append_pair("scope", challenge.get("scope").unwrap_or(&self.scope));
        let basic = self.credentials.as_ref().map(Credentials::basic);
        let request = Request {
            url: url.as_str(),
            headers: &[("accept", "application/json")],
            authorization: basic.as_deref(),
            insecure: self.insecure,
        };
        let body = client
            .send(&request)?
            .expect(&self.scope)?
            .body(realm, TOKEN_MAX)?;
        let token: Answer = serde_json::from_slice(&body)
            .map_err(|_| refused(format!("`{realm}` did not answer with a token")))?;
        let life = Duration::from_secs(token.expires_in.unwrap_or(DEFAULT_LIFE).max(1));
        let text = token.token.filter(|t| !t.is_empty()).or(token.access_token);
        let text = text
            .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| refused(format!("`{realm}` did not answer with a token")))?;
        Ok((format!("Bearer {text}"), Instant::now().checked_add(life)))
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
        let credentials = Credentials {
            username: "me".into(),
            password: "hidden".into(),
        };
        let session = Session::new("a", Some(credentials.clone()), false);
        assert!(!format!("{session:?}").contains("hidden"));
        assert_eq!(credentials.basic(), "Basic bWU6aGlkZGVu");
    }
}
