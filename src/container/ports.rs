//! Published ports: who connects to the host is connected to the container.
//!
//! racker itself carries the bytes: it listens on the host and connects from inside the container's
//! network, to its loopback interface. So a service is reached whatever address it listens on,
//! from 127.0.0.1 as from elsewhere, and no rule of a firewall is needed. The service sees
//! 127.0.0.1 as the other side.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::Error;

/// How long a datagram's sender is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A port of the host, held.
#[derive(Debug)]
pub struct Published {
    socket: Socket,
    port: u16,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Connections to a container; dropping it ends taking new ones.
#[derive(Debug)]
pub struct Proxy {
    over: Arc<AtomicBool>,
    addresses: Vec<(SocketAddr, bool)>,
}

impl Published {
    /// Takes the address of the host for `port` of the container.
    ///
    /// Errors: it is taken already.
    pub fn bind(address: SocketAddr, port: u16, udp: bool) -> Result<Self, Error> {
        let failed = |source: io::Error| {
            if source.kind() == io::ErrorKind::AddrInUse {
                Error::PortTaken(address)
            } else {
                Error::Io {
                    action: format!("listen on {address}"),
                    source,
                }
            }
        };
        let socket = if udp {
            Socket::Udp(UdpSocket::bind(address).map_err(failed)?)
        } else {
            Socket::Tcp(TcpListener::bind(address).map_err(failed)?)
        };
        Ok(Self { socket, port })
    }

    /// The address it has on the host.
    pub fn address(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(socket) => socket.local_addr(),
            Socket::Udp(socket) => socket.local_addr(),
        }
    }
}

impl Proxy {
    /// Begins to carry, into the network of the process `leader`.
    pub fn start(ports: &[Published], leader: u32) -> Result<Self, Error> {
        let namespace = File::open(format!("/proc/{leader}/ns/net"))
            .map_err(Error::io("open the container's network"))?;
        let namespace = Arc::new(OwnedFd::from(namespace));
        let over = Arc::new(AtomicBool::new(false));
        let mut addresses = Vec::new();
        for published in ports {
            let carry = || Error::io("carry a port");
            let (port, namespace, over) = (published.port, namespace.clone(), over.clone());
            let address = published.address().map_err(carry())?;
            match &published.socket {
                Socket::Tcp(listener) => {
                    let listener = listener.try_clone().map_err(carry())?;
                    addresses.push((address, false));
                    thread::spawn(move || accept(&listener, port, &namespace, &over));
                }
                Socket::Udp(socket) => {
                    let socket = socket.try_clone().map_err(carry())?;
                    socket
                        .set_read_timeout(Some(Duration::from_millis(500)))
                        .map_err(carry())?;
                    addresses.push((address, true));
                    thread::spawn(move || datagrams(&Arc::new(socket), port, &namespace, &over));
                }
            }
        }
        Ok(Self { over, addresses })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for (address, udp) in &self.addresses {
            if !udp {
                // Wakes the one who waits for a connection.
                let mut address = *address;
                if address.ip().is_unspecified() {
                    address.set_ip(if address.is_ipv4() {
                        Ipv4Addr::LOCALHOST.into()
                    } else {
                        Ipv6Addr::LOCALHOST.into()
                    });
                }
                let _ = TcpStream::connect_timeout(&address, Duration::from_millis(100));
            }
        }
    }
}

/// Does `work` in a network namespace, on a thread of its own.
fn inside<T: Send>(
    namespace: &OwnedFd,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    super::on_own_thread(|| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    })
}

fn accept(listener: &TcpListener, port: u16, namespace: &Arc<OwnedFd>, over: &AtomicBool) {
    while let Ok((client, _)) = listener.accept() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let namespace = namespace.clone();
        thread::spawn(move || {
            let both = [
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            ];
            let Ok(server) = inside(&namespace, || TcpStream::connect(&both[..])) else {
                return;
            };
            let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else {
                return;
            };
            let there = thread::spawn(move || carry(from, to));
            carry(server, client);
            let _ = there.join();
        });
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

fn datagrams(socket: &Arc<UdpSocket>, port: u16, namespace: &OwnedFd, over: &Arc<AtomicBool>) {
    let mut known: HashMap<SocketAddr, UdpSocket> = HashMap::new();
    let mut buffer = vec![0; 64 << 10];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, sender)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        if let Entry::Vacant(vacant) = known.entry(sender)
            && let Some(inner) = connect(socket, sender, port, namespace, over)
        {
            vacant.insert(inner);
        }
        if let Some(inner) = known.get(&sender) {
            let _ = inner.send(&buffer[..length]);
        }
    }
}

/// A socket in the container for one sender, whose answers are carried back.
fn connect(
    socket: &Arc<UdpSocket>,
    sender: SocketAddr,
    port: u16,
    namespace: &OwnedFd,
    over: &Arc<AtomicBool>,
) -> Option<UdpSocket> {
    let made = inside(namespace, || {
        let inner = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        inner.connect((Ipv4Addr::LOCALHOST, port))?;
        inner.set_read_timeout(Some(REMEMBERED))?;
        Ok(inner)
    });
    let inner = made.ok()?;
    let answers = inner.try_clone().ok()?;
    let (socket, over) = (socket.clone(), over.clone());
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let answer = answers.recv(&mut buffer);
            if over.load(Ordering::Relaxed) {
                return;
            }
            match answer {
                Ok(length) => drop(socket.send_to(&buffer[..length], sender)),
                // Nobody listens there yet.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    });
    Some(inner)
}
