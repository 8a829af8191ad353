//! Addresses of services.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Where something listens, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// All of it, as it was given.
    pub url: String,
    /// How it is asked.
    pub scheme: Scheme,
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Scheme {
    /// It takes a connection.
    Tcp,
    /// It answers an HTTP request, with any status below 500.
    Http,
    /// The same over TLS; certificates are not checked, those of a fresh installation are its own.
    Https,
}

/// An address that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address to check: {reason}")]
pub struct BadAddress {
    text: String,
    reason: &'static str,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |reason| BadAddress {
            text: text.to_owned(),
            reason,
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("it has a character that no address has"));
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| bad("it starts with none of tcp://, http://, https://"))?;
        let (scheme, default) = match scheme {
            "tcp" => (Scheme::Tcp, None),
            "http" => (Scheme::Http, Some(80)),
            "https" => (Scheme::Https, Some(443)),
            _ => return Err(bad("it starts with none of tcp://, http://, https://")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(bad("a user in an address is not supported"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| bad("`]` is missing"))?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = match port {
            Some(port) => Some(
                port.parse()
                    .map_err(|_| bad("its port is no number up to 65535"))?,
            ),
            None => default,
        };
        Ok(Self {
            url: text.to_owned(),
            scheme,
            host: host.to_owned(),
            port: port
                .filter(|port| *port > 0)
                .ok_or_else(|| bad("it names no port"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parts = |text: &str| {
            let address: Address = text.parse().unwrap();
            (address.scheme, address.host, address.port)
        };
        assert_eq!(
            parts("http://localhost"),
            (Scheme::Http, "localhost".into(), 80)
        );
        assert_eq!(
            parts("https://[::1]/x:1"),
            (Scheme::Https, "::1".into(), 443)
        );
        assert_eq!(parts("tcp://[::1]:5432"), (Scheme::Tcp, "::1".into(), 5432));
        assert_eq!(parts("http://a:81?b"), (Scheme::Http, "a".into(), 81));
        for bad in [
            "localhost:80",
            "tcp://localhost",
            "ftp://a:1",
            "http://",
            "http://a:x",
            "tcp://a:0",
            "tcp://a:70000",
            "tcp://[::1:5",
            "http://u@a",
            "http://a b",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
