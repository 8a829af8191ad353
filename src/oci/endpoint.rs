//! A server to ask, and whether it is this machine.

use std::net::IpAddr;

use super::certificates::Certificates;

/// One server to try for a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port to connect to.
    pub host: String,
    /// Repository on that host.
    pub repository: String,
    /// Whether certificates go unchecked and plain HTTP is allowed.
    pub insecure: bool,
    /// Certificates for this host.
    pub certificates: Option<Certificates>,
}

impl Endpoint {
    /// Whether the host is this machine, where plain HTTP needs no permission.
    pub fn is_loopback(&self) -> bool {
        is_loopback(host_of(&self.host))
    }
}

/// Whether a host name or address (IPv6 with or without brackets) is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_machine() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.3.2.1",
            "[::1]",
            "a.localhost",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "localhost.example", "128.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
        assert_eq!(
            (host_of("[::1]:5000"), host_of("[::1]"), host_of("a:1")),
            ("[::1]", "[::1]", "a")
        );
    }
}
