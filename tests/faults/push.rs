//! Faults while an image is pushed.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use racker::oci::{self, Client, Options, Reference, Registries, Retry, outgoing};

use crate::picture::{digest, noise, tar};
use crate::wire::{Answer, Asked, Wire};
use crate::{Outcome, Row, check, client, compare, open, try_all};

use Outcome::{Done, Refused};

type Handler = fn(&Asked, &mut Kept) -> Option<Answer>;

/// A fault, and what the registry answers instead of the truth.
pub(crate) struct Fault {
    pub(crate) row: Row,
    handler: Handler,
}

/// What a registry has been sent.
#[derive(Default)]
pub(crate) struct Kept {
    upload: Vec<u8>,
    blobs: BTreeMap<String, Vec<u8>>,
    manifest: Option<Vec<u8>>,
    /// Whether there is nothing else in the repository.
    new: bool,
    /// For whatever a fault must remember.
    count: usize,
}

impl Kept {
    /// What an honest registry does and answers.
    fn answer(&mut self, asked: &Asked) -> Answer {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let here = "Location: /v2/a/b/blobs/uploads/1";
        let range = format!("Range: 0-{}", self.upload.len().saturating_sub(1));
        match asked.method.as_str() {
            "HEAD" => {
                let name = path.rsplit('/').next().unwrap_or_default();
                let known = self.blobs.contains_key(name);
                Answer::new(if known { "200 OK" } else { "404 No" }, b"")
            }
            "POST" => {
                self.upload.clear();
                Answer::new(&format!("202 Go\r\n{here}\r\nRange: 0-0"), b"")
            }
            "GET" if path.ends_with("/tags/list") && self.new => Answer::new("404 No", b""),
            "GET" if path.ends_with("/tags/list") => {
                Answer::new("200 OK", br#"{"name":"a/b","tags":["0"]}"#)
            }
            "GET" => Answer::raw(format!(
                "HTTP/1.1 204 Here\r\n{here}\r\n{range}\r\nConnection: close\r\n\r\n"
            )),
            "PATCH" => {
                let start = asked.header("content-range").unwrap_or("0-0");
                let start: usize = start.split('-').next().unwrap().parse().unwrap();
                if start != self.upload.len() {
                    return Answer::new("416 No", b"");
                }
                self.upload.extend_from_slice(&asked.body);
                let range = format!("Range: 0-{}", self.upload.len() - 1);
                Answer::new(&format!("202 Go\r\n{here}\r\n{range}"), b"")
            }
            "PUT" if path.contains("/manifests/") => {
                self.manifest = Some(asked.body.clone());
                Answer::new("201 Made", b"")
            }
            "PUT" => {
                self.upload.extend_from_slice(&asked.body);
                let upload = std::mem::take(&mut self.upload);
                let name = digest(&upload);
                if !query.contains(&name.replace(':', "%3A")) {
                    return Answer::new("400 No", br#"{"errors":[{"message":"another digest"}]}"#);
                }
                self.blobs.insert(name, upload);
                Answer::new("201 Made", b"")
            }
            _ => Answer::new("405 No", b""),
        }
    }
}

fn fault(name: &'static str, outcome: Outcome, handler: Handler) -> Fault {
    Fault {
        row: Row { name, outcome },
        handler,
    }
}

/// Whether it is an upload's piece, and the first such.
fn first(asked: &Asked, method: &str, kept: &mut Kept) -> bool {
    let is = asked.method == method && asked.path.contains("/uploads/");
    kept.count += usize::from(is);
    is && kept.count == 1
}

pub(crate) fn faults() -> Vec<Fault> {
    vec![
        fault("an honest registry", Done, |_, _| None),
        fault("pieces of at least 9 MiB wanted", Done, |asked, kept| {
            // All of it is 10 MiB and a little.
            if asked.method == "PATCH" && kept.upload.is_empty() && asked.body.len() < 9 << 20 {
                return Some(Answer::new("400 Too small", b""));
            }
            let answer =
                "202 Go\r\nLocation: /v2/a/b/blobs/uploads/1\r\nOCI-Chunk-Min-Length: 9437184";
            (asked.method == "POST").then(|| {
                kept.upload.clear();
                Answer::new(answer, b"")
            })
        }),
        fault("no pieces taken (405)", Done, |asked, _| {
            (asked.method == "PATCH").then(|| Answer::new("405 No", b""))
        }),
        fault("no pieces taken (416)", Done, |asked, _| {
            (asked.method == "PATCH").then(|| Answer::new("416 No", b""))
        }),
        fault("503 for one piece", Done, |asked, kept| {
            first(asked, "PATCH", kept).then(|| Answer::new("503 Busy", b""))
        }),
        fault(
            "reset in the middle of a piece, half of it kept",
            Done,
            |asked, kept| {
                first(asked, "PATCH", kept).then(|| {
                    kept.upload
                        .extend_from_slice(&asked.body[..asked.body.len() / 2]);
                    Answer::raw("").reset()
                })
            },
        ),
        fault("an upload that is forgotten", Done, |asked, kept| {
            let lost = first(asked, "PATCH", kept)
                || asked.method == "GET" && asked.path.contains("/uploads/");
            lost.then(|| {
                Answer::new(
                    if asked.method == "GET" {
                        "404 No"
                    } else {
                        "503 Busy"
                    },
                    b"",
                )
            })
        }),
        fault(
            "a registry that says it has more than was sent",
            Refused("more than was sent"),
            |asked, _| {
                let answer = "202 Go\r\nLocation: /v2/a/b/blobs/uploads/1\r\nRange: 0-99999999";
                (asked.method == "PATCH").then(|| Answer::new(answer, b""))
            },
        ),
        fault(
            "a registry that takes nothing",
            Refused("the registry takes nothing"),
            |asked, _| {
                let answer = "202 Go\r\nLocation: /v2/a/b/blobs/uploads/1\r\nRange: 0-0";
                (asked.method == "PATCH").then(|| Answer::new(answer, b""))
            },
        ),
        fault(
            "an upload without an address",
            Refused("does not say where the upload goes on"),
            |asked, _| (asked.method == "POST").then(|| Answer::new("202 Go", b"")),
        ),
        fault(
            "HEAD that is refused",
            Refused("refuses access"),
            |asked, _| (asked.method == "HEAD").then(|| Answer::new("403 No", b"")),
        ),
        fault(
            "upload that is refused",
            Refused("refuses access"),
            |asked, _| (asked.method == "POST").then(|| Answer::new("403 No", b"")),
        ),
        fault(
            "no room",
            Refused("unexpected answer 507: the disk is full"),
            |asked, _| {
                let body = br#"{"errors":[{"message":"the disk is full"}]}"#;
                (asked.method == "PUT").then(|| Answer::new("507 Full", body))
            },
        ),
        fault(
            "401 for every upload",
            Refused("refuses access"),
            |asked, _| (asked.method == "POST").then(|| Answer::new("401 No", b"")),
        ),
        fault(
            "manifest that is refused",
            Refused("unexpected answer 400: no such thing"),
            |asked, _| {
                let body = br#"{"errors":[{"message":"no such thing"}]}"#;
                asked
                    .path
                    .contains("/manifests/")
                    .then(|| Answer::new("400 No", body))
            },
        ),
        fault(
            "manifest whose blob is not known (404)",
            Refused("unexpected answer 404: blob unknown to registry"),
            |asked, _| {
                let body = br#"{"errors":[{"message":"blob unknown to registry"}]}"#;
                asked
                    .path
                    .contains("/manifests/")
                    .then(|| Answer::new("404 No", body))
            },
        ),
        fault("manifest that is taken with 202", Done, |asked, kept| {
            asked.path.contains("/manifests/").then(|| {
                kept.manifest = Some(asked.body.clone());
                Answer::new("202 Soon", b"")
            })
        }),
        fault("uploads that end with 204", Done, |asked, kept| {
            let last = asked.method == "PUT" && asked.path.contains("/uploads/");
            last.then(|| {
                kept.answer(asked);
                Answer::raw("HTTP/1.1 204 Done\r\nConnection: close\r\n\r\n")
            })
        }),
        fault(
            "manifest kept under another digest",
            Refused("digest mismatch"),
            |asked, _| {
                let answer = format!("201 Made\r\nDocker-Content-Digest: {}", digest(b"x"));
                asked
                    .path
                    .contains("/manifests/")
                    .then(|| Answer::new(&answer, b""))
            },
        ),
        fault("429 for an upload", Done, |asked, kept| {
            first(asked, "POST", kept).then(|| Answer::new("429 Slow\r\nRetry-After: 0", b""))
        }),
        fault("silence", Refused("timed out"), |asked, _| {
            (asked.method == "POST").then(|| Answer::raw("").then(Duration::from_secs(2), b""))
        }),
    ]
}

#[test]
fn every_fault_ends_well() {
    let all = faults();
    // Each in a repository that is there, and in a new one, where pieces go ahead of the digest.
    try_all(2 * all.len(), |index| {
        let Fault { row, handler } = &all[index / 2];
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        let (client, registries) = (client(), Registries::default());
        let options = Options::new(&client, &registries);
        // One layer of several pieces.
        let archive = tar(&[("noise", &noise(10 << 20))]);
        let image = oci::rootfs::import(&store, "noise", &*archive, "localhost/noise:1", &options);
        let image = image.unwrap();
        let kept = Arc::new(Mutex::new(Kept {
            new: index % 2 == 1,
            ..Kept::default()
        }));
        let (shared, handler) = (Arc::clone(&kept), *handler);
        let wire = Wire::start(move |asked| {
            let mut kept = shared.lock().unwrap();
            handler(asked, &mut kept).unwrap_or_else(|| kept.answer(asked))
        });
        let target = Reference::parse(&format!("{}/a/b:1", wire.host)).unwrap();
        let result = outgoing::push(&store, &image, &target, None, &options);
        compare(row, &result)?;
        let kept = kept.lock().unwrap();
        if let Ok(pushed) = result {
            let manifest = kept.manifest.clone().unwrap_or_default();
            let json: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            let layer = json["layers"][0]["digest"].as_str().unwrap();
            if pushed.to_string() != digest(&manifest) || !kept.blobs.contains_key(layer) {
                return Err(format!("{}: the registry lacks something", row.name));
            }
        }
        check(&store, &["localhost/noise:1".to_owned()])
            .map_err(|reason| format!("{}: {reason}", row.name))
    });
}

/// What goes in one request, and in pieces, to a registry that ends that: its reason is told.
#[test]
fn what_ends_an_upload_is_told() {
    let early = TcpListener::bind("127.0.0.1:0").unwrap();
    let (there, nobody) = (early.local_addr().unwrap().to_string(), "127.0.0.1:1");
    // Answers when the request has begun, and reads the rest.
    thread::spawn(move || {
        for mut stream in early.incoming().flatten() {
            thread::spawn(move || {
                let body = r#"{"errors":[{"message":"at most 1 MiB"}]}"#;
                let (head, length) = ("HTTP/1.1 413 Large\r\nConnection: close", body.len());
                let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.write_all(answer.as_bytes());
                let _ = io::copy(&mut stream, &mut io::sink());
            });
        }
    });
    let large = "unexpected answer 413: at most 1 MiB";
    for (host, size, message) in [
        (there.as_str(), 6, large),
        (there.as_str(), 10, large),
        (nobody, 6, "Connection refused"),
        (nobody, 10, "Connection refused"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        let retry = Retry {
            attempts: 2,
            first: Duration::from_millis(1),
            ..Retry::default()
        };
        let (client, registries) = (Client::with_retry(retry), Registries::default());
        let options = Options::new(&client, &registries);
        let archive = tar(&[("noise", &noise(size << 20))]);
        let image = oci::rootfs::import(&store, "noise", &*archive, "noise", &options).unwrap();
        let kept = Mutex::new(Kept::default());
        let location = format!("202 Go\r\nLocation: http://{host}/v2/a/b/blobs/uploads/1");
        let wire = Wire::start(move |asked| match asked.method.as_str() {
            "POST" => Answer::new(&location, b""),
            _ => kept.lock().unwrap().answer(asked),
        });
        let target = Reference::parse(&format!("{}/a/b", wire.host)).unwrap();
        let error = outgoing::push(&store, &image, &target, None, &options).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// A registry that does not know the repository is not asked for the layer, and gets it while it is packed.
#[test]
fn a_new_repository_is_not_asked_what_it_has() {
    for new in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        let (client, registries) = (client(), Registries::default());
        let options = Options::new(&client, &registries);
        let archive = tar(&[("noise", &noise(10 << 20))]);
        let image = oci::rootfs::import(&store, "noise", &*archive, "noise", &options).unwrap();
        let kept = Mutex::new(Kept {
            new,
            ..Kept::default()
        });
        let wire = Wire::start(move |asked| kept.lock().unwrap().answer(asked));
        let target = Reference::parse(&format!("{}/a/b", wire.host)).unwrap();
        outgoing::push(&store, &image, &target, None, &options).unwrap();
        let asked = wire.asked();
        let heads = asked.iter().filter(|it| it.method == "HEAD").count();
        // The configuration always, the layer only where it may be.
        assert_eq!(heads, if new { 1 } else { 2 });
    }
}

/// Where an upload goes on another host does, that host is told nothing.
#[test]
fn an_upload_elsewhere_has_no_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (client, registries) = (client(), Registries::default());
    let mut options = Options::new(&client, &registries);
    options.credentials = Some(oci::Credentials::new("me", "pw"));
    let archive = tar(&[("small", b"small")]);
    let image = oci::rootfs::import(&store, "small", &*archive, "small", &options).unwrap();
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let there = Arc::clone(&kept);
    let elsewhere = Wire::start(move |asked| there.lock().unwrap().answer(asked));
    let host = elsewhere.host.clone();
    let registry = Wire::start(move |asked| {
        if asked.header("authorization").is_none() {
            return Answer::new("401 No\r\nWWW-Authenticate: Basic realm=x", b"");
        }
        match asked.method.as_str() {
            "POST" => Answer::new(
                &format!("202 Go\r\nLocation: http://{host}/v2/a/b/blobs/uploads/1"),
                b"",
            ),
            _ => kept.lock().unwrap().answer(asked),
        }
    });
    let target = Reference::parse(&format!("{}/a/b", registry.host)).unwrap();
    outgoing::push(&store, &image, &target, None, &options).unwrap();
    let asked = elsewhere.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|it| it.header("authorization").is_none()));
}
