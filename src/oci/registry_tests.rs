//! The client against servers that misbehave, over real sockets.

use std::io::Read;
use std::time::{Duration, Instant};

use super::auth::Credentials;
use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::http::Client;
use super::manifest::{Blob, sha256};
use super::registry::Repository;
use super::retry::Retry;
use super::server::{Asked, Server, answer, ok};
use super::transfer::Transfer;

pub(super) fn client() -> Client {
    let first = Duration::from_millis(1);
    Client::with_retry(Retry {
        attempts: 3,
        first,
        ..Retry::default()
    })
}

fn repository<'a>(client: &'a Client, host: &str) -> Repository<'a> {
    repository_for(client, host, None)
}

pub(super) fn repository_for<'a>(
    client: &'a Client,
    host: &str,
    credentials: Option<Credentials>,
) -> Repository<'a> {
    let endpoint = Endpoint {
        host: host.to_owned(),
        repository: "a/b".to_owned(),
        insecure: false,
        certificates: None,
    };
    Repository::new(client, endpoint, credentials)
}

fn body() -> Vec<u8> {
    (0..300_000_u32).map(|n| (n % 253) as u8).collect()
}

fn read(mut transfer: Transfer<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    Read::read_to_end(&mut transfer, &mut out).map_err(|error| super::stream::error("x", error))?;
    Ok(out)
}

/// Serves `body` and breaks off `step` bytes after wherever it was asked to begin.
fn breaking(step: usize, head: fn(usize, usize) -> String) -> Server {
    Server::start(move |asked, _| {
        let (body, start) = (body(), asked.range());
        let head = head(start, body.len());
        let rest = if head.starts_with("206") {
            &body[start..]
        } else {
            &body[..]
        };
        answer(&head, rest, step)
    })
}

fn honest(start: usize, total: usize) -> String {
    match start {
        0 => "200 OK".to_owned(),
        _ => format!(
            "206 Partial\r\nContent-Range: bytes {start}-{}/{total}",
            total - 1
        ),
    }
}

#[test]
fn resumes_where_it_broke_and_takes_each_byte_once() {
    let server = breaking(70_000, honest);
    let client = client();
    let blob = Blob::of(&body());
    let repository = repository(&client, &server.host);
    assert!(read(repository.blob(&blob)).unwrap() == body());
    let starts: Vec<usize> = server.asked().iter().map(Asked::range).collect();
    assert_eq!(starts, [0, 70_000, 140_000, 210_000, 280_000]);
}

#[test]
fn a_server_without_ranges_is_read_again() {
    let client = client();
    let server = Server::start(|_, count| answer("200 OK", &body(), (count + 1) * 100_000));
    let blob = Blob::of(&body());
    assert!(read(repository(&client, &server.host).blob(&blob)).unwrap() == body());
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_wrong_range_is_not_believed() {
    let client = client();
    let server = Server::start(|asked, count| match count {
        0 => answer("200 OK", &body(), 100_000),
        _ if asked.header("range").is_some() => answer(
            "206 Partial\r\nContent-Range: bytes 7-299999/300000",
            &body()[7..],
            400_000,
        ),
        _ => ok(&body()),
    });
    let blob = Blob::of(&body());
    assert!(read(repository(&client, &server.host).blob(&blob)).unwrap() == body());
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn gives_up_without_progress() {
    let client = client();
    let server = breaking(0, honest);
    let error = read(repository(&client, &server.host).blob(&Blob::of(&body()))).unwrap_err();
    assert!(
        matches!(error, Error::Transfer { received: 0, .. }),
        "{error}"
    );
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn wrong_sizes_are_found_at_once() {
    let client = client();
    let server = Server::start(|_, _| ok(&body()));
    let repository = repository(&client, &server.host);
    for size in [299_999, 300_001] {
        let blob = Blob {
            size,
            ..Blob::of(&body())
        };
        let error = read(repository.blob(&blob)).unwrap_err();
        assert!(matches!(error, Error::SizeMismatch { .. }), "{error}");
    }
    let endless = Server::start(|_, _| {
        [
            &b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..],
            &vec![7; 1 << 20],
        ]
        .concat()
    });
    let endless = self::repository(&client, &endless.host);
    let error = read(endless.blob(&Blob::of(&body()))).unwrap_err();
    assert!(matches!(error, Error::SizeMismatch { .. }), "{error}");
}

#[test]
fn waits_as_long_as_it_is_told() {
    let client = client();
    let server = Server::start(|_, count| match count {
        0 => answer("429 Slow\r\nRetry-After: 1", b"", 0),
        1 => answer("503 Busy", b"", 0),
        _ => ok(b"{}"),
    });
    let start = Instant::now();
    assert_eq!(client.get(&server.url("/x"), 10).unwrap(), b"{}");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let never = Server::start(|_, _| answer("429 Slow\r\nRetry-After: 3600", b"", 0));
    let error = client.get(&never.url("/x"), 10).unwrap_err();
    assert!(
        matches!(error, Error::RateLimited { after: Some(_), .. }),
        "{error}"
    );
    assert_eq!(never.asked().len(), 1);
}

#[test]
fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    let auth = Server::start(|_, count| {
        ok(if count == 0 {
            br#"{"token":"one"}"#
        } else {
            br#"{"access_token":"two","expires_in":300}"#
        })
    });
    let realm = auth.url("/token");
    let server = Server::start(move |asked, count| match asked.header("authorization") {
        Some("Bearer one") if count < 3 => ok(&body()),
        Some("Bearer two") => ok(&body()),
        _ => {
            let header = format!("Bearer realm=\"{realm}\",service=\"s p\",scope=\"x:y:pull\"");
            answer(&format!("401 No\r\nWWW-Authenticate: {header}"), b"", 0)
        }
    });
    let client = client();
    let repository = repository(&client, &server.host);
    let blob = Blob::of(&body());
    for _ in 0..3 {
        assert!(read(repository.blob(&blob)).unwrap() == body());
    }
    assert_eq!(auth.asked().len(), 2);
    assert_eq!(
        auth.asked()[0].path,
        "/token?service=s+p&scope=x%3Ay%3Apull"
    );
    assert!(auth.asked()[0].header("authorization").is_none());
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn refusals_end_after_one_answer() {
    let auth = Server::start(|_, _| ok(br#"{"token":"t"}"#));
    let realm = auth.url("/token");
    let server = Server::start(move |_, _| {
        let body = br#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
        answer(
            &format!("401 No\r\nWWW-Authenticate: Bearer realm=\"{realm}\""),
            body,
            999,
        )
    });
    let client = client();
    let error = repository(&client, &server.host)
        .manifest("latest")
        .unwrap_err();
    assert!(matches!(&error, Error::Unauthorised { reason, .. } if reason == "not for you"));
    assert_eq!((server.asked().len(), auth.asked().len()), (2, 1));
}

#[test]
fn an_unsafe_token_server_gets_nothing() {
    let server = Server::start(|_, _| {
        answer(
            "401 No\r\nWWW-Authenticate: Bearer realm=\"http://tokens.example/t\"",
            b"",
            0,
        )
    });
    let client = client();
    let error = repository(&client, &server.host)
        .manifest("latest")
        .unwrap_err();
    assert!(error.to_string().contains("https"), "{error}");
}

#[test]
fn basic_credentials_stay_with_their_host() {
    let other = Server::start(|_, _| ok(&body()));
    let target = other.url("/elsewhere");
    let server = Server::start(move |asked, _| match asked.header("authorization") {
        Some("Basic bWU6cHc=") => answer(&format!("307 Go\r\nLocation: {target}"), b"", 0),
        _ => answer("401 No\r\nWWW-Authenticate: Basic realm=x", b"", 0),
    });
    let client = client();
    let credentials = Credentials::new("me", "pw");
    let repository = repository_for(&client, &server.host, Some(credentials));
    assert!(read(repository.blob(&Blob::of(&body()))).unwrap() == body());
    assert_eq!(other.asked().len(), 1);
    assert!(other.asked()[0].header("authorization").is_none());
}

#[test]
fn an_identity_token_stays_with_its_token_server() {
    let other = Server::start(|_, _| ok(br#"{"token":"t"}"#));
    let target = other.url("/elsewhere");
    let auth = Server::start(move |_, _| answer(&format!("307 Go\r\nLocation: {target}"), b"", 0));
    let realm = auth.url("/token");
    let server = Server::start(move |_, _| {
        let header = format!("WWW-Authenticate: Bearer realm=\"{realm}\"");
        answer(&format!("401 No\r\n{header}"), b"", 0)
    });
    let client = client();
    let mut credentials = Credentials::new("", "");
    credentials.identity_token = Some("hidden".into());
    let repository = repository_for(&client, &server.host, Some(credentials));
    let error = repository.manifest("latest").unwrap_err().to_string();
    assert!(error.contains("meant for another host"), "{error}");
    assert!(!error.contains("hidden"), "{error}");
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn redirects_end() {
    let server = Server::start(|_, _| answer("302 Go\r\nLocation: /again", b"", 0));
    let error = client().get(&server.url("/x"), 10).unwrap_err();
    assert!(matches!(error, Error::Url { .. }), "{error}");
    assert_eq!(server.asked().len(), 11);
}

#[test]
fn manifests_are_verified() {
    let server = Server::start(|asked, _| match asked.path.as_str() {
        "/v2/a/b/manifests/lies" => {
            let digest = sha256(b"other");
            answer(
                &format!("200 OK\r\nDocker-Content-Digest: {digest}"),
                b"{}",
                2,
            )
        }
        "/v2/a/b/manifests/large" => ok(&vec![b' '; (4 << 20) + 1]),
        "/v2/a/b/manifests/none" => answer("404 No", b"", 0),
        _ => ok(b"{}"),
    });
    let client = client();
    let repository = repository(&client, &server.host);
    let pinned = sha256(b"something").to_string();
    for reference in ["lies", pinned.as_str()] {
        let error = repository.manifest(reference).unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
    }
    let error = repository.manifest("large").unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let error = repository.manifest("none").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert_eq!(repository.manifest("good").unwrap().bytes, b"{}");
    let digest = sha256(b"{}").to_string();
    assert_eq!(
        repository.manifest(&digest).unwrap().digest.to_string(),
        digest
    );
}

#[test]
fn nobody_there_is_told_at_once() {
    let host = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let client = Client::new();
    let start = Instant::now();
    let error = repository(&client, &host).manifest("latest").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
}
