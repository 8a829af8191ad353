//! Answers that are none, or that lead elsewhere.

use std::time::Duration;

use super::{Fault, fault, manifests};
use crate::Outcome::{Done, Refused};
use crate::picture::Picture;
use crate::wire::Answer;

/// An empty SETTINGS frame, with which servers begin in HTTP/2. Source: RFC 9113, section 6.5.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

pub(super) fn connections() -> Vec<Fault> {
    vec![
        manifests("no HTTP at all", Refused("cannot reach"), |_, _| {
            Some(Answer::raw("220 mail.example ESMTP\r\n"))
        }),
        manifests(
            "HTTP/2 without being asked",
            Refused("cannot reach"),
            |_, _| Some(Answer::raw(SETTINGS)),
        ),
        manifests(
            "a switch to HTTP/2 that nobody asked for",
            Refused("unexpected answer 101"),
            |_, _| {
                let head = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
                Some(Answer::raw([head.as_bytes(), SETTINGS].concat()))
            },
        ),
        manifests(
            "HTTP/2 or nothing (426)",
            Refused("unexpected answer 426"),
            |_, _| Some(Answer::new("426 Upgrade\r\nUpgrade: h2c", b"")),
        ),
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
