//! Registries that are broken, careless or hostile, over real sockets: every fault ends in an image
//! or in one precise message, and the store is whole after it.
//!
//! `docs/registry-faults.md` is the list of what is tried here, and is held against it.

mod killed;
mod picture;
mod proxy;
mod pull;
mod push;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "each test binary uses its part of it")]
mod wire;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use racker::oci::{Client, Retry};
use racker_store::{Access, Store};

/// What a fault comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is got over.
    Done,
    /// An error with this in its message.
    Refused(&'static str),
}

/// A fault for the table.
struct Row {
    name: &'static str,
    outcome: Outcome,
}

impl Row {
    fn line(&self, done: &str) -> String {
        match self.outcome {
            Outcome::Done => format!("| {} | {done} |", self.name),
            Outcome::Refused(text) => format!("| {} | `{text}` |", self.name),
        }
    }
}

/// A client that gives up soon.
fn client() -> Client {
    Client::with_retry(Retry {
        attempts: 3,
        first: Duration::from_millis(1),
        patience: Duration::from_secs(2),
        stall: Duration::from_millis(400),
        ..Retry::default()
    })
}

fn open(directory: &Path) -> Store {
    Store::open(&directory.join("store"), Access::ReadWrite).unwrap()
}

/// Fails unless everything in the store is whole, these are its images, and nothing unfinished is
/// left.
fn check(store: &Store, images: &[String]) -> Result<(), String> {
    let damage = store.verify().unwrap();
    let names: Vec<String> = store
        .images()
        .unwrap()
        .into_iter()
        .map(|it| it.name)
        .collect();
    let stage = fs::read_dir(store.root().join("stage")).unwrap().count();
    if damage.is_empty() && names == images && stage == 0 {
        return Ok(());
    }
    Err(format!(
        "the store is not as it was: {damage:?}, {names:?}, {stage} in stage/"
    ))
}

/// Tries every row, several at once; fails with all that came out otherwise.
fn try_all(rows: usize, attempt: impl Fn(usize) -> Result<(), String> + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= rows {
                        return;
                    }
                    if let Err(reason) = attempt(index) {
                        wrong.lock().unwrap().push(reason);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares what came out with what should.
fn compare<T, E: std::fmt::Display>(row: &Row, result: &Result<T, E>) -> Result<(), String> {
    match (row.outcome, result) {
        (Outcome::Done, Ok(_)) => Ok(()),
        (Outcome::Refused(text), Err(error)) => {
            let message = error.to_string();
            let fragment = !message.is_empty() && !message.contains('\n');
            if fragment && message.contains(text) {
                return Ok(());
            }
            Err(format!("{}: {message:?} has no {text:?}", row.name))
        }
        (outcome, Ok(_)) => Err(format!("{}: done, expected {outcome:?}", row.name)),
        (outcome, Err(error)) => Err(format!("{}: {error}, expected {outcome:?}", row.name)),
    }
}

#[test]
fn the_table_is_what_is_tried() {
    let lines = |rows: Vec<Row>, done: &str| -> Vec<String> {
        rows.iter().map(|row| row.line(done)).collect()
    };
    let pull = pull::faults().into_iter().map(|it| it.row).collect();
    let push = push::faults().into_iter().map(|it| it.row).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/registry-faults.md");
    let text = fs::read_to_string(path).unwrap_or_default();
    let table: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault |"))
        .collect();
    let tried = [lines(pull, "pulled"), lines(push, "pushed")].concat();
    assert!(table == tried, "the table must be:\n{}", tried.join("\n"));
}
