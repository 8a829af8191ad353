//! The bytes of layers.

use std::time::Duration;

use serde_json::json;

use super::{Fault, changed, layers, strange};
use crate::Outcome::{Done, Refused};
use crate::picture::{Picture, digest, gzip, tar};
use crate::wire::{Answer, Asked};

pub(super) fn bodies() -> Vec<Fault> {
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
            Picture::packed(&[(gzip(&small), digest(b"other"))]),
        ),
        strange(
            "layer that is no archive",
            Refused("a number is no octal number"),
            Picture::of(&[b"no archive ".repeat(100)]),
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
