//! Values of options, as docker writes them.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::lifecycle::config::{Port, Restart};

/// A number of bytes: `512`, `64k`, `1.5GB`, in powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = lower[digits.len()..]
        .trim_end_matches("ib")
        .trim_end_matches('b');
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(format!("{text:?} is no size, such as 512m or 2g")),
    };
    match digits.trim().parse::<f64>() {
        Ok(number) if number >= 0.0 => Ok((number * 1024f64.powi(power)) as u64),
        _ => Err(format!("{text:?} is no size, such as 512m or 2g")),
    }
}

/// A span of time as Go writes it: `1m30s`, `500ms`, `1.5h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no span of time, such as 1m30s or 500ms");
    let mut rest = text;
    let mut total = 0.0;
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(end.ok_or_else(wrong)?);
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * scale;
        rest = tail;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

/// `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`, each port one or a range. A host port of 0 stands for
/// any free one, and a range of them before a single port for the first one that is free.
pub(crate) fn ports(text: &str) -> Result<Vec<Port>, String> {
    let wrong = || format!("invalid port specification: {text:?}");
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !matches!(protocol, "tcp" | "udp") {
        return Err(format!(
            "invalid protocol {protocol:?} in {text:?}: tcp or udp"
        ));
    }
    let (rest, container) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (address, host) = match rest.rsplit_once(':') {
        Some((address, host)) => (address, host),
        None if rest.contains('.') => (rest, ""),
        None => ("", rest),
    };
    let address: IpAddr = match address.trim_matches(['[', ']']) {
        "" => [0, 0, 0, 0].into(),
        text => text.parse().map_err(|_| wrong())?,
    };
    let range = |text: &str| -> Result<(u16, u16), String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (
            first.parse().map_err(|_| wrong())?,
            last.parse().map_err(|_| wrong())?,
        );
        if first > last {
            Err(wrong())
        } else {
            Ok((first, last))
        }
    };
    let inner = range(container)?;
    let outer = if host.is_empty() {
        (0, 0)
    } else {
        range(host)?
    };
    let any = outer == (0, 0);
    let choice = inner.0 == inner.1 && outer.0 < outer.1;
    let pairs = choice || any || outer.1 - outer.0 == inner.1 - inner.0;
    if inner.0 == 0 || outer.0 == 0 && !any || !pairs {
        return Err(wrong());
    }
    let port = |container| Port {
        address,
        host: if any {
            0
        } else {
            outer.0 + (container - inner.0)
        },
        last: if choice { outer.1 } else { 0 },
        container,
        protocol: protocol.to_owned(),
    };
    Ok((inner.0..=inner.1).map(port).collect())
}

/// `no`, `always`, `unless-stopped`, `on-failure[:N]`.
pub(crate) fn restart(text: &str) -> Result<Restart, String> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("no" | "", "") => Ok(Restart::No),
        ("always" | "unless-stopped", "") => Ok(Restart::Always),
        ("on-failure", "") => Ok(Restart::OnFailure(None)),
        ("on-failure", count) if count.parse::<u32>().is_ok() => {
            Ok(Restart::OnFailure(count.parse().ok()))
        }
        _ => Err(format!("invalid restart policy {text:?}")),
    }
}

/// The names of signals and their numbers. Source: `signal(7)`.
const SIGNALS: [(&str, i32); 31] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// A signal by name, with or without `SIG`, or number.
pub(crate) fn signal(text: &str) -> Result<i32, String> {
    let wrong = || format!("invalid signal: {text}");
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=libc::SIGRTMAX()).contains(&number) {
            Ok(number)
        } else {
            Err(wrong())
        };
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(rest) = name.strip_prefix("RTMIN") {
        let offset: i32 = match rest.strip_prefix('+') {
            Some(offset) => offset.parse().map_err(|_| wrong())?,
            None if rest.is_empty() => 0,
            None => return Err(wrong()),
        };
        return Ok(libc::SIGRTMIN() + offset);
    }
    SIGNALS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
        .ok_or_else(wrong)
}

/// Limits of processes by docker's names.
const LIMITS: [&str; 15] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "sigpending",
    "stack",
];

/// `nofile=1024[:2048]`: the name in upper case, the soft and the hard limit.
pub(crate) fn ulimit(text: &str) -> Result<(String, u64, u64), String> {
    let wrong = || format!("invalid ulimit {text:?}: such as nofile=1024:2048");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    if !LIMITS.contains(&name) {
        return Err(wrong());
    }
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        text => text.parse().map_err(|_| wrong()),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        return Err(format!(
            "ulimit {text:?}: the soft limit is above the hard one"
        ));
    }
    Ok((name.to_uppercase(), soft, hard))
}

/// The lines of a file of variables: `NAME=VALUE`, or `NAME` alone for the caller's value.
pub(crate) fn lines(path: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("open {}: {error}", path.display()))?;
    let wanted = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let mut all = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for line in text.lines().map(str::trim_start).filter(wanted) {
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!(
                "{}: variable {name:?} is empty or contains whitespace",
                path.display()
            ));
        }
        all.push(line.to_owned());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(bytes("64k"), Ok(65536));
        assert_eq!(bytes("1.5GB"), Ok(1_610_612_736));
        assert_eq!(bytes("2MiB"), Ok(2 << 20));
        assert!(bytes("x").is_err() && bytes("1x").is_err() && bytes("").is_err());
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("5").is_err() && duration("").is_err() && duration("s").is_err());
    }

    #[test]
    fn published_ports() {
        let shown = |text: &str| -> Vec<String> {
            ports(text)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(shown("8080:80"), ["0.0.0.0:8080->80/tcp"]);
        assert_eq!(shown("127.0.0.1:53:53/udp"), ["127.0.0.1:53->53/udp"]);
        assert_eq!(shown("[::1]:8080:80"), ["[::1]:8080->80/tcp"]);
        assert_eq!(shown("80"), ["0.0.0.0:->80/tcp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1:->80/tcp"]);
        assert_eq!(shown("8000-8002:80"), ["0.0.0.0:8000-8002->80/tcp"]);
        assert_eq!(
            shown("8000-8001:80-81"),
            ["0.0.0.0:8000->80/tcp", "0.0.0.0:8001->81/tcp"]
        );
        for bad in [
            "",
            "x",
            "1:2:3:4",
            "80/sctp",
            "70000:1",
            "2-1",
            "1-2:80-82",
            "0-2:80",
        ] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signals_limits_and_policies() {
        assert_eq!(signal("SIGTERM"), Ok(15));
        assert_eq!(signal("hup"), Ok(1));
        assert_eq!(signal("9"), Ok(9));
        assert_eq!(signal("RTMIN+3"), Ok(libc::SIGRTMIN() + 3));
        assert!(signal("NONE").is_err() && signal("0").is_err() && signal("-1").is_err());
        assert_eq!(ulimit("nofile=10:20").unwrap(), ("NOFILE".into(), 10, 20));
        assert_eq!(
            ulimit("core=-1").unwrap(),
            ("CORE".into(), u64::MAX, u64::MAX)
        );
        assert!(ulimit("nofile=20:10").is_err());
        assert!(ulimit("files=1").is_err() && ulimit("nofile").is_err());
        assert_eq!(restart("on-failure:3"), Ok(Restart::OnFailure(Some(3))));
        assert!(restart("always:3").is_err() && restart("x").is_err());
    }
}
