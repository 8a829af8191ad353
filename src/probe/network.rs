//! Asking addresses from inside a guest's network namespace.
//!
//! The sockets are racker's own, so the image needs no tool for it. Nothing tells when a socket
//! starts to listen; what refuses a connection is asked again, at first after milliseconds.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::dns::Record;
use super::http::Client;
use super::observed::Observed;
use super::resolver::{Resolver, server};
use super::view::View;
use crate::check::{Address, Claim, Scheme};
use crate::container::on_own_thread;

/// The first pause between two tries, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(4), Duration::from_millis(100)];

/// Does `work` in the network namespace of the process `leader`.
pub(super) fn inside<T: Send>(leader: u32, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let namespace = File::open(format!("/proc/{leader}/ns/net"))?;
    // The thread ends with the work, and what it starts is inside too.
    on_own_thread(|| {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind)?;
        Ok(work())
    })
}

/// Tries until something comes of it or time runs out; then what was said last.
pub(super) fn until<T, E>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut pause = PAUSES[0];
    loop {
        let reason = match attempt() {
            Ok(answer) => return Ok(answer),
            Err(reason) => reason,
        };
        // A try without any time would only hide what was wrong before.
        let left = deadline.saturating_duration_since(Instant::now());
        if left <= pause {
            return Err(reason);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// Waits until the address answers as it should; what it answered, or the last reason why not.
pub(super) fn reach(
    view: &View<'_>,
    address: &Address,
    deadline: Instant,
) -> io::Result<Result<String, String>> {
    let resolver = Resolver::of(view);
    inside(view.leader, || {
        // Whether it answers is asked, not who it is: a fresh installation's certificate is its own.
        let client = Client::unchecked(resolver.clone())?;
        until(deadline, || {
            connect(&resolver, &address.host, address.port, deadline)?;
            match address.scheme {
                Scheme::Tcp => Ok("takes connections".into()),
                Scheme::Http | Scheme::Https => client.answers(&address.url, deadline),
            }
        })
    })
}

/// Looks whether something takes connections at `tcp://HOST:PORT` or `HOST:PORT`.
pub(super) fn addr(view: &View<'_>, claim: &Claim, deadline: Instant) -> io::Result<Observed> {
    let subject = claim.subject();
    let url = if subject.contains("://") {
        subject.to_owned()
    } else {
        format!("tcp://{subject}")
    };
    let resolver = Resolver::of(view);
    let reached = inside(view.leader, || {
        let address: Address = url.parse().map_err(|error| format!("{error}"))?;
        connect(&resolver, &address.host, address.port, deadline)
    })?;
    Ok(match reached {
        Ok(()) => Observed::new("reachable", true, "takes connections"),
        Err(reason) => Observed::new("reachable", false, reason),
    })
}

/// Looks a name up. `TYPE:NAME` asks for records of that type.
pub(super) fn dns(view: &View<'_>, claim: &Claim, deadline: Instant) -> io::Result<Observed> {
    let subject = claim.subject();
    let (record, name) = match subject.split_once(':') {
        Some((word, name)) if Record::of(word).is_some() => (Record::of(word), name),
        _ => (None, subject),
    };
    let resolver = match claim.text("server").map(server) {
        None => Resolver::of(view),
        Some(Some(server)) => Resolver::asking(server),
        Some(None) => {
            let reason = "`server` is no address of a name server";
            return Ok(Observed::new("resolvable", false, reason));
        }
    };
    let found = inside(view.leader, || match record {
        Some(record) => resolver.records(name, record, deadline),
        None => resolver
            .addresses(name, deadline)
            .map(|all| all.iter().map(ToString::to_string).collect()),
    })?;
    Ok(match found {
        Ok(records) if records.is_empty() => {
            Observed::new("resolvable", false, "has no such record")
        }
        Ok(records) => {
            let summary = format!("resolves to {}", records.join(", "));
            Observed::new("resolvable", true, summary).with("addrs", records)
        }
        Err(reason) => Observed::new("resolvable", false, reason),
    })
}

/// Connects to the first of the host's addresses that takes it.
fn connect(resolver: &Resolver, host: &str, port: u16, deadline: Instant) -> Result<(), String> {
    let mut reason = format!("{host} has no address");
    for ip in resolver.addresses(host, deadline)? {
        let one = SocketAddr::new(ip, port);
        let left = deadline.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(&one, left.max(PAUSES[0])) {
            Ok(_) => return Ok(()),
            Err(error) => reason = format!("{one}: {}", plain(&error)),
        }
    }
    Err(reason)
}

/// An error of the system in words.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let short = text.split(" (os error").next().unwrap_or_default();
    short.to_lowercase()
}
