//! Sockets that wait, in a guest's network namespace.
//!
//! Source: `proc(5)`, "/proc/net/tcp": 0A is `TCP_LISTEN`, 07 the state of an unconnected UDP
//! socket; addresses are in the machine's byte order, in words of 32 bits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Evidence;
use super::observed::Observed;
use super::view::View;
use crate::check::port;

/// Looks for a port.
pub(super) fn look(view: &View<'_>, text: &str) -> Observed {
    let (tables, number) = port(text).unwrap_or_default();
    let mut addresses: Vec<String> = Vec::new();
    for table in tables {
        let all = waiting(view, table);
        let here = all.iter().filter(|it| it.port() == number);
        addresses.extend(here.map(|it| it.ip().to_string()));
    }
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        let evidence = vec![listening(view)];
        return Observed {
            evidence,
            ..Observed::new("listening", false, "nothing listens")
        };
    }
    let summary = format!("listening on {}", addresses.join(", "));
    Observed::new("listening", true, summary).with("ip", addresses)
}

/// Everything that waits, for who wants to know what does instead.
pub(super) fn listening(view: &View<'_>) -> Evidence {
    let mut lines = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let all = waiting(view, table);
        let protocol = table.trim_end_matches('6');
        lines.extend(all.iter().map(|it| format!("{protocol} {it}")));
    }
    lines.sort();
    lines.dedup();
    if lines.is_empty() {
        lines.push("nothing".into());
    }
    Evidence {
        title: "listening".into(),
        lines,
    }
}

/// The addresses of a table where something waits.
fn waiting(view: &View<'_>, table: &str) -> Vec<SocketAddr> {
    let state = if table.starts_with("tcp") { "0A" } else { "07" };
    let text = view.kernel(&format!("net/{table}"));
    let lines = text.lines();
    lines.filter_map(|line| waits(line, state)).collect()
}

fn waits(line: &str, wanted: &str) -> Option<SocketAddr> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    if state != wanted {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let word = |place: usize| u32::from_str_radix(address.get(place * 8..place * 8 + 8)?, 16).ok();
    let ip = if address.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes()))
    } else {
        let mut bytes = [0; 16];
        for (place, chunk) in bytes.chunks_mut(4).enumerate() {
            chunk.copy_from_slice(&word(place)?.to_ne_bytes());
        }
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn sockets_that_wait() {
        let is = |line: &str, state: &str| waits(line, state).map(|it| it.to_string());
        let line = "   0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 1";
        assert_eq!(is(line, "0A").unwrap(), "127.0.0.1:53");
        assert_eq!(is(line, "07"), None);
        let line =
            "  1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0";
        assert_eq!(is(line, "0A").unwrap(), "[::1]:22");
        let line = "   0: 0100007F:0035 0100007F:1234 01 00000000:00000000 00:00000000 0 0 0 1";
        assert_eq!(is(line, "0A"), None);
        assert_eq!(is("  sl  local_address rem_address   st", "0A"), None);
    }
}
