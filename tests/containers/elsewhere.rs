//! Another host in this one's place: a network namespace of its own, with a cable that leads nowhere
//! and a default route through it. racker runs there without rights or programs that it usually has.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::LONG;
use crate::support::{Output, Racker, execute, shared, temporary, tool, wait_for};

/// The host's address. Another one of it is 198.51.100.9, and of version 6 fd00:86::9.
pub(crate) const HOST: &str = "198.51.100.2";

/// What makes the host's network.
const NETWORK: &str = "link set lo up
link add outside type veth peer name beyond
addr add 198.51.100.2/24 dev outside
addr add 198.51.100.9/24 dev outside
addr add fd00:86::2/64 dev outside nodad
addr add fd00:86::9/128 dev lo nodad
link set outside up
link set beyond up
route add default via 198.51.100.1
route add default via fd00:86::1 dev outside
";

/// Another host, in this one's place.
pub(crate) struct Elsewhere {
    holder: Child,
    racker: Racker,
    /// What racker is started with.
    prefix: Vec<String>,
    place: TempDir,
}

impl Elsewhere {
    /// With root's every right, and all programs but these.
    pub(crate) fn without(programs: &[&str]) -> Self {
        let mut command = Command::new(tool("unshare", "util-linux"));
        command.args(["--net", "sh", "-c", "echo; exec sleep 10000"]);
        let mut holder = command.stdout(Stdio::piped()).spawn().unwrap();
        holder
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0])
            .unwrap();
        let place = temporary();
        let (bin, lines) = (place.path().join("bin"), place.path().join("network"));
        fs::create_dir(&bin).unwrap();
        for directory in ["/usr/bin", "/usr/sbin"] {
            for name in crate::support::names(directory.as_ref()) {
                if !programs.contains(&name.as_str()) {
                    let _ = symlink(format!("{directory}/{name}"), bin.join(name));
                }
            }
        }
        fs::write(&lines, NETWORK).unwrap();
        let enter = format!("--net=/proc/{}/ns/net", holder.id());
        let all = Self {
            holder,
            racker: shared().clone().env("PATH", &bin),
            prefix: vec!["nsenter".into(), enter],
            place,
        };
        all.ip(&["-batch", lines.to_str().unwrap()]);
        all
    }

    pub(crate) fn ip(&self, arguments: &[&str]) {
        let mut command = Command::new(tool(&self.prefix[0], "util-linux"));
        execute(command.args([&self.prefix[1], "ip"]).args(arguments));
    }

    /// Where racker may not make interfaces.
    pub(crate) fn without_rights() -> Self {
        Self::without(&[]).less_rights()
    }

    /// The same, with what programs there are.
    pub(crate) fn less_rights(mut self) -> Self {
        let less = [
            "setpriv",
            "--bounding-set=-net_admin",
            "--inh-caps=-net_admin",
        ];
        self.prefix.extend(less.map(Into::into));
        self
    }

    /// Whose only name server is at 127.0.0.53, where no systemd-resolved tells what it asks itself.
    pub(crate) fn with_a_stub_resolver(mut self) -> Self {
        let list = self.place.path().join("resolv.conf");
        fs::write(&list, "nameserver 127.0.0.53\nsearch example.test\n").unwrap();
        let script = "mount --bind \"$1\" /etc/resolv.conf
            test ! -d /run/systemd/resolve || mount -t tmpfs none /run/systemd/resolve
            shift; exec \"$@\"";
        let list = list.to_str().unwrap();
        let wrap = ["unshare", "--mount", "sh", "-ec", script, "sh", list];
        self.prefix.splice(2..2, wrap.map(Into::into));
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.racker.surround(tool(&self.prefix[0], "util-linux"));
        command.args(&self.prefix[1..]);
        command.arg(env!("CARGO_BIN_EXE_racker")).args(arguments);
        self.racker.finish(command)
    }

    /// Runs a script in a container, and takes it away.
    pub(crate) fn once(&self, options: &[&str], script: &str) -> Output {
        let tail = ["quickstart", "sh", "-c", script];
        self.run(&[&["run", "--rm"], options, &tail].concat())
    }

    /// Does something in this network.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let kind = LinkNameSpaceType::Network;
                move_into_link_name_space(network.as_fd(), Some(kind)).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Answers on a port of this network's with what the other side's address is.
    pub(crate) fn answer_at(&self, address: &str) -> SocketAddr {
        let address = address.to_owned();
        let (tcp, udp) = self.within(|| {
            let tcp = TcpListener::bind(format!("{address}:0")).unwrap();
            let udp = UdpSocket::bind(tcp.local_addr().unwrap()).unwrap();
            (tcp, udp)
        });
        let at = tcp.local_addr().unwrap();
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0]);
                let from = stream.peer_addr().unwrap().ip();
                let _ = stream.write_all(format!("tcp {from}").as_bytes());
            }
        });
        thread::spawn(move || {
            let mut buffer = [0; 99];
            while let Ok((_, from)) = udp.recv_from(&mut buffer) {
                let _ = udp.send_to(format!("udp {}", from.ip()).as_bytes(), from);
            }
        });
        at
    }

    /// What a service of a container's says at an address of this network's.
    pub(crate) fn hears(&self, address: SocketAddr) -> String {
        self.within(|| {
            wait_for(LONG, "an answer", || {
                let mut stream = TcpStream::connect(address).ok()?;
                let mut text = String::new();
                stream.read_to_string(&mut text).ok()?;
                (!text.is_empty()).then_some(text)
            })
        })
    }

    /// The pids of pastas in this network.
    pub(crate) fn pastas(&self) -> Vec<u32> {
        let of = |pid: u32| fs::metadata(format!("/proc/{pid}/ns/net")).map(|it| it.ino());
        let own = of(self.holder.id()).unwrap();
        let is_pasta = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(b"pasta\0") && of(*pid).is_ok_and(|it| it == own)
        };
        let names = crate::support::names("/proc".as_ref());
        let pids = names.iter().filter_map(|name| name.parse().ok());
        pids.filter(is_pasta).collect()
    }

    pub(crate) fn no_pasta_is_left(&self) {
        wait_for(LONG, "no pasta", || self.pastas().is_empty().then_some(()));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A container of the host's in the background, removed at the end.
pub(crate) struct There<'a>(&'a Elsewhere, pub(crate) String);

impl<'a> There<'a> {
    pub(crate) fn start(
        host: &'a Elsewhere,
        name: &str,
        options: &[&str],
        command: &[&str],
    ) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let head = ["run", "-d", "--name", &name];
        let output = host.run(&[&head, options, &["quickstart"], command].concat());
        output.success().silent();
        Self(host, name)
    }

    pub(crate) fn sh(&self, script: &str) -> String {
        let output = self.0.run(&["exec", &self.1, "sh", "-c", script]);
        output.success().into_text()
    }

    pub(crate) fn inspect(&self, template: &str) -> String {
        let output = self.0.run(&["inspect", "--format", template, &self.1]);
        output.success().into_text().trim_end().to_owned()
    }
}

impl Drop for There<'_> {
    fn drop(&mut self) {
        self.0.run(&["rm", "-f", &self.1]);
    }
}
