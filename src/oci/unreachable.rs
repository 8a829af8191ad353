//! Why no answer came: what the HTTP library says of it, and what that shows.

use std::io;

use reqwest::Url;

use super::error::Error;
use super::http::{TIMED_OUT, authority};
use super::request::{Method, Request};

/// A refused connection or an unknown certificate stays what it is; all else may pass.
pub(super) fn unreachable(url: &Url, error: &reqwest::Error) -> (Error, bool) {
    let reason = match innermost(error) {
        _ if error.is_timeout() => TIMED_OUT.to_owned(),
        // The library's words for a body that nobody takes any more.
        reason if reason.contains("receiver is gone") => {
            "the connection ended before everything was sent".to_owned()
        }
        reason => reason,
    };
    let refused = chain(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    });
    let lasting = refused
        || about_certificates(&reason)
        || about_plain(&reason)
        || reason.contains("NoApplicationProtocol");
    (
        Error::Unreachable {
            host: authority(url),
            reason,
        },
        !lasting && !error.is_builder(),
    )
}

/// Whether a connection ended where an answer should begin, to something that may be asked again.
pub(super) fn was_cut(request: &Request<'_>, error: &Error) -> bool {
    let reasons = ["closed before", "reset by peer", "Broken pipe"];
    let cut = |reason: &str| reasons.iter().any(|it| reason.contains(it));
    !matches!(request.method, Method::PUT | Method::PATCH)
        && matches!(error, Error::Unreachable { reason, .. } if cut(reason))
}

/// Whether a reason is that a certificate is missing or is not taken, on either side.
pub(super) fn about_certificates(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("certificate")
}

/// Whether a reason shows that the server speaks no TLS.
pub(super) fn about_plain(reason: &str) -> bool {
    reason.contains("InvalidContentType")
}

/// Whether a reason shows that the server speaks TLS.
pub(super) fn about_tls(reason: &str) -> bool {
    about_certificates(reason) || reason.contains("fatal alert")
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The last message of a chain of causes: the one with something to say.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
