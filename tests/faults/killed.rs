//! A pull that is killed again and again.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use racker_store::{Access, Store};

use crate::picture::{Picture, noise, tar};
use crate::wire::{Answer, Wire};

const SIZE: usize = 24 << 20;
const KILLS: u32 = 10;
/// Longer than a share of the layer takes.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_pull_killed_ten_times_takes_each_byte_about_once() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let picture = Picture::of(&[tar(&[("large", &noise(SIZE))]), tar(&[("small", b"small")])]);
    let total = picture.blobs[&picture.layer(0)].len();
    let large = picture.layer(0);
    // Slowly, so that every kill is in the middle.
    let wire = Wire::start(move |asked| {
        if !asked.path.ends_with(&large) {
            return picture.answer(asked);
        }
        let body = &picture.blobs[&large];
        let start = asked.range();
        let head = match start {
            0 => format!("200 OK\r\nContent-Length: {}", body.len()),
            _ => format!(
                "206 Part\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{}",
                body.len() - start,
                body.len() - 1,
                body.len()
            ),
        };
        let answer = Answer::raw(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n"));
        body[start..].chunks(64 << 10).fold(answer, |answer, part| {
            answer.then(Duration::from_millis(8), part)
        })
    });
    let store = directory.path().join("store");
    let name = format!("{}/a/b", wire.host);
    let pull = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_racker"));
        command.env_clear().env("HOME", directory.path());
        command.args(["--store", store.to_str().unwrap(), "pull", &name]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for round in 0..KILLS {
        // Another moment every time, and always further on.
        let goal = wire.sent() + total / 14 + (round as usize * 37 % 11) * (64 << 10);
        let mut child = pull();
        let start = Instant::now();
        while wire.sent() < goal {
            assert!(start.elapsed() < LIMIT, "the pull does not get on");
            thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        assert!(
            !child.wait().unwrap().success(),
            "it was done before it was killed"
        );
        if store.join("meta.toml").exists() {
            let store = Store::open(&store, Access::ReadOnly).unwrap();
            assert_eq!(store.verify().unwrap(), []);
            assert!(store.images().unwrap().is_empty());
        }
    }
    let start = Instant::now();
    let output = pull().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        start.elapsed() > Duration::from_millis(100),
        "there was nothing left to do"
    );
    let starts: Vec<usize> = wire
        .asked()
        .iter()
        .filter(|it| it.path.contains("/blobs/") && it.header("range").is_some())
        .map(crate::wire::Asked::range)
        .collect();
    // Every pull went on where the one before was killed, but for what was on its way then.
    assert!(starts.len() as u32 >= KILLS - 1, "{starts:?}");
    assert!(
        starts.is_sorted() && starts.last() > Some(&(total / 3)),
        "{starts:?}"
    );
    let sent = wire.sent();
    assert!(
        sent < total + total / 5,
        "{sent} bytes were sent, the layer has {total}"
    );
    let store = Store::open(&store, Access::ReadWrite).unwrap();
    assert_eq!(store.verify().unwrap(), []);
    let image = store.images().unwrap().remove(0);
    let tree = store.tree(image.tree).unwrap();
    assert_eq!(tree.entries().count(), 3);
    let partial = std::fs::read_dir(store.root().join("partial")).unwrap();
    assert_eq!(partial.count(), 0);
}
