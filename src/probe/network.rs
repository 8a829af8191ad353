//! Asking an address from inside a guest's network namespace.
//!
//! The sockets are racker's own, so the image needs no tool for it. Nothing tells when a socket
//! starts to listen; what refuses a connection is asked again, at first after milliseconds.

use std::fs::File;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::check::{Address, Scheme};
use crate::container::on_own_thread;
use crate::oci::innermost;

/// The first pause between two tries, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(4), Duration::from_millis(100)];

/// Waits until the address answers as it should; what it answered, or the last reason why not.
///
/// `leader` is the pid of the guest's first process.
pub(super) fn reach(
    leader: u32,
    address: &Address,
    deadline: Instant,
) -> io::Result<Result<String, String>> {
    let namespace = File::open(format!("/proc/{leader}/ns/net"))?;
    // The thread ends with the check, and what it starts is inside too.
    on_own_thread(|| {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind)?;
        Ok(until(address, deadline))
    })
}

fn until(address: &Address, deadline: Instant) -> Result<String, String> {
    let mut pause = PAUSES[0];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let reason = match attempt(address, left.max(PAUSES[0])) {
            Ok(answer) => return Ok(answer),
            Err(reason) => reason,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(reason);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSES[1]);
    }
}

fn attempt(address: &Address, left: Duration) -> Result<String, String> {
    connect(address, left)?;
    if address.scheme == Scheme::Tcp {
        return Ok("takes connections".into());
    }
    let client = reqwest::blocking::Client::builder()
        .timeout(left)
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client
        .get(&address.url)
        .send()
        .map_err(|error| innermost(&error))?;
    let status = answer.status();
    if status.is_server_error() {
        return Err(format!("answers {status}"));
    }
    Ok(format!("answers {status}"))
}

/// Connects to the first of the host's addresses that takes it.
fn connect(address: &Address, left: Duration) -> Result<(), String> {
    let all = (address.host.as_str(), address.port).to_socket_addrs();
    let mut reason = format!("{} has no address", address.host);
    for one in all.map_err(|error| format!("{}: {error}", address.host))? {
        match TcpStream::connect_timeout(&one, left) {
            Ok(_) => return Ok(()),
            Err(error) => reason = format!("{one}: {}", plain(&error)),
        }
    }
    Err(reason)
}

fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let short = text.split(" (os error").next().unwrap_or_default();
    short.to_lowercase()
}
