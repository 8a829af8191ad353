//! A token server as registries want one: it asks for a name and a password and signs what it grants.
//! Source: distribution's token authentication specification.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{execute, tool};

/// The server; it ends with the test's process.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) url: String,
    /// Name and password as Basic has them, or what an identity token is.
    known: [String; 2],
    directory: PathBuf,
    seconds: u64,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tokens {
    /// Signs with `server.key` of a directory, tokens good for so many seconds. Knows `me`, `pw`.
    pub(crate) fn serve(directory: &Path, seconds: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tokens = Self {
            url: format!("http://{}/token", listener.local_addr().unwrap()),
            known: [STANDARD.encode("me:pw"), "refresh_token=identity".into()],
            directory: directory.to_owned(),
            seconds,
            asked: Arc::default(),
        };
        let shared = tokens.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || shared.answer(stream));
            }
        });
        tokens
    }

    /// What a registry's configuration needs to send its clients here.
    pub(crate) fn configuration(&self) -> String {
        let certificate = self.directory.join("server.crt");
        let (url, certificate) = (&self.url, certificate.display());
        format!(
            "auth:\n  token: {{realm: \"{url}\", service: test, issuer: tests, \
             rootcertbundle: {certificate}}}\n"
        )
    }

    /// The requests so far: path and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut request = String::new();
        reader.read_line(&mut request).ok()?;
        let path = request.split(' ').nth(1)?.to_owned();
        let (mut basic, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => value.trim_start_matches("Basic ").clone_into(&mut basic),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        self.asked.lock().unwrap().push(format!("{path} {body}"));
        let query = if body.is_empty() {
            path.split_once('?')?.1
        } else {
            &body
        };
        let answer = if basic == self.known[0] || body.contains(&self.known[1]) {
            let token = self.token(query);
            // Both spellings are in use.
            let key = if body.is_empty() {
                "token"
            } else {
                "access_token"
            };
            let body = json!({ key: token, "expires_in": self.seconds }).to_string();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        } else {
            "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        stream.write_all(answer.as_bytes()).ok()
    }

    fn token(&self, query: &str) -> String {
        let certificate = fs::read_to_string(self.directory.join("server.crt")).unwrap();
        let lines = certificate
            .lines()
            .filter(|line| !line.starts_with("-----"));
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [lines.collect::<String>()] });
        let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
        let scopes = url.query_pairs().filter(|(key, _)| key == "scope");
        let scopes: Vec<String> = scopes.map(|(_, value)| value.into_owned()).collect();
        let access = scopes
            .iter()
            .flat_map(|it| it.split(' '))
            .filter_map(|scope| {
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let actions: Vec<&str> = actions.split(',').collect();
                Some(json!({ "type": kind, "name": name, "actions": actions }))
            });
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = json!({
            "iss": "tests", "aud": "test", "sub": "me", "iat": now, "nbf": now - 5,
            "exp": now + self.seconds, "jti": "1", "access": access.collect::<Vec<_>>(),
        });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let unsigned = tempfile::NamedTempFile::new().unwrap();
        fs::write(unsigned.path(), &text).unwrap();
        let mut openssl = Command::new(tool("openssl", "openssl"));
        openssl.args(["dgst", "-sha256", "-binary", "-sign"]);
        openssl
            .arg(self.directory.join("server.key"))
            .arg(unsigned.path());
        format!("{text}.{}", encode(&execute(&mut openssl)))
    }
}
