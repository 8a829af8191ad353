//! Names as the guest has them: its `/etc/hosts`, then the servers of its `/etc/resolv.conf`.
//!
//! The host's own name service must have no say. Everything here is to be called from inside the
//! guest's network namespace. Source: `hosts(5)`, `resolv.conf(5)`; RFC 6761 for `localhost`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::dns::{Answer, Record, answer, question};
use super::view::View;

/// How long one server is waited for before the next is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Knows names.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolver {
    hosts: String,
    servers: Vec<SocketAddr>,
}

impl Resolver {
    /// As the guest would.
    pub(super) fn of(view: &View<'_>) -> Self {
        let text = view.text("/etc/resolv.conf");
        let servers = text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next()? == "nameserver").then(|| server(words.next()?))?
        });
        Self {
            hosts: view.text("/etc/hosts"),
            servers: servers.collect(),
        }
    }

    /// Asking this server alone, and no file.
    pub(super) fn asking(server: SocketAddr) -> Self {
        Self {
            hosts: String::new(),
            servers: vec![server],
        }
    }

    /// The addresses of a name, at least one.
    pub(super) fn addresses(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let known = self.in_hosts(name);
        if !known.is_empty() {
            return Ok(known);
        }
        let local = name.trim_end_matches('.');
        if local == "localhost" || local.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let mut found = self.records(name, Record::A, deadline)?;
        found.extend(self.records(name, Record::Aaaa, deadline)?);
        let found: Vec<IpAddr> = found.iter().filter_map(|it| it.parse().ok()).collect();
        if found.is_empty() {
            return Err(format!("{name} has no address"));
        }
        Ok(found)
    }

    fn in_hosts(&self, name: &str) -> Vec<IpAddr> {
        let lines = self.hosts.lines().map(|line| line.split('#').next());
        let found = lines.filter_map(|line| {
            let mut words = line?.split_ascii_whitespace();
            let address: IpAddr = words.next()?.parse().ok()?;
            words
                .any(|it| it.eq_ignore_ascii_case(name))
                .then_some(address)
        });
        found.collect()
    }

    /// The records that the first server to answer has.
    pub(super) fn records(
        &self,
        name: &str,
        record: Record,
        deadline: Instant,
    ) -> Result<Vec<String>, String> {
        let mut reason = "there is no name server to ask".to_owned();
        for server in &self.servers {
            match ask(*server, name, record, deadline) {
                Ok(Answer::Records(records)) => return Ok(records),
                Ok(Answer::NoName) => return Err(format!("there is no name {name}")),
                Ok(Answer::Refused(code)) => {
                    reason = format!("{server} cannot tell {name} (code {code})");
                }
                Ok(Answer::Truncated) => reason = format!("{server} answers in part"),
                Err(error) => reason = format!("{server}: {}", super::network::plain(&error)),
            }
        }
        Err(reason)
    }
}

/// A server's address, with or without a port.
pub(super) fn server(text: &str) -> Option<SocketAddr> {
    let alone = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    alone.or_else(|_| text.parse()).ok()
}

fn ask(server: SocketAddr, name: &str, record: Record, deadline: Instant) -> io::Result<Answer> {
    let id = RandomState::new().build_hasher().finish() as u16;
    let asked = question(id, name, record)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no name")))?;
    let deadline = deadline.min(Instant::now() + PATIENCE);
    let local: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0))?;
    socket.connect(server)?;
    socket.send(&asked)?;
    let mut buffer = [0; 4096];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let count = match socket.recv(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        };
        match answer(&buffer[..count], id, record) {
            Some(Answer::Truncated) => return ask_whole(server, &asked, id, record, deadline),
            Some(answer) => return Ok(answer),
            None => {}
        }
    }
}

/// Asks over TCP, where every message has its length before it.
fn ask_whole(
    server: SocketAddr,
    asked: &[u8],
    id: u16,
    record: Record,
    deadline: Instant,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, left(deadline)?)?;
    stream.set_read_timeout(Some(left(deadline)?))?;
    let mut message = Vec::from((asked.len() as u16).to_be_bytes());
    message.extend(asked);
    stream.write_all(&message)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "no answer to what was asked");
    answer(&message, id, record).ok_or_else(odd)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_server() {
        let resolver = Resolver {
            hosts: "127.0.0.1 localhost\n::1 localhost # a\n10.0.0.1 A.example b #c\n".into(),
            servers: Vec::new(),
        };
        let is = |name| resolver.addresses(name, Instant::now());
        assert_eq!(
            is("a.example").unwrap(),
            ["10.0.0.1".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(is("localhost").unwrap().len(), 2);
        assert_eq!(is("x.localhost").unwrap().len(), 2);
        assert_eq!(is("::2").unwrap(), ["::2".parse::<IpAddr>().unwrap()]);
        assert!(is("c").unwrap_err().contains("no name server"));
        assert_eq!(server("1.2.3.4").unwrap().port(), 53);
        assert_eq!(server("[::1]:54").unwrap().port(), 54);
        assert_eq!(server("x"), None);
    }

    #[test]
    fn a_cut_answer_is_asked_for_again() {
        // A server of both kinds on one port: over UDP it answers in part.
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).unwrap();
        let server = std::thread::spawn(move || {
            let mut buffer = [0; 512];
            let (count, from) = udp.recv_from(&mut buffer).unwrap();
            let mut part = buffer[..count].to_vec();
            part[2] = 0x83;
            udp.send_to(&part, from).unwrap();
            let (mut stream, _) = tcp.accept().unwrap();
            let mut asked = vec![0; count + 2];
            stream.read_exact(&mut asked).unwrap();
            let mut whole = asked[2..].to_vec();
            whole[2] = 0x81;
            whole[7] = 1;
            whole.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\0\0\x09");
            stream
                .write_all(&(whole.len() as u16).to_be_bytes())
                .unwrap();
            stream.write_all(&whole).unwrap();
        });
        let deadline = Instant::now() + Duration::from_secs(20);
        let found = Resolver::asking(address).records("x.example", Record::A, deadline);
        assert_eq!(found.unwrap(), ["10.0.0.9"]);
        server.join().unwrap();
    }
}
