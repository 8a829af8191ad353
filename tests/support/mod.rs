//! What the tests of the whole program share: racker run hermetically, stores, recipes.
//!
//! Everything lies below cargo's directory for tests. One store is shared by all test binaries:
//! `recipes/quickstart.toml` is baked into it once. Tests that look at what a store holds, or spoil
//! it, have one of their own, empty or a copy of the shared one by hard links.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its part of it"
)]

pub(crate) mod bench;
pub(crate) mod deb;
pub(crate) mod files;
pub(crate) mod host;
mod kitchen;
mod mini;
mod output;
pub(crate) mod podman;
mod program;
mod shared;
pub(crate) mod tls;
pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

pub(crate) use kitchen::Kitchen;
pub(crate) use mini::mini;
pub(crate) use output::{Output, wait};
pub(crate) use program::{Racker, verify};
pub(crate) use shared::{bake_on_quickstart, bake_shared, saved, shared, shared_lock};

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where tests write.
pub(crate) fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A directory of the test's own.
pub(crate) fn temporary() -> TempDir {
    tempfile::tempdir_in(scratch()).unwrap()
}

/// The path of a program that tests need; a missing one fails the test and names its package.
#[track_caller]
pub(crate) fn tool(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is missing; install it: apt-get install {package}"))
}

/// Runs a program that must succeed.
#[track_caller]
pub(crate) fn execute(command: &mut Command) -> Vec<u8> {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Waits until `done` gives something, for at most `limit`.
#[track_caller]
pub(crate) fn wait_for<T>(limit: Duration, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The sorted names in a directory; none where it is not there.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut all: Vec<String> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    all.sort();
    all
}

/// Takes the lock of something that is made once per machine.
pub(crate) fn once(name: &str) -> File {
    let file = File::create(scratch().join(format!("{name}.flock"))).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

/// Path, time, inode and size of every file below a directory.
pub(crate) fn snapshot(directory: &Path) -> BTreeMap<PathBuf, (i64, i64, u64, u64)> {
    walkdir::WalkDir::new(directory)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let m = entry.metadata().unwrap();
            (
                entry.path().to_owned(),
                (m.mtime(), m.mtime_nsec(), m.ino(), m.size()),
            )
        })
        .collect()
}
