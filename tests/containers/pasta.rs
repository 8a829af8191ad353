//! Hosts that give no right to make a bridge, or no program: pasta is the way out.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::thread;

use rustix::process::{Signal, kill_process};

use crate::elsewhere::{Elsewhere, HOST, There};
use crate::{BOTH, supervisor};

/// A line of a shell that says what answers at an address.
fn ask(address: SocketAddr, kind: &str) -> String {
    format!(
        "perl -MIO::Socket::IP -e '$s = IO::Socket::IP->new(PeerHost => \"{}\", PeerPort => {}, \
         Type => SOCK_{kind}, Timeout => 20) or die $@; $s->send(\"x\"); alarm 20; $s->recv($x, 99); \
         print \"$x\\n\"'",
        address.ip(),
        address.port()
    )
}

/// A command that says something to everybody who connects to port 7000 of its loopback interface.
fn server(text: &str) -> [String; 3] {
    let script = format!(
        "use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', \
         LocalPort => 7000) or die; while ($c = $s->accept) {{ print $c '{text}'; close $c }}"
    );
    ["perl".into(), "-e".into(), script]
}

#[test]
fn a_root_that_may_make_no_bridge() {
    let host = Elsewhere::without_rights();
    let (near, other) = (host.answer_at(HOST), host.answer_at("198.51.100.9"));
    let other6 = host.answer_at("[fd00:86::9]");
    let script = [
        ask(near, "STREAM"),
        ask(near, "DGRAM"),
        ask(other, "STREAM"),
        ask(other6, "STREAM"),
        ask(other6, "DGRAM"),
        "getent hosts up $(hostname)".to_owned(),
        "exit 66".to_owned(),
    ]
    .join("\n");
    for way in BOTH {
        let options = [way, &["-h", "given", "--add-host=up:host-gateway"][..]].concat();
        let output = host.once(&options, &script).code(66).silent();
        let lines: Vec<String> = output
            .text()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let from = [&format!("tcp {HOST}"), &format!("udp {HOST}")];
        assert_eq!(lines[..2], [from[0].as_str(), from[1]], "{lines:?}");
        assert!(lines[2].starts_with("tcp 198.51.100."), "{lines:?}");
        assert!(lines[3].starts_with("tcp fd00:86::"), "{lines:?}");
        assert!(lines[4].starts_with("udp fd00:86::"), "{lines:?}");
        assert_eq!(
            lines[5..],
            [format!("{HOST} up"), "10.86.255.2 given".into()]
        );
        host.no_pasta_is_left();
    }
}

#[test]
fn the_hosts_loopback_interface_is_not_reached() {
    let host = Elsewhere::without_rights();
    let secret = host.answer_at("127.0.0.1");
    let there = There::start(&host, "loop", BOTH[1], &["sleep", "1000"]);
    for address in ["127.0.0.1", "10.86.255.1", "10.86.255.2"] {
        let at = SocketAddr::new(address.parse().unwrap(), secret.port());
        let script = format!("({}) 2>&1 || true", ask(at, "STREAM").replace("20)", "2)"));
        let said = there.sh(&script);
        assert!(!said.contains("tcp "), "{address}: {said}");
    }
}

#[test]
fn two_at_once_with_published_ports() {
    let host = Elsewhere::without_rights();
    let near = host.answer_at(HOST);
    let mut pairs = Vec::new();
    for (number, way) in BOTH.iter().enumerate() {
        // A port that only root may take.
        let port = 81 + u16::try_from(number).unwrap();
        let publish = format!("{port}:7000");
        let options = [way, &["-p", &publish][..]].concat();
        let (name, text) = (format!("two{number}"), format!("hello {number}"));
        let command = server(&text);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        pairs.push((There::start(&host, &name, &options, &command), port, text));
    }
    assert_eq!(host.pastas().len(), 2);
    for (there, port, text) in &pairs {
        for address in ["127.0.0.1", HOST, "::1"] {
            let at = SocketAddr::new(address.parse().unwrap(), *port);
            assert_eq!(host.hears(at), *text, "{at}");
        }
        assert_eq!(there.sh(&ask(near, "STREAM")), format!("tcp {HOST}\n"));
        let template =
            "{{range $name, $it := .NetworkSettings.Networks}}{{$name}} {{$it.IPAddress}}{{end}}";
        assert_eq!(there.inspect(template), "pasta");
        // It is none of the container's processes.
        let top = host.run(&["top", &there.1]).success();
        assert!(!top.text().contains("pasta"), "{}", top.report());
    }
    let (first, port, text) = &pairs[0];
    host.run(&["restart", "-t", "0", &first.1]).success();
    let at = SocketAddr::new("127.0.0.1".parse().unwrap(), *port);
    assert_eq!(host.hears(at), *text);
    assert_eq!(first.sh(&ask(near, "STREAM")), format!("tcp {HOST}\n"));
    // Its network can be shared.
    let option = format!("--network=container:{}", first.1);
    let guest = There::start(&host, "guest", &[&option, BOTH[1][0]], &["sleep", "1000"]);
    assert_eq!(guest.sh(&ask(near, "STREAM")), format!("tcp {HOST}\n"));
    drop(guest);
    assert_eq!(host.pastas().len(), 2);
    for (there, ..) in &pairs {
        kill_process(supervisor(&there.1), Signal::KILL).unwrap();
    }
    host.no_pasta_is_left();
}

#[test]
fn names_are_found_through_a_server_that_only_the_host_reaches() {
    let host = Elsewhere::without_rights().with_a_stub_resolver();
    let socket = host.within(|| UdpSocket::bind("127.0.0.53:53").unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&resolved(&buffer[..length]), from);
        }
    });
    for way in BOTH {
        let output = host.once(way, "getent ahostsv4 www; cat /etc/resolv.conf");
        let output = output.success().silent();
        assert!(
            output.text().starts_with("203.0.113.7 "),
            "{}",
            output.report()
        );
        assert!(
            output.text().contains("search example.test\n"),
            "{}",
            output.report()
        );
    }
    // One that is asked for is asked.
    let wrong = host.once(&["--dns=203.0.113.53", BOTH[1][0]], "cat /etc/resolv.conf");
    assert!(wrong.success().text().contains("nameserver 203.0.113.53\n"));
}

/// The answer to a question: 203.0.113.7 for `www.example.test`, nothing for any other. Source: RFC
/// 1035, section 4.
fn resolved(question: &[u8]) -> Vec<u8> {
    let known = b"\x03www\x07example\x04test\0\0\x01\0\x01";
    let end = question[12..].iter().position(|byte| *byte == 0).unwrap() + 12 + 5;
    let asked = &question[12..end];
    let mut answer = question[..2].to_vec();
    answer.extend(if asked == known {
        b"\x81\x80"
    } else {
        b"\x81\x83"
    });
    answer.extend([0, 1, 0, u8::from(asked == known), 0, 0, 0, 0]);
    answer.extend(asked);
    if asked == known {
        answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\0\x71\x07");
    }
    answer
}

#[test]
fn a_host_without_a_program_for_bridges() {
    let host = Elsewhere::without(&["nft", "iptables"]);
    let near = host.answer_at(HOST);
    let script = ask(near, "STREAM");
    for options in [&[][..], &["--network=pasta", "--privileged"]] {
        let output = host.once(&[options, BOTH[1]].concat(), &script);
        assert_eq!(output.success().text(), format!("tcp {HOST}\n"));
    }
    // Nothing half made is left to be taken for a bridge.
    let left = host.within(|| fs::read_to_string("/proc/thread-self/net/dev").unwrap());
    assert!(!left.contains("racker"), "{left}");
    let network = format!("bridged{}", std::process::id());
    host.run(&["network", "create", &network]).success();
    let option = format!("--network={network}");
    let refused = host.once(&[&option], "true");
    refused
        .code(125)
        .one_message()
        .says("neither nft nor iptables is installed")
        .says("hint: install one: apt-get install nftables")
        .says("hint: the default network does without where there is pasta");
    host.run(&["network", "rm", &network]).success();
    host.no_pasta_is_left();
}

#[test]
fn hosts_that_have_nothing() {
    let nothing: BTreeMap<&str, Elsewhere> = BTreeMap::from([
        ("no CAP_NET_ADMIN", {
            Elsewhere::without(&["pasta"]).less_rights()
        }),
        (
            "neither nft nor iptables is installed",
            Elsewhere::without(&["nft", "iptables", "pasta"]),
        ),
        ("ip is not installed", Elsewhere::without(&["ip", "pasta"])),
    ]);
    for (reason, host) in &nothing {
        let refused = host.once(&[], "true");
        refused
            .code(125)
            .one_message()
            .says("cannot make a network for containers")
            .says(reason)
            .says("apt-get install passt");
        let refused = host.once(&["--network=pasta"], "true");
        refused
            .code(125)
            .one_message()
            .says("pasta is not installed")
            .says("hint: install it: apt-get install passt");
        host.once(&["--network=none"], "true").success();
    }
    // A host without a way out of its own has none to give.
    let host = Elsewhere::without_rights();
    host.ip(&["link", "del", "outside"]);
    let refused = host.once(&[], "true");
    refused
        .code(125)
        .one_message()
        .says("pasta gives the container no way out: ")
        .says("hint: pasta needs /dev/net/tun");
    host.no_pasta_is_left();
    let refused = host.once(&["--network=pasta:--map-gw"], "true");
    refused.code(125).one_message().says("no options to pasta");
    let refused = host.run(&["network", "create", "pasta"]);
    refused.code(1).one_message().says("racker's own");
}
