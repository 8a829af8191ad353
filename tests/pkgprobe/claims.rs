//! Checks in goss's language, against the real nginx of quickstart and services of the tests' own.

use std::process::Command;

use serde_json::Value;

use super::support::deb::Deb;
use super::support::{Kitchen, Output, execute, temporary, tool};
use super::{bench, deb, message, report};

/// Probes quickstart with a goss file.
#[track_caller]
fn goss(kitchen: &Kitchen, code: i32, text: &str, more: &[&str]) -> Value {
    kitchen.write("goss.yaml", text);
    let mut arguments = vec!["--goss=goss.yaml", "--network-timeout=2"];
    arguments.extend(more);
    report(kitchen, code, &arguments)
}

/// The messages of all checks, each with what it is about.
fn messages(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let line = |it: &Value| format!("{}: {}", text(&it["check"]), text(&it["message"]));
    checks.iter().map(line).collect()
}

#[test]
fn what_holds() {
    let kitchen = bench();
    let text = r#"
file:
  /etc/nginx/nginx.conf:
    mode: "0644"
    owner: root
    group: root
    filetype: file
    contents: ["http {", "!/^ssl_/", "/^user www-data;$/"]
    size: {gt: 100}
  /var/www/html/index.html:
    contains: hello from racker
  /etc/nginx/sites-enabled/default:
    filetype: symlink
    linked-to: /etc/nginx/sites-available/default
  /run/nginx.pid: {filetype: file}
  /dev/null: {filetype: character-device, sha256: []}
  /etc/machine-id: {exists: true}
  /usr/bin: {filetype: directory}
  /none: {exists: false, mode: "0644"}
port:
  80: {ip: [0.0.0.0]}
  tcp6:80: {}
  tcp:81: {listening: false}
process:
  nginx: {running: true}
  apache2: {running: false}
  systemd-journald: {}
user:
  www-data:
    uid: 33
    gid: 33
    groups: [www-data]
    home: /var/www
    shell: {have-suffix: nologin}
  nobody-has-this: {exists: false}
group:
  www-data: {gid: 33}
command:
  list:
    exec: echo one; echo two; echo oops >&2; exit 3
    exit-status: 3
    stdout: {equal: [one, two]}
    stderr: [oops, "!one"]
mount:
  /run:
    filesystem: tmpfs
    opts: [rw, nosuid]
  /proc: {source: proc}
  /mnt: {exists: false}
dns:
  localhost: {addrs: {consist-of: ["127.0.0.1", "::1"]}}
  nothing.invalid: {resolvable: false}
package:
  nginx-light: {versions: {contain-element: {match-regexp: '^1\.'}}}
  apache2: {installed: false}
addr:
  tcp://localhost:80: {}
  127.0.0.1:81: {reachable: false}
service:
  nginx: {enabled: true, running: true}
  systemd-journald.service: {running: true}
  nothing: {running: false}
http:
  http://localhost/:
    headers: ["/^Content-Type: text/html$/", "!Location"]
    body: hello from racker
  http://[::1]/none: {status: 404}
  put:
    url: http://127.0.0.1/
    method: post
    request-body: x
    request-headers: ["Host: other.example"]
    status: {or: [405, 403]}
"#;
    let found = goss(&kitchen, 0, text, &[]);
    assert_eq!(messages(&found).len(), 33, "{found:#}");
    // The same from options and a recipe.
    let options = [
        "--check-service=nginx",
        "--check-port=80",
        "--check-process=nginx",
        "--check-http=http://localhost",
        "--check-dns=localhost",
        "--check-file=/run/nginx.pid",
        "--check-mount=/run",
        "--check-user=www-data",
        "--check-group=www-data",
        "--check-package=nginx-light",
        "--check-command=true",
    ];
    let found = report(&kitchen, 0, &options);
    let kinds: Vec<_> = found["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["kind"])
        .collect();
    let expected = "service port process http dns file mount user group package command";
    assert_eq!(kinds, expected.split(' ').collect::<Vec<_>>());
    let recipe = "from = \"./quickstart.toml\"\n[probe]\nunits = [\"nginx\"]\n\
        [probe.http.\"http://localhost\"]\nbody = [\"hello\"]\n\
        [probe.user.www-data]\nuid = 33\n[probe.file.\"/none\"]\nexists = false\n";
    kitchen.write("claims.toml", recipe);
    std::fs::copy(kitchen.path("quickstart.lock"), kitchen.path("claims.lock")).unwrap();
    let found = kitchen
        .racker
        .run(&["pkgprobe", "--image=claims.toml", "--format=json"]);
    let found = found.success().json();
    assert_eq!(messages(&found[0]).len(), 4);
    kitchen.racker.verify();
}

#[test]
fn what_does_not_hold() {
    let kitchen = bench();
    let text = r#"
file:
  /none: {mode: "0600"}
  /etc/nginx/nginx.conf: {mode: "0600", owner: www-data, contents: ["nowhere", "!http"]}
  /etc/passwd: {exists: false}
port:
  81: {}
  tcp:80: {ip: ["127.0.0.1"]}
process:
  apache2: {}
user:
  www-data: {uid: 34}
  none: {}
command:
  echo wrong >&2; exit 4: {}
  sleep 100: {timeout: 100}
  "false\nfalse": {}
mount:
  /run: {filesystem: ext4}
dns:
  nothing.invalid: {}
package:
  nginx-light: {versions: ["0"]}
service:
  nothing: {}
http:
  http://localhost/none: {}
  http://localhost/: {body: [goodbye]}
  http://localhost:81/: {}
"#;
    let found = goss(&kitchen, 3, text, &[]);
    let expected = [
        "/none: is not there",
        "/etc/nginx/nginx.conf: is there: mode `0644`, expected `0600`; owner `root`, expected \
         `www-data`; contents",
        "/etc/passwd: is there",
        "81: nothing listens",
        "tcp:80: listening on 0.0.0.0: ip [0.0.0.0], expected `127.0.0.1`",
        "apache2: does not run",
        "www-data: is a user: uid `33`, expected `34`",
        "none: is no user",
        "echo wrong >&2; exit 4: ends with 4: expected `0`",
        "sleep 100: not done within 0.1 s",
        "false false: ends with 1: expected `0`",
        "/run: is mounted, tmpfs: filesystem `tmpfs`, expected `ext4`",
        "nothing.invalid: there is no name server to ask",
        "nginx-light: is installed, 1.",
        "nothing: there is no such unit",
        "http://localhost/none: answers 404 Not Found: expected `200`",
        "http://localhost/: answers 200 OK: body",
        "http://localhost:81/: ",
    ];
    let messages = messages(&found);
    assert_eq!(messages.len(), expected.len());
    for (message, expected) in messages.iter().zip(expected) {
        assert!(
            message.starts_with(expected),
            "{message:?}, expected {expected:?}"
        );
    }
    assert!(
        found["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["ok"] == false)
    );
    let evidence = found["checks"].to_string();
    for expected in ["wrong", "hello from racker", "tcp 0.0.0.0:80"] {
        assert!(evidence.contains(expected), "{expected}: {found:#}");
    }
}

#[test]
fn mistakes_in_a_goss_file_point_into_it() {
    let kitchen = bench();
    let run = |text: &str| -> Output {
        kitchen.write("goss.yaml", text);
        let arguments = ["pkgprobe", "--image=quickstart", "--goss=goss.yaml"];
        kitchen.racker.run(&arguments).code(2)
    };
    let output = run("file:\n  /etc/passwd:\n    exist: true\nport:\n  http: {}\n");
    let output = output
        .says("unknown key `exist` of a file")
        .says("goss.yaml:3:5");
    output
        .says("did you mean `exists`?")
        .says("`http` is no port")
        .says("goss.yaml:5:3");
    run("file: [").says("not YAML").says("goss.yaml:1:");
    run("file:\n  {{.Vars.x}}: {}\n").says("`goss render`");
    run("interface: {eth0: {}}\n").says("unknown kind of thing `interface`");
    // From standard input.
    let racker = kitchen.racker.clone().input("port: {80: {}}");
    let output = racker
        .run(&["pkgprobe", "--image=quickstart", "--goss=-"])
        .success();
    assert!(
        output.text().contains("ok    port 80: listening on"),
        "{}",
        output.report()
    );
}

/// A certificate of `localhost` and its key, in one file that signs itself.
fn certificate() -> [String; 2] {
    let directory = temporary();
    let paths = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    let mut openssl = Command::new(tool("openssl", "openssl"));
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "3650", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-out")
        .arg(&paths[0])
        .arg("-keyout")
        .arg(&paths[1]);
    execute(&mut openssl);
    paths.map(|path| std::fs::read_to_string(path).unwrap())
}

#[test]
fn certificates_and_redirects() {
    let kitchen = bench();
    let [certificate, key] = certificate();
    let site = "server { listen 443 ssl; ssl_certificate /etc/mine.crt; \
        ssl_certificate_key /etc/mine.key; location / { return 200 secret; } \
        location /away { return 302 http://localhost/; } \
        location /name { return 200 $host; } }";
    let install = format!(
        "cat >/etc/mine.crt <<'E'\n{certificate}E\ncat >/etc/mine.key <<'E'\n{key}E\n\
         echo '{site}' >/etc/nginx/conf.d/mine.conf"
    );
    let file = deb(
        &kitchen,
        Deb {
            name: "mine",
            version: "1",
            postinst: &install,
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let text = "http:\n  https://localhost/: {}\n";
    let found = goss(&kitchen, 3, text, &[&package]);
    assert!(message(&found, 0).contains("certificate"), "{found:#}");
    let text = r#"
http:
  insecure: {url: "https://localhost/", allow-insecure: true, body: secret}
  own: {url: "https://localhost/", ca-file: /etc/mine.crt, body: [secret]}
  followed: {url: "https://localhost/away", ca-file: /etc/mine.crt, body: hello}
  stopped:
    url: https://localhost/away
    ca-file: /etc/mine.crt
    no-follow-redirects: true
    status: 302
    headers: ["Location: http://localhost/"]
  named:
    url: https://localhost/name
    ca-file: /etc/mine.crt
    request-headers: ["Host: other.example"]
    body: other.example
"#;
    let found = goss(
        &kitchen,
        0,
        text,
        &[&package, "--check-network=https://localhost"],
    );
    assert_eq!(messages(&found).len(), 6);
    // The guest's own authorities are trusted, and nobody else's.
    let trusting = format!(
        "{install}\nmkdir -p /etc/ssl/certs\n\
        cat /etc/mine.crt >/etc/ssl/certs/ca-certificates.crt"
    );
    let file = deb(
        &kitchen,
        Deb {
            name: "trusting",
            version: "1",
            postinst: &trusting,
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    report(&kitchen, 0, &[&package, "--check-http=https://localhost"]);
    kitchen.racker.verify();
}

#[test]
fn names_of_the_guests_own_server() {
    let kitchen = bench();
    // A name server in a few lines: whatever is asked for has one address.
    let server = r#"
use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalPort => 53, LocalAddr => "127.0.0.1", Proto => "udp") or die;
while ($s->recv(my $q, 512)) {
    my $a = substr($q, -4, 2) eq "\0\1";
    my $r = "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\1\2\3";
    $s->send(substr($q, 0, 2) . "\x81\x80\0\1" . ($a ? "\0\1" : "\0\0") . "\0\0\0\0"
        . substr($q, 12) . ($a ? $r : ""));
}
"#;
    let install = format!("cat >/usr/bin/names <<'E'{server}E\n");
    let file = deb(
        &kitchen,
        Deb {
            name: "names",
            version: "1",
            service: "ExecStartPre=/bin/sh -c 'echo nameserver 127.0.0.1 >/etc/resolv.conf'\n\
                      ExecStart=/usr/bin/perl /usr/bin/names",
            postinst: &install,
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let text = r#"
dns:
  any.example: {addrs: [10.1.2.3]}
  A:other.example: {server: "127.0.0.1:53", addrs: {equal: [10.1.2.3]}}
  AAAA:other.example: {resolvable: false}
  silent.example: {server: "127.0.0.1:54", timeout: 300, resolvable: false}
"#;
    let found = goss(&kitchen, 0, text, &[&package, "--check-unit=names"]);
    let messages = messages(&found);
    assert_eq!(messages[1], "any.example: resolves to 10.1.2.3");
    assert_eq!(messages[3], "AAAA:other.example: has no such record");
    assert!(messages[4].contains("127.0.0.1:54"), "{messages:?}");
}
