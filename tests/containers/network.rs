//! Networks, ports, names.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::support::{execute, shared, tool, wait_for};
use crate::{BOTH, Container, LONG};

#[test]
fn published_ports_lead_in() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let publish = format!("{free}:7000");
    let server = "use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 5, LocalAddr => \
                  '127.0.0.1', LocalPort => 7000) or die; while ($c = $s->accept) { print $c 'hello'; close $c; }";
    for (number, way) in BOTH.iter().enumerate() {
        let options = [way, &["-p", &publish][..]].concat();
        let container =
            Container::start(&format!("port{number}"), &options, &["perl", "-e", server]);
        let answer = wait_for(LONG, "an answer", || {
            let mut stream = TcpStream::connect(("127.0.0.1", free)).ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            (!text.is_empty()).then_some(text)
        });
        assert_eq!(answer, "hello");
        let output = container.run(&["port"], &[]).success();
        assert_eq!(output.text(), format!("7000/tcp -> 0.0.0.0:{free}\n"));
        let taken = [
            "run",
            "--rm",
            "--systemd=false",
            "-p",
            &publish,
            "quickstart",
            "true",
        ];
        shared()
            .run(&taken)
            .code(125)
            .says("port is already allocated");
    }
    TcpListener::bind(("127.0.0.1", free)).unwrap();
    let echo = "use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => 7000) \
                or die; while (1) { $s->recv($x, 99); $s->send(uc $x); }";
    let publish = format!("127.0.0.1:{free}:7000/udp");
    let _container = Container::start(
        "udp",
        &["--systemd=false", "-p", &publish],
        &["perl", "-e", echo],
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let answer = wait_for(LONG, "an answer", || {
        socket.send_to(b"datagram", ("127.0.0.1", free)).ok()?;
        let mut buffer = [0; 99];
        let length = socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    });
    assert_eq!(answer, b"DATAGRAM");
}

#[test]
fn of_a_range_of_ports_the_first_free_one_is_taken() {
    // Two ports side by side, of which the first is taken.
    let (held, first) = wait_for(LONG, "two free ports", || {
        let held = TcpListener::bind("0.0.0.0:0").unwrap();
        let first = held.local_addr().unwrap().port();
        let next = first.checked_add(1)?;
        TcpListener::bind(("0.0.0.0", next))
            .is_ok()
            .then_some((held, first))
    });
    let second = first + 1;
    let range = format!("{first}-{second}:80");
    let options = ["--systemd=false", "-p", &range, "-p", "81"];
    let container = Container::start("range", &options, &["sleep", "1000"]);
    let shown = container.run(&["port"], &["80"]).success().into_text();
    assert_eq!(shown, format!("0.0.0.0:{second}\n"));
    // One that nobody named is free, and shown as what it is.
    let shown = container.run(&["port"], &["81"]).success().into_text();
    let any: u16 = shown
        .trim()
        .strip_prefix("0.0.0.0:")
        .unwrap()
        .parse()
        .unwrap();
    TcpStream::connect(("127.0.0.1", any)).unwrap();
    let asked = "{{(index (index .HostConfig.PortBindings \"80/tcp\") 0).HostPort}}";
    assert_eq!(container.inspect(asked), format!("{first}-{second}"));
    let got = "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}";
    assert_eq!(container.inspect(got), second.to_string());
    let none = [
        "run",
        "--rm",
        "--systemd=false",
        "-p",
        &range,
        "quickstart",
        "true",
    ];
    shared()
        .run(&none)
        .code(125)
        .says("port is already allocated");
    // Which one it is, is decided at every start.
    drop(held);
    container.run(&["restart", "-t", "0"], &[]).success();
    let shown = container.run(&["port"], &["80"]).success().into_text();
    assert_eq!(shown, format!("0.0.0.0:{first}\n"));
    container.run(&["stop", "-t", "0"], &[]).success();
    container
        .run(&["port"], &["80"])
        .code(1)
        .says("no public port");
}

#[test]
fn containers_of_a_network_find_each_other() {
    let racker = shared();
    for own in ["private", "bridge", "host", "none"] {
        shared()
            .run(&["network", "rm", own])
            .code(1)
            .says("racker's own");
    }
    let network = format!("net{}", std::process::id());
    racker.run(&["network", "create", &network]).success();
    racker
        .run(&["network", "create", &network])
        .code(1)
        .says("already exists");
    let option = format!("--network={network}");
    {
        let first = Container::start("first", &[&option, "--systemd=false"], &["sleep", "1000"]);
        let second = Container::start("second", &[&option], &["sleep", "1000"]);
        let address = first.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
        let found = second.sh(&format!("getent hosts {}", first.name));
        assert!(found.starts_with(&address), "{found}");
        // The one that was there before learns of the later one.
        first.sh(&format!("getent hosts {}", second.name));
        let talk = format!(
            "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"{}:7\"); print $!'",
            second.name
        );
        assert_eq!(first.sh(&talk), "Connection refused");
        // Its network can be shared.
        let option = format!("--network=container:{}", first.name);
        let guest = Container::start(
            "guest-of",
            &[&option, "--systemd=false"],
            &["sleep", "1000"],
        );
        assert!(guest.sh("cat /proc/net/fib_trie").contains(&address));
        racker
            .run(&["network", "rm", &network])
            .code(1)
            .says("in use");
    }
    racker.run(&["network", "rm", &network]).success();
    let gone = ["run", "--rm", &option, "quickstart", "true"];
    racker.run(&gone).code(125).says("not found");
}

#[test]
fn a_way_out() {
    // What listens on the host's side of the network stands for the world.
    let container = Container::start("out", BOTH[1], &["sleep", "1000"]);
    let gateway = container.sh("awk '$2 == \"00000000\" { print $3 }' /proc/net/route");
    let number = u32::from_str_radix(gateway.trim(), 16).unwrap();
    let gateway = std::net::Ipv4Addr::from(number.swap_bytes());
    let listener = TcpListener::bind((gateway, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"{gateway}:{port}\") or die $!; print $s \"hi\"'"
    );
    let sent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    container.sh(&script);
    assert_eq!(sent.join().unwrap(), "hi");
    // And it is masked on its way further.
    let rules = if Path::new("/usr/sbin/nft").exists() {
        execute(std::process::Command::new("/usr/sbin/nft").args(["list", "ruleset"]))
    } else {
        execute(
            std::process::Command::new(tool("iptables-save", "iptables"))
                .arg("-t")
                .arg("nat"),
        )
    };
    assert!(
        String::from_utf8_lossy(&rules)
            .to_lowercase()
            .contains("masquerade")
    );
}

#[test]
fn hosts_and_name_servers() {
    for way in BOTH {
        let options = [
            "run",
            "--rm",
            "-h",
            "given",
            "--add-host",
            "other:192.0.2.7",
            "--dns",
            "192.0.2.53",
            "--dns-search",
            "example.test",
        ];
        let script = "hostname; getent hosts other given; cat /etc/resolv.conf";
        let output =
            shared().run(&[&options[..], way, &["quickstart", "sh", "-ec", script]].concat());
        let text = output.success().into_text();
        for line in ["given", "nameserver 192.0.2.53", "search example.test"] {
            assert!(text.lines().any(|it| it == line), "{text}");
        }
        assert!(text.contains("192.0.2.7"), "{text}");
    }
}

#[test]
fn the_host_is_found_from_every_network() {
    let racker = shared();
    let network = format!("up{}", std::process::id());
    racker.run(&["network", "create", &network]).success();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let call = format!(
        "use IO::Socket::INET; $s = IO::Socket::INET->new('up:{port}') or die $@; \
         print $s->peerhost"
    );
    for name in ["private", &network, "host"] {
        let gateway = if name == "host" {
            "127.0.0.1".to_owned()
        } else {
            // Made by whoever uses it first.
            let once = ["run", "--rm", "--systemd=false", "--network", name];
            racker
                .run(&[&once[..], &["quickstart", "true"]].concat())
                .success();
            let shown = racker.run(&["network", "inspect", name]).success().json();
            shown[0]["Gateway"].as_str().unwrap().to_owned()
        };
        let option = format!("--network={name}");
        let options = ["run", "--rm", "--add-host", "up:host-gateway", &option];
        let command = ["--systemd=false", "quickstart", "perl", "-e", &call];
        let output = racker.run(&[&options[..], &command].concat()).success();
        assert_eq!(output.text(), gateway, "{name}");
    }
    racker.run(&["network", "rm", &network]).success();
    let none = [
        "run",
        "--network=none",
        "--add-host=up:host-gateway",
        "quickstart",
    ];
    racker
        .run(&none)
        .code(125)
        .one_message()
        .says("no host-gateway");
}
