//! Who may pull.

use super::{Fault, fault, manifests};
use crate::Outcome::{self, Done, Refused};
use crate::picture::Picture;
use crate::wire::Answer;

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

pub(super) fn access() -> Vec<Fault> {
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
