//! Programs that keep credentials: `docker-credential-NAME`. Source: the protocol of
//! docker-credential-helpers: a word as argument, a server's address or JSON on standard input.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;
use serde_json::json;

use super::auth::Credentials;
use super::error::{Error, Result};

/// The user name that means that the secret is an identity token.
const TOKEN: &str = "<token>";
/// How helpers say that they have nothing.
const ABSENT: &str = "credentials not found";
/// Bytes of an answer: secrets are small.
const ANSWER_MAX: usize = 1 << 20;
/// How long a helper may take. Some ask a person.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let mut command = Command::new(self.program());
        let answer = match converse(command.arg(word), input, PATIENCE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            answer => answer.map_err(|error| self.wrong(&error.to_string()))?,
        };
        let (status, said) = answer;
        if status.success() {
            return Ok(Some(said));
        }
        let text = String::from_utf8_lossy(&said).trim().to_owned();
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

/// Runs a command with this input; gives what it says until it ends. One that takes too long or says too
/// much is killed.
fn converse(
    command: &mut Command,
    input: &[u8],
    patience: Duration,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        let input = input.to_vec();
        // One that does not read its input has its own error to tell.
        thread::spawn(move || pipe.write_all(&input));
    }
    let said = listen(&mut child, patience);
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    Ok((status, said?))
}

/// What a child says until it ends. The pipe's end is not waited for: what the child leaves behind may hold it.
fn listen(child: &mut Child, patience: Duration) -> io::Result<Vec<u8>> {
    let end = Instant::now() + patience;
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut pipe = child.stdout.take().expect("the output is piped");
    let (mut said, mut open) = (Vec::new(), true);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let text = format!("it did not end within {} s", patience.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        let mut watched = [
            PollFd::new(&ended, PollFlags::IN),
            PollFd::new(&pipe, PollFlags::IN),
        ];
        let count = if open { 2 } else { 1 };
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut watched[..count], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [gone, speaks] = watched.map(|it| !it.revents().is_empty());
        if open && speaks {
            let mut buffer = [0; 8192];
            let n = pipe.read(&mut buffer)?;
            open = n > 0;
            said.extend_from_slice(&buffer[..n]);
        } else if gone {
            return Ok(said);
        }
        if said.len() > ANSWER_MAX {
            let text = format!("it says more than {ANSWER_MAX} bytes");
            return Err(io::Error::other(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> io::Result<(ExitStatus, Vec<u8>)> {
        let mut command = Command::new("sh");
        converse(command.args(["-c", script]), b"server", patience)
    }

    #[test]
    fn an_answer_comes_whole() {
        let hour = Duration::from_secs(3600);
        let (status, said) = shell("cat; echo; head -c 300000 /dev/zero; exit 3", hour).unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!((&said[..7], said.len()), (&b"server\n"[..], 300_007));
        // Something is left behind that holds the pipe.
        let (status, said) = shell("sleep 3600 & echo $!", hour).unwrap();
        assert!(status.success());
        let left: i32 = String::from_utf8(said).unwrap().trim().parse().unwrap();
        let left = Pid::from_raw(left).unwrap();
        rustix::process::kill_process(left, rustix::process::Signal::TERM).unwrap();
    }

    #[test]
    fn one_that_hangs_or_does_not_stop_is_ended() {
        let error = shell("exec sleep 3600", Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = shell("exec cat /dev/zero", Duration::from_secs(3600)).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
        let error = converse(&mut Command::new("/nonexistent"), b"", PATIENCE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
