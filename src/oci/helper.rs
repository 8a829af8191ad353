//! Programs that keep credentials: `docker-credential-NAME`. Source: the protocol of
//! docker-credential-helpers: a word as argument, a server's address or JSON on standard input.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use super::auth::Credentials;
use super::error::{Error, Result};

/// The user name that means that the secret is an identity token.
const TOKEN: &str = "<token>";
/// How helpers say that they have nothing.
const ABSENT: &str = "credentials not found";

/// A helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Helper {
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }

    /// What it knows of a server. A helper that is not installed knows nothing.
    pub(super) fn get(&self, server: &str) -> Result<Option<Credentials>> {
        let Some(answer) = self.ask("get", server.as_bytes())? else {
            return Ok(None);
        };
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|_| self.wrong("its answer is malformed"))?;
        Ok(Some(if answer.username == TOKEN {
            Credentials {
                identity_token: Some(answer.secret),
                ..Credentials::new("", "")
            }
        } else {
            Credentials::new(answer.username, answer.secret)
        }))
    }

    pub(super) fn store(&self, server: &str, credentials: &Credentials) -> Result<()> {
        let (username, secret) = match &credentials.identity_token {
            Some(token) => (TOKEN, token),
            None => (credentials.username.as_str(), &credentials.password),
        };
        let entry = json!({ "ServerURL": server, "Username": username, "Secret": secret });
        match self.ask("store", entry.to_string().as_bytes())? {
            Some(_) => Ok(()),
            None => Err(self.wrong("it is not installed")),
        }
    }

    /// Says whether there was something to erase.
    pub(super) fn erase(&self, server: &str) -> Result<bool> {
        Ok(self.ask("erase", server.as_bytes())?.is_some())
    }

    /// `None`: it has nothing, or is not there.
    fn ask(&self, word: &str, input: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.name.contains('/') {
            return Err(self.wrong("its name has a slash in it"));
        }
        let mut child = match Command::new(self.program())
            .arg(word)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            child => child.map_err(|error| self.wrong(&error.to_string()))?,
        };
        if let Some(mut pipe) = child.stdin.take() {
            // One that does not read its input has its own error to tell.
            let _ = pipe.write_all(input);
        }
        let output = child
            .wait_with_output()
            .map_err(|error| self.wrong(&error.to_string()))?;
        if output.status.success() {
            return Ok(Some(output.stdout));
        }
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if text.starts_with(ABSENT) {
            return Ok(None);
        }
        let told = text.chars().filter(|c| !c.is_control()).take(200);
        let told: String = told.collect();
        Err(self.wrong(if told.is_empty() { "it failed" } else { &told }))
    }

    fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }

    fn wrong(&self, reason: &str) -> Error {
        Error::Configuration {
            origin: self.program(),
            reason: reason.to_owned(),
        }
    }
}
