//! Faults while an image is pulled.

use std::sync::Arc;
use std::time::Duration;

use racker::oci::{self, Options, Reference, Registries, Settings};
use serde_json::{Value, json};

use crate::picture::{INDEX, LAYER, MANIFEST, Picture, architecture, digest, gzip, tar};
use crate::wire::{Answer, Asked, Wire};
use crate::{Outcome, Row, check, client, compare, open, try_all};

use Outcome::{Done, Refused};

type Handler = Arc<dyn Fn(&Asked, &Picture, &str) -> Option<Answer> + Send + Sync>;

/// A fault, and what the registry has.
pub(crate) struct Fault {
    pub(crate) row: Row,
    picture: Picture,
    /// What it answers instead of the truth; gets the host of another server too.
    handler: Handler,
}

fn fault(
    name: &'static str,
    outcome: Outcome,
    picture: Picture,
    handler: impl Fn(&Asked, &Picture, &str) -> Option<Answer> + Send + Sync + 'static,
) -> Fault {
    Fault {
        row: Row { name, outcome },
        picture,
        handler: Arc::new(handler),
    }
}

/// A registry that tells the truth about a strange image.
fn strange(name: &'static str, outcome: Outcome, picture: Picture) -> Fault {
    fault(name, outcome, picture, |_, _, _| None)
}

/// A fault in the answers for the manifest.
fn manifests(
    name: &'static str,
    outcome: Outcome,
    answer: impl Fn(&Asked, &[u8]) -> Option<Answer> + Send + Sync + 'static,
) -> Fault {
    fault(name, outcome, Picture::new(), move |asked, picture, _| {
        let own = picture.manifest.to_string();
        Picture::is_manifest(asked)
            .then(|| answer(asked, own.as_bytes()))
            .flatten()
    })
}

/// A fault in the answers for the large layer.
fn layers(
    name: &'static str,
    outcome: Outcome,
    answer: impl Fn(&Asked, &[u8]) -> Option<Answer> + Send + Sync + 'static,
) -> Fault {
    fault(name, outcome, Picture::new(), move |asked, picture, _| {
        let layer = picture.layer(1);
        let own = asked.path.ends_with(&layer);
        own.then(|| answer(asked, &picture.blobs[&layer])).flatten()
    })
}

fn changed(change: impl FnOnce(&mut Picture)) -> Picture {
    let mut picture = Picture::new();
    change(&mut picture);
    picture
}

fn platform() -> Value {
    json!({ "os": "linux", "architecture": architecture() })
}

/// The tokens that the registry takes are those that this path gives.
fn guarded(
    name: &'static str,
    outcome: Outcome,
    challenge: &'static str,
    token: &'static str,
) -> Fault {
    fault(name, outcome, Picture::new(), move |asked, _, _| {
        if asked.path.starts_with("/token") {
            return Some(Answer::ok(token.as_bytes()));
        }
        if asked.header("authorization") == Some("Bearer good") {
            return None;
        }
        let host = asked.header("host").unwrap_or_default();
        let challenge = challenge.replace("HOST", host);
        Some(Answer::new(
            &format!("401 No\r\nWWW-Authenticate: {challenge}"),
            b"{}",
        ))
    })
}

const BEARER: &str = "Bearer realm=\"http://HOST/token\",service=\"s\"";

fn access() -> Vec<Fault> {
    vec![
        guarded(
            "anonymous token (`token`)",
            Done,
            BEARER,
            r#"{"token":"good","expires_in":300}"#,
        ),
        guarded(
            "anonymous token (`access_token`)",
            Done,
            BEARER,
            r#"{"access_token":"good"}"#,
        ),
        guarded(
            "token that is spent at once",
            Done,
            BEARER,
            r#"{"token":"good","expires_in":0}"#,
        ),
        guarded(
            "Basic and Bearer offered together",
            Done,
            "Basic realm=\"x\", Bearer realm=\"http://HOST/token\"",
            r#"{"token":"good"}"#,
        ),
        guarded(
            "token that is not taken",
            Refused("refuses access"),
            BEARER,
            r#"{"token":"bad"}"#,
        ),
        guarded(
            "token server without a token",
            Refused("did not answer with a token"),
            BEARER,
            "{}",
        ),
        guarded(
            "token server that sends a page",
            Refused("did not answer with a token"),
            BEARER,
            "<html>",
        ),
        guarded(
            "token with a line end in it",
            Refused("did not answer with a token"),
            BEARER,
            "{\"token\":\"good\\r\\nX-Y: z\"}",
        ),
        guarded(
            "token server without TLS on another host",
            Refused("is not reached by https"),
            "Bearer realm=\"http://tokens.example/t\"",
            "",
        ),
        guarded(
            "token server that is no address",
            Refused("is no URL"),
            "Bearer realm=\"::\"",
            "",
        ),
        guarded(
            "Basic wanted, none known",
            Refused("refuses access"),
            "Basic realm=\"x\"",
            "",
        ),
        guarded(
            "a scheme that nobody knows",
            Refused("refuses access"),
            "Negotiate",
            "",
        ),
        guarded(
            "a challenge that cannot be read",
            Refused("refuses access"),
            "Bearer realm=\"x",
            "",
        ),
        manifests("403 for everything", Refused("refuses access"), |_, _| {
            Some(Answer::new(
                "403 Forbidden",
                br#"{"errors":[{"message":"not for you"}]}"#,
            ))
        }),
    ]
}

fn connections() -> Vec<Fault> {
    vec![
        manifests("no HTTP at all", Refused("cannot reach"), |_, _| {
            Some(Answer::raw("220 mail.example ESMTP\r\n"))
        }),
        manifests(
            "connection closed without an answer",
            Refused("cannot reach"),
            |_, _| Some(Answer::raw("")),
        ),
        manifests("reset twice, then an answer", Done, |asked, _| {
            (asked.before < 2).then(|| Answer::raw("").reset())
        }),
        manifests("headers without an end", Refused("cannot reach"), |_, _| {
            Some(
                Answer::raw("HTTP/1.1 200 OK\r\n")
                    .then(Duration::ZERO, b"X-A: b\r\n")
                    .endless(),
            )
        }),
        manifests(
            "silence instead of an answer",
            Refused("timed out"),
            |_, _| Some(Answer::raw("").then(Duration::from_secs(2), b"late")),
        ),
        manifests("429 with a short Retry-After", Done, |asked, _| {
            (asked.before == 0).then(|| Answer::new("429 Slow\r\nRetry-After: 1", b""))
        }),
        manifests(
            "429 with a long Retry-After",
            Refused("limits the rate of requests (try again in 3600 s)"),
            |_, _| Some(Answer::new("429 Slow\r\nRetry-After: 3600", b"")),
        ),
        manifests(
            "500 and 503, then an answer",
            Done,
            |asked, _| match asked.before {
                0 => Some(Answer::new("500 Oh", b"")),
                1 => Some(Answer::new("503 Busy", b"")),
                _ => None,
            },
        ),
        manifests("503 for ever", Refused("unexpected answer 503"), |_, _| {
            Some(Answer::new("503 Busy", b""))
        }),
        manifests("404", Refused("not found on"), |_, _| {
            Some(Answer::new("404 No", b""))
        }),
        manifests(
            "204 without a body",
            Refused("unexpected answer 204"),
            |_, _| {
                Some(Answer::raw(
                    "HTTP/1.1 204 None\r\nConnection: close\r\n\r\n",
                ))
            },
        ),
        manifests(
            "redirects in a circle",
            Refused("more than 10 redirects"),
            |asked, _| {
                Some(Answer::new(
                    &format!("302 Go\r\nLocation: {}", asked.path),
                    b"",
                ))
            },
        ),
        manifests(
            "redirect to a local file",
            Refused("neither http nor https"),
            |_, _| Some(Answer::new("302 Go\r\nLocation: file:///etc/passwd", b"")),
        ),
        manifests("redirect to nowhere", Refused("invalid URL"), |_, _| {
            Some(Answer::new("302 Go\r\nLocation: http://[", b""))
        }),
        fault(
            "layers redirected to another host",
            Done,
            Picture::new(),
            |asked, _, other| {
                let place = format!("307 Go\r\nLocation: http://{other}{}", asked.path);
                asked
                    .path
                    .contains("/blobs/")
                    .then(|| Answer::new(&place, b""))
            },
        ),
    ]
}

fn documents() -> Vec<Fault> {
    let index = |entries: &[Value]| Picture::new().indexed(&platform(), entries);
    let attestation = json!({ "mediaType": MANIFEST, "digest": digest(b"a"), "size": 1,
        "platform": { "os": "unknown", "architecture": "unknown" } });
    let foreign = json!({ "mediaType": MANIFEST, "digest": digest(b"b"), "size": 1,
        "platform": { "os": "linux", "architecture": "s390x" } });
    let deep = (0..6).fold(Picture::new(), |inner, _| {
        let mut outer = inner.clone();
        let mut entry = outer.put(INDEX, inner.manifest.to_string().as_bytes());
        entry["mediaType"] = json!(inner.media_type);
        outer.manifest = json!({ "schemaVersion": 2, "manifests": [entry] });
        outer.media_type = INDEX.into();
        outer
    });
    vec![
        manifests("manifest cut off, then whole", Done, |asked, own| {
            (asked.before == 0).then(|| Answer::cut("200 OK", own, own.len() / 2))
        }),
        manifests(
            "manifest always cut off",
            Refused("transfer of a/b:latest failed"),
            |_, own| Some(Answer::cut("200 OK", own, own.len() / 2)),
        ),
        manifests(
            "manifest that drips",
            Refused("it comes too slowly"),
            |_, own| {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", own.len());
                Some(
                    Answer::raw(head)
                        .then(Duration::from_millis(100), b" ")
                        .endless(),
                )
            },
        ),
        manifests(
            "manifest without an end",
            Refused("larger than the limit of 4194304 bytes"),
            |_, _| {
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                Some(
                    Answer::raw(head)
                        .then(Duration::ZERO, &[b' '; 65536])
                        .endless(),
                )
            },
        ),
        manifests(
            "a page instead of a manifest",
            Refused("refused"),
            |_, _| {
                Some(Answer::new(
                    "200 OK\r\nContent-Type: text/html",
                    b"<html>log in</html>",
                ))
            },
        ),
        manifests(
            "manifest of another digest than promised",
            Refused("digest mismatch"),
            |_, own| {
                let lie = digest(b"x");
                Some(Answer::new(
                    &format!("200 OK\r\nDocker-Content-Digest: {lie}"),
                    own,
                ))
            },
        ),
        manifests(
            "manifest sent as an index",
            Refused("it was sent as"),
            |_, own| {
                Some(Answer::new(
                    &format!("200 OK\r\nContent-Type: {INDEX}"),
                    own,
                ))
            },
        ),
        manifests("chunked transfer coding", Done, |_, own| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let body = String::from_utf8_lossy(own);
            Some(Answer::raw(format!(
                "{head}{:x}\r\n{body}\r\n0\r\n\r\n",
                own.len()
            )))
        }),
        strange(
            "schema 1",
            Refused("Docker's old schema 1"),
            changed(|it| {
                it.manifest = json!({ "schemaVersion": 1, "fsLayers": [], "history": [] });
                it.media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws".into();
            }),
        ),
        strange(
            "manifest and index in one",
            Refused("a manifest and an index in one"),
            changed(|it| {
                it.manifest["manifests"] = json!([]);
            }),
        ),
        strange(
            "an artifact that is no image",
            Refused("it is no image but an artifact"),
            changed(|it| {
                it.manifest["config"]["mediaType"] =
                    json!("application/vnd.cncf.helm.config.v1+json");
            }),
        ),
        strange(
            "layer of an unknown type",
            Refused("layers of an unknown type"),
            changed(|it| {
                it.manifest["layers"][1]["mediaType"] = json!("application/x-squashfs");
            }),
        ),
        strange(
            "foreign layer",
            Refused("layers that registries may not hand out"),
            changed(|it| {
                it.manifest["layers"][1]["mediaType"] =
                    json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
            }),
        ),
        strange(
            "encrypted layer",
            Refused("its layers are encrypted"),
            changed(|it| {
                it.manifest["layers"][1]["mediaType"] = json!(format!("{LAYER}+encrypted"));
            }),
        ),
        strange(
            "sha512 digests",
            Refused("only sha256 digests are supported"),
            changed(|it| {
                it.manifest["layers"][1]["digest"] = json!(format!("sha512:{}", "0".repeat(128)));
            }),
        ),
        strange(
            "unknown fields, inline data, subject",
            Done,
            changed(|it| {
                it.manifest["org.example.note"] = json!({ "a": [1] });
                it.manifest["layers"][0]["data"] = json!("AAAA");
                it.manifest["subject"] =
                    json!({ "mediaType": MANIFEST, "digest": digest(b"s"), "size": 1 });
            }),
        ),
        strange(
            "index with attestations and other platforms",
            Done,
            index(&[attestation, foreign.clone()]),
        ),
        strange(
            "index without this platform",
            Refused("has no image for linux/"),
            changed(|it| {
                it.manifest =
                    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [foreign] });
                it.media_type = INDEX.into();
            }),
        ),
        strange(
            "empty index",
            Refused("has no image for linux/"),
            changed(|it| {
                it.manifest = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
                it.media_type = INDEX.into();
            }),
        ),
        strange(
            "indexes in indexes in indexes ...",
            Refused("nested too deeply"),
            deep,
        ),
        fault(
            "index whose manifest is another",
            Refused("digest mismatch"),
            index(&[]),
            |asked, picture, _| {
                let inner = asked.path.contains("/manifests/sha256:");
                let other = picture.manifest.to_string();
                inner.then(|| Answer::ok(other.as_bytes()))
            },
        ),
        strange(
            "configuration that is another",
            Refused("digest mismatch of the configuration"),
            changed(|it| {
                let digest = it.config();
                it.blobs.get_mut(&digest).unwrap()[10] ^= 1;
            }),
        ),
        strange(
            "configuration of another size",
            Refused("size mismatch"),
            changed(|it| {
                let size = it.manifest["config"]["size"].as_u64().unwrap();
                it.manifest["config"]["size"] = json!(size + 1);
            }),
        ),
        strange(
            "configuration larger than allowed",
            Refused("larger than the limit of 8388608 bytes"),
            changed(|it| {
                it.manifest["config"]["size"] = json!(9 << 20);
            }),
        ),
        strange(
            "more layers than the configuration knows",
            Refused("names 2 layers and its manifest 3"),
            changed(|it| {
                let layer = it.manifest["layers"][0].clone();
                it.manifest["layers"].as_array_mut().unwrap().push(layer);
            }),
        ),
    ]
}

fn bodies() -> Vec<Fault> {
    let cut = |at: usize| {
        move |asked: &Asked, own: &[u8]| (asked.before == 0).then(|| Answer::cut("200 OK", own, at))
    };
    let huge = {
        // 1.2 GiB of nothing in a few kilobytes.
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_path("zero").unwrap();
        header.set_size(1200 << 20);
        header.set_cksum();
        std::io::Write::write_all(&mut encoder, header.as_bytes()).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..1201 {
            std::io::Write::write_all(&mut encoder, &zeros).unwrap();
        }
        Picture::packed(&[(encoder.finish().unwrap(), digest(b"?"))])
    };
    let small = tar(&[("a", b"a")]);
    let two = [gzip(&small[..700]), gzip(&small[700..])].concat();
    let frames = [
        zstd::encode_all(&small[..700], 1).unwrap(),
        vec![0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2],
        zstd::encode_all(&small[700..], 1).unwrap(),
    ]
    .concat();
    vec![
        layers("layer cut off after 0 bytes, then the rest", Done, cut(0)),
        layers("layer cut off after 1 byte, then the rest", Done, cut(1)),
        layers(
            "layer cut off in the middle, then the rest",
            Done,
            cut(150_000),
        ),
        layers(
            "layer cut off before its last byte, then the rest",
            Done,
            |asked, own| (asked.range() == 0).then(|| Answer::cut("200 OK", own, own.len() - 1)),
        ),
        layers("layer cut off again and again", Done, |asked, own| {
            let start = asked.range();
            let end = own.len() - 1;
            let head = match start {
                0 => "200 OK".to_owned(),
                _ => format!(
                    "206 Part\r\nContent-Range: bytes {start}-{end}/{}",
                    own.len()
                ),
            };
            Some(Answer::cut(&head, &own[start..], 60_000))
        }),
        layers("layer cut off, and no ranges", Done, |asked, own| {
            Some(Answer::cut("200 OK", own, (asked.before + 1) * 120_000))
        }),
        layers(
            "layer cut off at the same place for ever, and no ranges",
            Refused("failed after 100000 bytes"),
            |_, own| Some(Answer::cut("200 OK", own, 100_000)),
        ),
        layers(
            "another range than was asked for",
            Done,
            |asked, own| match asked.range() {
                0 if asked.before == 0 => Some(Answer::cut("200 OK", own, 100_000)),
                0 => None,
                _ => {
                    let range = format!("Content-Range: bytes 7-{}/{}", own.len() - 1, own.len());
                    Some(Answer::new(&format!("206 Part\r\n{range}"), &own[7..]))
                }
            },
        ),
        layers(
            "a range without saying which",
            Done,
            |asked, own| match asked.range() {
                0 if asked.before == 0 => Some(Answer::cut("200 OK", own, 100_000)),
                0 => None,
                start => Some(Answer::new("206 Part", &own[start..])),
            },
        ),
        layers(
            "a range that is not there",
            Done,
            |asked, own| match asked.range() {
                0 if asked.before == 0 => Some(Answer::cut("200 OK", own, 100_000)),
                0 => None,
                _ => Some(Answer::new("416 No", b"")),
            },
        ),
        layers(
            "ranges of a layer that grew",
            Refused("it changed under way"),
            |asked, own| {
                let start = asked.range();
                let range = format!("Content-Range: bytes {start}-{}/999999", own.len() - 1);
                Some(match start {
                    0 => Answer::cut("200 OK", own, 100_000),
                    start => Answer::new(&format!("206 Part\r\n{range}"), &own[start..]),
                })
            },
        ),
        layers("layer reset in the middle", Done, |asked, own| {
            (asked.range() == 0).then(|| Answer::cut("200 OK", own, 100_000).reset())
        }),
        layers(
            "layer that stops coming, then the rest",
            Done,
            |asked, own| {
                (asked.range() == 0)
                    .then(|| Answer::cut("200 OK", own, 100_000).then(Duration::from_secs(2), b""))
            },
        ),
        layers(
            "layer that drips",
            Refused("it comes too slowly"),
            |_, own| {
                Some(
                    Answer::cut("200 OK", own, 0)
                        .then(Duration::from_millis(50), &own[..1])
                        .endless(),
                )
            },
        ),
        layers(
            "layer without an end",
            Refused("size mismatch"),
            |_, own| {
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                Some(Answer::raw(head).then(Duration::ZERO, own).endless())
            },
        ),
        layers(
            "layer of another length",
            Refused("size mismatch"),
            |_, own| Some(Answer::ok(&own[..own.len() - 1])),
        ),
        layers(
            "layer with a bit flipped",
            Refused("digest mismatch"),
            |_, own| {
                let mut bytes = own.to_vec();
                bytes[200_000] ^= 1;
                Some(Answer::ok(&bytes))
            },
        ),
        layers("404 for a layer", Refused("not found on"), |_, _| {
            Some(Answer::new("404 No", b""))
        }),
        layers(
            "401 in the middle of a layer",
            Refused("refuses access"),
            |asked, own| {
                Some(match asked.range() {
                    0 => Answer::cut("200 OK", own, 100_000),
                    _ => Answer::new("401 No", b""),
                })
            },
        ),
        strange(
            "layer of another size than the manifest says",
            Refused("size mismatch"),
            changed(|it| {
                it.manifest["layers"][1]["size"] = json!(5);
            }),
        ),
        strange(
            "layer with another archive in it",
            Refused("(uncompressed)"),
            { Picture::packed(&[(gzip(&small), digest(b"other"))]) },
        ),
        strange(
            "layer that is no archive",
            Refused("a number is no octal number"),
            { Picture::of(&[b"no archive ".repeat(100)]) },
        ),
        strange(
            "layer that is no gzip after its first bytes",
            Refused("cannot decompress"),
            {
                Picture::packed(&[(
                    vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 7, 7, 7],
                    digest(b"?"),
                )])
            },
        ),
        strange(
            "gzip cut off inside the layer",
            Refused("cannot decompress"),
            {
                let whole = gzip(&small);
                Picture::packed(&[(whole[..whole.len() - 9].to_vec(), digest(&small))])
            },
        ),
        strange(
            "a bomb: 1.2 GiB in a few kilobytes",
            Refused("out of all proportion"),
            huge,
        ),
        strange(
            "gzip of several members",
            Done,
            Picture::packed(&[(two, digest(&small))]),
        ),
        strange("zstd of several frames, sent as gzip", Done, {
            Picture::packed(&[(frames, digest(&small))])
        }),
        strange("no compression, sent as gzip", Done, {
            Picture::packed(&[(small.clone(), digest(&small))])
        }),
        strange(
            "the empty layer",
            Done,
            Picture::of(&[small.clone(), vec![0; 1024]]),
        ),
        strange(
            "the same layer twice",
            Done,
            Picture::of(&[small.clone(), small.clone()]),
        ),
        strange("no layer at all", Done, Picture::of(&[])),
        strange(
            "layer of no bytes",
            Done,
            Picture::packed(&[(Vec::new(), digest(b""))]),
        ),
        strange("layer that leads out of the tree", Refused("leads out"), {
            Picture::of(&[small, escaping()])
        }),
    ]
}

/// An archive with a path that has `..` in it.
fn escaping() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..9].copy_from_slice(b"../escape");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    [header.as_bytes().as_slice(), &[0; 1024]].concat()
}

pub(crate) fn faults() -> Vec<Fault> {
    let mut all = access();
    all.extend(connections());
    all.extend(documents());
    all.extend(bodies());
    all
}

#[test]
fn every_fault_ends_well() {
    let all = faults();
    try_all(all.len(), |index| {
        let Fault {
            row,
            picture,
            handler,
        } = &all[index];
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        let before = Picture::of(&[tar(&[("before", b"1")])]);
        let earlier = {
            let wire = Wire::start(move |asked| before.answer(asked));
            let earlier = pull(
                &store,
                &format!("{}/before", wire.host),
                &Registries::default(),
            );
            earlier.unwrap().image.name
        };
        let honest = picture.clone();
        let other = Wire::start(move |asked| honest.answer(asked));
        let (handler, picture, elsewhere) =
            (Arc::clone(handler), picture.clone(), other.host.clone());
        let wire = Wire::start(move |asked| {
            handler(asked, &picture, &elsewhere).unwrap_or_else(|| picture.answer(asked))
        });
        let result = pull(
            &store,
            &format!("{}/a/b", wire.host),
            &Registries::default(),
        );
        compare(row, &result)?;
        let mut images = vec![earlier];
        images.extend(result.ok().map(|pulled| pulled.image.name));
        images.sort();
        // Nobody else is told what the registry was told.
        if other
            .asked()
            .iter()
            .any(|it| it.header("authorization").is_some())
        {
            return Err(format!("{}: another host got credentials", row.name));
        }
        check(&store, &images).map_err(|reason| format!("{}: {reason}", row.name))
    });
}

fn pull(
    store: &racker_store::Store,
    name: &str,
    registries: &Registries,
) -> oci::Result<oci::Pulled> {
    let client = client();
    let reference = Reference::parse(name).unwrap();
    oci::pull(store, &reference, &Options::new(&client, registries))
}

/// A mirror that is broken is passed over; what it said does not count.
#[test]
fn mirrors_that_fail_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let picture = Picture::new();
    let good = Wire::start(move |asked| picture.answer(asked));
    let bad = Wire::start(|_| Answer::new("200 OK", b"<html>"));
    let file = directory.path().join("registries.conf");
    std::fs::write(
        &file,
        format!(
            "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}\"\n",
            good.host, bad.host
        ),
    )
    .unwrap();
    let registries = Registries::load(&Settings {
        file: Some(file),
        ..Settings::default()
    })
    .unwrap();
    pull(&store, &format!("{}/a/b", good.host), &registries).unwrap();
    assert!(!bad.asked().is_empty());
}
