//! What is said where a registry or its token server refuses, over real sockets.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use super::auth::Credentials;
use super::error::Error;
use super::registry_tests::{client, repository_for};
use super::server::{Server, answer, ok};

/// A registry that wants a token, and a token server that answers this.
fn guarded(token: &'static str, body: &'static [u8]) -> (Server, Server) {
    let auth = Server::start(move |_, _| answer(token, body, body.len()));
    let realm = auth.url("/token");
    let registry = Server::start(move |asked, _| match asked.header("authorization") {
        Some("Bearer t") => ok(b"{}"),
        _ => answer(
            &format!("401 No\r\nWWW-Authenticate: Bearer realm=\"{realm}\""),
            b"",
            0,
        ),
    });
    (registry, auth)
}

#[test]
fn a_token_that_is_good_for_no_time_is_used() {
    for life in ["-5", "0", "59.5", "1e300"] {
        let body = format!(r#"{{"token":"t","expires_in":{life}}}"#).leak();
        let (registry, auth) = guarded("200 OK", body.as_bytes());
        let client = client();
        let repository = repository_for(&client, &registry.host, None);
        assert_eq!(repository.manifest("latest").unwrap().bytes, b"{}");
        assert_eq!(auth.asked().len(), 1, "{life}");
    }
}

#[test]
fn a_token_server_without_a_token_is_named() {
    for (status, said) in [
        ("204 Nothing", "did not answer with a token"),
        ("404 No", "unexpected answer 404"),
        ("403 No", "forbidden"),
    ] {
        let (registry, auth) = guarded(status, b"");
        let client = client();
        let repository = repository_for(&client, &registry.host, None);
        let error = repository.manifest("latest").unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&auth.url("/token")), "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!matches!(error, Error::NotFound { .. }), "{text}");
    }
}

#[test]
fn whoever_shows_no_credentials_is_told_of_login() {
    for (credentials, told) in [(None, true), (Some(Credentials::new("me", "pw")), false)] {
        let registry = Server::start(|_, _| answer("403 No", b"", 0));
        let client = client();
        let repository = repository_for(&client, &registry.host, credentials);
        let hints = repository.manifest("latest").unwrap_err().hints();
        let login = format!("racker login {}", registry.host);
        assert_eq!(hints.iter().any(|hint| hint.contains(&login)), told);
        assert!(hints.iter().any(|hint| hint.contains("misspelt")));
    }
}

#[test]
fn a_server_without_tls_is_known_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = client().get(&format!("https://{host}/"), 10).unwrap_err();
    assert!(error.hints()[0].contains("insecure"), "{error}");
}
