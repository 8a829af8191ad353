//! Whether what a claim names can be looked at.

use super::{Address, Claim, Kind, Scheme, concrete_unit};

/// Whether a claim names something that can be looked at.
pub(super) fn subject(claim: &Claim) -> Result<(), String> {
    let subject = claim.subject();
    match claim.kind {
        Kind::File | Kind::Mount if !subject.starts_with('/') => {
            Err(format!("`{subject}` is no absolute path"))
        }
        Kind::Port => match port(subject) {
            Some(_) => Ok(()),
            None => Err(format!(
                "`{subject}` is no port: expected such as `80` or `udp:53`"
            )),
        },
        Kind::Addr => {
            let scheme = subject.starts_with("tcp://") || subject.starts_with("udp://");
            let address = if scheme {
                subject.replacen("udp://", "tcp://", 1)
            } else {
                format!("tcp://{subject}")
            };
            match address.parse::<Address>() {
                Ok(_) if !subject.starts_with("udp://") => Ok(()),
                Ok(_) => Err(format!(
                    "`{subject}`: whether UDP is answered cannot be seen"
                )),
                Err(error) => Err(error.to_string()),
            }
        }
        Kind::Http => match subject.parse::<Address>() {
            Ok(address) if address.scheme == Scheme::Tcp => {
                Err(format!("`{subject}` is no http or https URL"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        Kind::Service => concrete_unit(subject).map(drop),
        _ if subject.is_empty() => Err(format!("a {} without a name", claim.kind.word())),
        _ => Ok(()),
    }
}

/// A port as the tables of sockets where it may stand, and its number. Without a protocol it is
/// one of TCP, over IPv4 or IPv6.
pub(crate) fn port(text: &str) -> Option<(Vec<&'static str>, u16)> {
    let (tables, number) = match text.split_once(':') {
        None => (vec!["tcp", "tcp6"], text),
        Some(("tcp", number)) => (vec!["tcp"], number),
        Some(("tcp6", number)) => (vec!["tcp6"], number),
        Some(("udp", number)) => (vec!["udp"], number),
        Some(("udp6", number)) => (vec!["udp6"], number),
        Some(_) => return None,
    };
    Some((tables, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(port("80"), Some((vec!["tcp", "tcp6"], 80)));
        assert_eq!(port("udp6:53"), Some((vec!["udp6"], 53)));
        assert_eq!(port("tcp:x"), None);
        assert_eq!(port("70000"), None);
    }
}
