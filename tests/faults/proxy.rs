//! Pulls by way of a proxy.

use std::process::{Command, Output};

use crate::picture::{Picture, tar};
use crate::wire::{Answer, Wire};

fn pull(proxy: &str, variables: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_racker"));
    command.env_clear().env("HOME", directory.path());
    command.env("http_proxy", proxy).env("https_proxy", proxy);
    command.envs(variables.iter().copied());
    command.arg("--store").arg(directory.path().join("store"));
    let name = "registry.example/a/b:1";
    command.args(["pull", "--insecure", name]).output().unwrap()
}

#[test]
fn a_proxy_is_asked_for_what_is_elsewhere() {
    let picture = Picture::of(&[tar(&[("a", b"a")])]);
    // It makes no tunnels, so that plain HTTP is tried, which `--insecure` allows.
    let proxy = Wire::start(move |asked| match asked.method.as_str() {
        "CONNECT" => Answer::new("403 No tunnels", b""),
        _ => picture.answer(asked),
    });
    let address = format!("http://{}", proxy.host);
    let output = pull(&address, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let asked = proxy.asked();
    assert!(
        asked
            .iter()
            .any(|it| it.method == "CONNECT" && it.path == "registry.example:443")
    );
    let whole = "http://registry.example/v2/a/b/manifests/1";
    assert!(asked.iter().any(|it| it.path == whole), "{asked:?}");
    // Except where it is not to be.
    let before = asked.len();
    let output = pull(&address, &[("no_proxy", "registry.example")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("cannot reach registry.example"), "{said}");
    assert_eq!(proxy.asked().len(), before);
    // A port is part of that.
    let output = pull(&address, &[("no_proxy", "registry.example:443")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let asked = &proxy.asked()[before..];
    assert!(!asked.is_empty() && asked.iter().all(|it| it.method != "CONNECT"));
}

#[test]
fn what_is_no_proxy_is_named() {
    for (value, message) in [
        (
            "socks5://me:secret@127.0.0.1:1",
            "https_proxy: proxies of the kind `socks5`",
        ),
        (
            "http://me:secret@127.0.0.1:99999",
            "https_proxy: it is no address of a proxy",
        ),
    ] {
        let output = pull("http://127.0.0.1:1", &[("https_proxy", value)]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(message) && !said.contains("secret"), "{said}");
    }
}
