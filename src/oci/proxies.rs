//! What the environment says of proxies: which is meant for a scheme, and for what there is none.
//!
//! The HTTP library reads the same variables; what is here is what it passes by: ports in `NO_PROXY`, and values
//! that it cannot use, which it takes for no proxy at all. Source: curl(1), "Environment".

use std::net::IpAddr;

use reqwest::Url;

use super::error::{Error, Result};

/// The variables by what they are for; the first of a line that is set counts.
const VARIABLES: [[&str; 2]; 4] = [
    ["HTTP_PROXY", "http_proxy"],
    ["HTTPS_PROXY", "https_proxy"],
    ["ALL_PROXY", "all_proxy"],
    ["NO_PROXY", "no_proxy"],
];

/// What the environment says of proxies. It keeps no address, since that may have a password in it.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// The variable for a scheme and why it is no use.
    wrong: Vec<(&'static str, &'static str, String)>,
    /// Entries of `NO_PROXY`.
    none: Vec<String>,
}

impl Proxies {
    /// Reads variables, which are looked up by their names.
    pub fn read(variables: impl Fn(&'static str) -> Option<String>) -> Self {
        let mut set = VARIABLES.map(|names| {
            let values = names.into_iter().map(|name| (name, variables(name)));
            let mut values = values.filter_map(|(name, value)| Some((name, value?)));
            values.next().filter(|(_, value)| !value.is_empty())
        });
        let none = set[3].take().map_or_else(Vec::new, |(_, list)| {
            let entries = list.split([',', ' ']).filter(|entry| !entry.is_empty());
            entries.map(str::to_ascii_lowercase).collect()
        });
        let schemes = [("http", 0), ("https", 1)];
        let wrong = schemes.into_iter().filter_map(|(scheme, own)| {
            let (name, value) = set[own].as_ref().or(set[2].as_ref())?;
            Some((scheme, *name, unusable(value)?))
        });
        Self {
            wrong: wrong.collect(),
            none,
        }
    }

    /// Whether a URL is to be reached without a proxy.
    pub(super) fn bypassed(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default();
        self.none.iter().any(|entry| covers(entry, host, port))
    }

    /// Whether there is a use in what is said of a scheme.
    pub(super) fn check(&self, scheme: &str) -> Result<()> {
        match self.wrong.iter().find(|(for_it, ..)| *for_it == scheme) {
            Some((_, name, reason)) => Err(Error::Configuration {
                origin: (*name).to_owned(),
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Why there is no such proxy.
fn unusable(value: &str) -> Option<String> {
    // One without a scheme is http.
    let text = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    match Url::parse(&text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Some(format!(
            "proxies of the kind `{}` are not supported, only http and https",
            url.scheme()
        )),
        Ok(_) => None,
        Err(error) => Some(format!("it is no address of a proxy: {error}")),
    }
}

/// Whether an entry of `NO_PROXY` covers a host: `*`, a domain with all below it, an address, a network; each
/// may have a port.
fn covers(entry: &str, host: &str, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    let (name, wanted) = split_port(entry);
    if wanted.is_some() && wanted != port {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_within(address, name);
    }
    let name = name.strip_prefix("*.").unwrap_or(name);
    let name = name.trim_start_matches('.').trim_end_matches('.');
    let rest = host.trim_end_matches('.').strip_suffix(name);
    !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `[::1]:5000`, `host:5000`; an IPv6 address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let (host, port) = match entry.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match entry.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (entry, None),
        },
    };
    (host, port.and_then(|port| port.parse().ok()))
}

fn is_within(address: IpAddr, network: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Some(length)) = (base.parse::<IpAddr>(), length) else {
        return false;
    };
    let (one, other, bits) = match (address, base) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let differs: u128 = one ^ other;
    differs.checked_shr(bits - length.min(bits)).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_needs_no_proxy() {
        for (entry, yes, no) in [
            ("a.example", "https://b.a.example/", "https://ba.example/"),
            (
                ".a.example:5000",
                "https://a.example:5000/",
                "https://a.example/",
            ),
            (
                "*.a.example:443",
                "https://x.a.example/",
                "http://x.a.example/",
            ),
            ("10.1.0.0/16", "http://10.1.2.3/", "http://10.2.2.3/"),
            ("10.1.2.3:80", "http://10.1.2.3/", "http://10.1.2.3:81/"),
            (
                "[fd00::1]:5000",
                "http://[fd00::1]:5000/",
                "http://[fd00::1]/",
            ),
            ("fd00::/8", "http://[fd12::1]/", "http://[fe80::1]/"),
            ("x, A.example", "http://a.example:1/", "http://y/"),
        ] {
            let proxies = read(&[("NO_PROXY", entry)]);
            assert!(proxies.bypassed(&yes.parse().unwrap()), "{entry} {yes}");
            assert!(!proxies.bypassed(&no.parse().unwrap()), "{entry} {no}");
        }
        assert!(read(&[("no_proxy", "*")]).bypassed(&"http://x/".parse().unwrap()));
        assert!(!read(&[]).bypassed(&"http://x/".parse().unwrap()));
    }

    #[test]
    fn what_is_no_proxy_is_named_without_its_password() {
        let shown = |variables: &[(&str, &str)], scheme| {
            let error = read(variables).check(scheme).err();
            error.map(|error| error.to_string()).unwrap_or_default()
        };
        let socks = [("ALL_PROXY", "socks5h://me:secret@p:1")];
        assert!(shown(&socks, "https").starts_with("ALL_PROXY: proxies of the kind `socks5h`"));
        let port = shown(&[("https_proxy", "me:secret@p:99999")], "https");
        assert!(port.starts_with("https_proxy: it is no address") && !port.contains("secret"));
        // What is for another scheme does not matter, nor what another variable overrides.
        assert_eq!(shown(&[("https_proxy", "http://")], "http"), "");
        assert_eq!(shown(&[socks[0], ("HTTPS_PROXY", "p:3128")], "https"), "");
        assert!(!format!("{:?}", read(&socks)).contains("secret"));
    }
}
