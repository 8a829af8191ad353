//! What is gathered where a check does not hold.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::Evidence;
use crate::container::users::User;
use crate::container::{Guest, Process};

/// Lines of a journal that are shown.
const LINES: &str = "20";

/// How long the guest may take to show its journal.
const PATIENCE: Duration = Duration::from_secs(10);

/// A command as root with the standard environment.
pub(super) fn command(argv: &[&str]) -> Process {
    Process {
        argv: argv.iter().map(|&it| it.to_owned()).collect(),
        env: vec![
            ("LC_ALL".into(), "C.UTF-8".into()),
            ("TERM".into(), "dumb".into()),
        ],
        user: User::default(),
        directory: "/".into(),
        capabilities: None,
        limits: Vec::new(),
    }
}

/// The last lines that a unit wrote, or that were written about it.
pub(super) fn journal(guest: &mut Guest<'_>, unit: &str, name: &str) -> Option<Evidence> {
    let argv = [
        "journalctl",
        "--no-pager",
        "--output=cat",
        "--lines",
        LINES,
        "--unit",
        unit,
    ];
    let captured = guest
        .capture(name, &command(&argv), Instant::now() + PATIENCE)
        .ok()?;
    let lines = lines(&captured.output);
    (!lines.is_empty()).then(|| Evidence {
        title: format!("journal of {unit}"),
        lines,
    })
}

/// Output as lines without control characters.
pub(super) fn lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    text.lines()
        .map(|line| {
            line.chars()
                .filter(|it| !it.is_control() || *it == '\t')
                .collect()
        })
        .collect()
}

/// What listens for TCP connections in the guest.
pub(super) fn listening(leader: u32) -> Evidence {
    let mut lines = Vec::new();
    for file in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{leader}/net/{file}"));
        lines.extend(text.unwrap_or_default().lines().filter_map(listener));
    }
    lines.sort();
    if lines.is_empty() {
        lines.push("nothing".into());
    }
    Evidence {
        title: "listening for TCP connections".into(),
        lines,
    }
}

/// A line of `/proc/PID/net/tcp` as an address, if it is of a listening socket. Source: `proc(5)`;
/// 0A is `TCP_LISTEN`, addresses are in the machine's byte order, in words of 32 bits.
fn listener(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    if state != "0A" {
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
    Some(std::net::SocketAddr::new(ip, port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn sockets_that_listen() {
        let line = "   0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 1";
        assert_eq!(listener(line).unwrap(), "127.0.0.1:53");
        let line =
            "  1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0";
        assert_eq!(listener(line).unwrap(), "[::1]:22");
        let line = "   0: 0100007F:0035 0100007F:1234 01 00000000:00000000 00:00000000 0 0 0 1";
        assert_eq!(listener(line), None);
        assert_eq!(listener("  sl  local_address rem_address   st"), None);
    }
}
