//! Manifests, indexes and configurations.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Fault, changed, fault, manifests, platform, strange};
use crate::Outcome::{Done, Refused};
use crate::picture::{INDEX, LAYER, MANIFEST, Picture, digest};
use crate::wire::Answer;

pub(super) fn documents() -> Vec<Fault> {
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
