//! `racker bake`, `plan`, `why` and `log`, on the real thing.

mod bases;
mod cached;
mod checked;
mod collected;
mod explain;
mod failures;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod registry;
mod steps;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use support::{Kitchen, Output};

/// Three steps on top of the small root filesystem.
const THREE: &str = r#"
[args]
word = "first"

[[step]]
run = "echo one > /one"

[[step]]
copy = { from = "file", to = "/copied" }

[[step]]
run = "echo ${word} > /three"
"#;

/// A kitchen in which [`THREE`] was baked.
fn three() -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.write("file", "content\n");
    kitchen.recipe("three.toml", THREE);
    let output = kitchen.bake("three.toml").success();
    assert_eq!(
        output.made(),
        ["three/1", "three/2", "three/3"],
        "{}",
        output.report()
    );
    kitchen
}

/// What the file `path` of the image has in it.
fn file(kitchen: &Kitchen, image: &str, path: &str) -> String {
    kitchen
        .racker
        .run(&["run", image, "cat", path])
        .success()
        .text()
        .to_owned()
}

/// Bakes, and fails unless exactly these steps were made and all others found.
#[track_caller]
fn makes(kitchen: &Kitchen, recipe: &str, made: &[&str], cached: &[&str]) -> Output {
    let output = kitchen.bake(recipe).success();
    assert_eq!(output.made(), made, "{}", output.report());
    assert_eq!(output.cached(), cached, "{}", output.report());
    output
}

/// Serves `body` to everybody who asks, and says where.
fn serve(body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream
                .get_mut()
                .write_all(&[head.as_bytes(), body].concat());
        }
    });
    format!("http://{address}/dir/tool.sh")
}
