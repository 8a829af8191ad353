//! Certificates, passwords and tokens.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::kitchen;
use super::registry::{Extra, Registry, free_port, tool};
use super::support::{Kitchen, Racker, execute, tls, tokens::Tokens, wait_for};

/// Where racker finds nothing of this machine's.
fn away(kitchen: &Kitchen) -> Racker {
    let home = kitchen.path("home");
    fs::create_dir_all(home.join(".config/containers")).unwrap();
    kitchen.racker.clone().env("HOME", home)
}

/// A directory with an authority's certificate and those that it gave.
fn certificates(kitchen: &Kitchen) -> PathBuf {
    let directory = kitchen.path("tls");
    fs::create_dir(&directory).unwrap();
    tls::certificates(&directory);
    directory
}

/// Has the host be trusted where [`certificates`]' authority vouches for it; where that is said.
fn trust(kitchen: &Kitchen, host: &str) -> PathBuf {
    let trusted = kitchen.path(&format!("home/.config/containers/certs.d/{host}"));
    fs::create_dir_all(&trusted).unwrap();
    fs::copy(kitchen.path("tls/ca.crt"), trusted.join("ca.crt")).unwrap();
    trusted
}

#[test]
fn certificates_and_passwords() {
    // bcrypt of `pw`.
    const PASSWORDS: &str = "me:$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q\n";
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = certificates(&kitchen);
    let passwords = directory.join("passwords");
    fs::write(&passwords, PASSWORDS).unwrap();
    let file = |name: &str| directory.join(name).display().to_string();
    let registry = Registry::start_with(&Extra {
        http: format!(
            "  tls: {{certificate: {}, key: {}}}\n",
            file("server.crt"),
            file("server.key")
        ),
        top: format!(
            "auth:\n  htpasswd: {{realm: test, path: {}}}\n",
            passwords.display()
        ),
        ..Extra::default()
    });
    let host = &registry.host;
    let name = format!("{host}/box");
    // Nobody vouches for it.
    racker
        .run(&["pull", &name])
        .code(1)
        .says("certificate")
        .one_message();
    racker
        .run(&["pull", &name, "--insecure"])
        .code(1)
        .says("refuses access");
    let trusted = trust(&kitchen, host);
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("refuses access to box")
        .says(&format!("hint: racker login {host}"));
    let wrong = racker
        .run(&["login", host, "-u", "me", "-p", "secret"])
        .code(1);
    let wrong = wrong.says("the user name or the password is wrong");
    assert!(!wrong.stderr.contains("secret") && !wrong.stderr.contains("misspelt"));
    let auth = kitchen.path("home/.config/containers/auth.json");
    assert!(!auth.exists());
    let login = racker.clone().input("pw\n");
    let output = login
        .run(&["login", host, "--username=me", "--password-stdin"])
        .success();
    assert_eq!(output.text(), "Login Succeeded\n");
    assert_eq!(
        fs::metadata(&auth).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let pushed = racker.run(&["push", "box", &name, "--debug"]).success();
    assert!(!pushed.stderr.contains("bWU6cHc=") && !pushed.stderr.contains("pw\n"));
    racker.run(&["rmi", "box"]).success();
    racker.run(&["pull", &name]).success();
    // podman reads what racker wrote.
    let auth_file = format!("--authfile={}", auth.display());
    let certs = format!("--cert-dir={}", trusted.display());
    let source = format!("docker://{name}");
    tool("skopeo", &["inspect", &auth_file, &certs, &source]);
    let output = racker.run(&["logout", host]).success();
    assert!(output.text().contains(host));
    racker
        .run(&["logout", host])
        .success()
        .says("Not logged in");
    racker
        .run(&["pull", &format!("{name}:x")])
        .code(1)
        .says("refuses access");
    racker
        .run(&["login", "a/b", "-u", "x", "-p", "y"])
        .code(2)
        .says("no registry");
}

/// A registry that lets nobody in who shows no certificate.
#[test]
fn certificates_of_ones_own() {
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = certificates(&kitchen);
    let file = |name: &str| directory.join(name).display().to_string();
    let registry = Registry::start_with(&Extra {
        http: format!(
            "  tls: {{certificate: {}, key: {}, clientcas: [{}]}}\n",
            file("server.crt"),
            file("server.key"),
            file("ca.crt")
        ),
        top: String::new(),
        ..Extra::default()
    });
    let host = &registry.host;
    let trusted = trust(&kitchen, host);
    let name = format!("{host}/box");
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("BadCertificate")
        .one_message();
    fs::copy(directory.join("client.cert"), trusted.join("me.cert")).unwrap();
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("me.key")
        .one_message();
    fs::copy(directory.join("client.key"), trusted.join("me.key")).unwrap();
    racker.run(&["push", "box", &name]).success();
    // Of version 1, which openssl makes where it is told of no extension.
    let request = "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -days 2 -out v1.cert";
    let mut openssl = Command::new(super::support::tool("openssl", "openssl"));
    execute(openssl.current_dir(&directory).args(request.split(' ')));
    fs::copy(directory.join("v1.cert"), trusted.join("me.cert")).unwrap();
    racker
        .run(&["pull", &name])
        .code(1)
        .says("the client certificate is X.509 of version 1")
        .says("certs.d")
        .one_message();
    fs::write(
        trusted.join("ca.crt"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
    )
    .unwrap();
    racker
        .run(&["pull", &name])
        .code(1)
        .says("ca.crt")
        .one_message();
}

/// racker speaks HTTP/1.1 to a registry that would rather speak HTTP/2, and tells of one that speaks
/// nothing else.
#[test]
fn registries_that_speak_http_2() {
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = certificates(&kitchen);
    let file = |name: &str| directory.join(name).display().to_string();
    let (certificate, key) = (file("server.crt"), file("server.key"));
    let registry = Registry::start_with(&Extra {
        http: format!("  tls: {{certificate: {certificate}, key: {key}}}\n"),
        ..Extra::default()
    });
    let host = &registry.host;
    trust(&kitchen, host);
    let mut agree = Command::new("openssl");
    agree.args(["s_client", "-connect", host, "-alpn", "h2,http/1.1"]);
    let agreed = execute(agree.stdin(Stdio::null()));
    let agreed = String::from_utf8_lossy(&agreed);
    assert!(agreed.contains("ALPN protocol: h2"), "{agreed}");
    let name = format!("{host}/box");
    racker.run(&["push", "box", &name]).success();
    racker.run(&["rmi", "box"]).success();
    racker.run(&["pull", &name]).success();
    assert_eq!(registry.versions().into_iter().collect::<Vec<_>>(), ["1.1"]);
    let stubborn = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-quiet", "-alpn", "h2", "-accept", &stubborn])
        .args(["-cert", &certificate, "-key", &key])
        .stdin(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    trust(&kitchen, &stubborn);
    wait_for(Duration::from_secs(20), "a server", || {
        TcpStream::connect(&stubborn).ok()
    });
    let refused = racker.run(&["pull", &format!("{stubborn}/box")]);
    let _ = server.kill();
    let _ = server.wait();
    refused
        .code(1)
        .one_message()
        .says(&format!("cannot reach {stubborn}"))
        .says("NoApplicationProtocol");
    racker.verify();
}

/// A registry that wants these tokens.
fn guarded(tokens: &Tokens) -> Extra {
    Extra {
        top: tokens.configuration(),
        ..Extra::default()
    }
}

#[test]
fn tokens_are_renewed_and_identities_known() {
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = certificates(&kitchen);
    let tokens = Tokens::serve(&directory, 60);
    let registry = Registry::start_with(&guarded(&tokens));
    let host = &registry.host;
    let name = format!("{host}/team/box");
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("refuses access")
        .one_message();
    racker
        .run(&["login", host, "-u", "me", "-p", "no"])
        .code(1)
        .says("refuses access");
    racker
        .run(&["login", host, "-u", "me", "-p", "pw"])
        .success();
    let before = tokens.asked().len();
    racker.run(&["push", "box", &name]).success();
    // One token for everything.
    let asked = tokens.asked().split_off(before);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].contains("repository%3Ateam%2Fbox%3Apull%2Cpush"),
        "{asked:?}"
    );
    racker.run(&["rmi", "box"]).success();
    racker.run(&["pull", &name]).success();
    // An identity token instead of a password.
    let auth = kitchen.path("home/.config/containers/auth.json");
    fs::write(
        &auth,
        format!("{{\"auths\":{{\"{host}\":{{\"identitytoken\":\"identity\"}}}}}}"),
    )
    .unwrap();
    racker
        .run(&["tag", &name, &format!("{host}/team/box:2")])
        .success();
    racker
        .run(&["push", &format!("{host}/team/box:2")])
        .success();
    assert!(
        tokens
            .asked()
            .last()
            .unwrap()
            .contains("grant_type=refresh_token")
    );
    // A helper instead of a file.
    let bin = kitchen.path("bin");
    let helper = bin.join("docker-credential-test");
    kitchen.write(
        "bin/docker-credential-test",
        "#!/bin/sh\nread -r server\ntest \"$1\" = get || exit 1\n\
         echo \"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"pw\\\"}\"\n",
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&auth, "{\"credsStore\":\"test\"}").unwrap();
    let path = format!("{}:{}", bin.display(), racker::container::process::PATH);
    let helped = racker.clone().env("PATH", path);
    helped.run(&["pull", &name]).success().says("up to date");
    racker.run(&["pull", &name]).code(1).says("refuses access");
    // Tokens that end before the push does.
    let brief = Tokens::serve(&directory, 1);
    let registry = Registry::start_with(&guarded(&brief));
    let slow = format!("{}/box", registry.host);
    fs::write(
        &auth,
        format!(
            "{{\"auths\":{{\"{}\":{{\"auth\":\"bWU6cHc=\"}}}}}}",
            registry.host
        ),
    )
    .unwrap();
    for attempt in 0..3 {
        racker
            .run(&["push", &name, &format!("{slow}:{attempt}")])
            .success();
        std::thread::sleep(Duration::from_millis(700));
    }
    assert!(brief.asked().len() >= 2);
}
