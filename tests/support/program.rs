//! racker, run hermetically.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use racker_store::{Access, Store};

use super::{Output, names, scratch, tool, wait};

/// Settings of the machine that racker needs for its way to the network.
const PROXIES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// racker with a store, and nothing of the caller's environment.
#[derive(Debug, Clone)]
pub(crate) struct Racker {
    store: PathBuf,
    directory: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    input: Option<Vec<u8>>,
}

impl Racker {
    /// racker with the store at `store`.
    pub(crate) fn new(store: &Path) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests must run as root"
        );
        let home = scratch().join("home");
        fs::create_dir_all(&home).unwrap();
        let mut environment = BTreeMap::from([
            ("PATH".into(), racker::container::process::PATH.into()),
            ("HOME".into(), home.clone().into()),
            ("RACKER_STORE".into(), store.into()),
        ]);
        // The whole suite runs with either way to mount a tree.
        for name in PROXIES.into_iter().chain(["RACKER_TREE_MOUNT"]) {
            if let Some(value) = std::env::var_os(name) {
                environment.insert(name.into(), value);
            }
        }
        Self {
            store: store.to_owned(),
            directory: home,
            environment,
            input: None,
        }
    }

    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// With this standard input instead of none.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Started in a directory.
    pub(crate) fn at(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// The store's path.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// `program` in racker's surroundings.
    pub(crate) fn surround(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory);
        command
    }

    /// racker with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.surround(env!("CARGO_BIN_EXE_racker"));
        command.args(arguments);
        command
    }

    /// Runs racker to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.finish(self.command(arguments))
    }

    /// Runs a command of [`Racker::command`] or [`Racker::surround`] to its end.
    pub(crate) fn finish(&self, mut command: Command) -> Output {
        let input = if self.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let line = format!("{command:?}");
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.input.clone()) {
            // The command need not read it to its end.
            thread::spawn(move || pipe.write_all(&bytes));
        }
        wait(child, line)
    }

    /// Runs racker to its end on a machine without a program of `/usr/bin`.
    pub(crate) fn without(&self, program: &str, arguments: &[&str]) -> Output {
        // In a mount namespace of its own, links to everything else take the directory's place.
        const SCRIPT: &str = "real=$(mktemp -d -p \"$1\"); missing=$2; shift 2
            mount --bind /usr/bin \"$real\"
            mount -t tmpfs none /usr/bin
            \"$real/ln\" -s \"$real\"/* /usr/bin
            rm \"/usr/bin/$missing\"
            exec \"$@\"";
        let mut command = self.surround(tool("unshare", "util-linux"));
        command
            .args(["--mount", "sh", "-ec", SCRIPT, "sh"])
            .arg(scratch())
            .arg(program);
        command.arg(env!("CARGO_BIN_EXE_racker")).args(arguments);
        self.finish(command)
    }

    /// The id of an image's tree.
    #[track_caller]
    pub(crate) fn tree(&self, image: &str) -> String {
        let all = self.run(&["inspect", image]).success().json();
        all[0]["tree_id"].as_str().unwrap().to_owned()
    }

    /// The store, opened to be looked at.
    pub(crate) fn open(&self) -> Store {
        Store::open(&self.store, Access::ReadOnly).unwrap()
    }

    /// Fails unless everything in the store is whole, and nothing unfinished lies about.
    #[track_caller]
    pub(crate) fn verify(&self) {
        verify(&self.store);
    }
}

/// Fails unless everything in the store at `path` is whole, and nothing unfinished lies about.
#[track_caller]
pub(crate) fn verify(path: &Path) {
    let damage = Store::open(path, Access::ReadOnly)
        .unwrap()
        .verify()
        .unwrap();
    assert!(damage.is_empty(), "the store is damaged: {damage:#?}");
    assert_eq!(
        names(&path.join("stage")),
        Vec::<String>::new(),
        "left in stage/"
    );
}
