//! What the tests of the whole program share: racker run hermetically, stores, recipes.
//!
//! Everything lies below cargo's directory for tests. One store is shared by all test binaries:
//! `recipes/quickstart.toml` is baked into it once. Tests that look at what a store holds, or spoil
//! it, have one of their own, empty or a copy of the shared one by hard links.

#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod deb;
pub(crate) mod files;
pub(crate) mod host;
pub(crate) mod podman;
pub(crate) mod tls;
pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use racker_store::{Access, Store};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than anything takes; what hangs fails.
const LIMIT: Duration = Duration::from_secs(600);

/// Settings of the machine that racker needs for its way to the network.
const PROXIES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

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

/// Waits for the end of a child; kills it and fails where that takes too long.
#[track_caller]
pub(crate) fn wait(child: Child, line: String) -> Output {
    let pid = Pid::from_child(&child);
    let (done, watched) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = watched.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
        if late {
            let _ = kill_process(pid, Signal::KILL);
        }
        late
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    assert!(
        !watchdog.join().unwrap(),
        "{line}: not done within {LIMIT:?}"
    );
    Output {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        line,
    }
}

/// How racker ended, and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    line: String,
}

impl Output {
    /// Everything, for the message of a failed test.
    pub(crate) fn report(&self) -> String {
        format!(
            "{}\nexit code: {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.code,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(4096)]),
            self.stderr
        )
    }

    /// Fails unless racker ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.report());
        self
    }

    /// Fails unless racker ended with 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.code(0)
    }

    /// Fails unless standard error has `text` in it.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "not said: {text:?}\n{}",
            self.report()
        );
        self
    }

    /// Fails if anything stands on standard error.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        assert_eq!(self.stderr, "", "{}", self.report());
        self
    }

    /// Fails unless standard error is one message of racker's own, with its hints and output.
    #[track_caller]
    pub(crate) fn one_message(self) -> Self {
        let messages = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("racker:"))
            .count();
        assert_eq!(messages, 1, "{}", self.report());
        assert!(!self.stderr.contains("panicked"), "{}", self.report());
        self
    }

    /// Standard output as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        self.utf8()
    }

    /// Standard output, which must be UTF-8.
    #[track_caller]
    pub(crate) fn into_text(self) -> String {
        self.utf8().to_owned()
    }

    #[track_caller]
    fn utf8(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|_| panic!("{}", self.report()))
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|_| panic!("{}", self.report()))
    }

    /// The ids of the steps that were found.
    pub(crate) fn cached(&self) -> Vec<&str> {
        self.steps(|rest| rest.ends_with(" (cached)"))
    }

    /// The ids of the steps that were made.
    pub(crate) fn made(&self) -> Vec<&str> {
        self.steps(|rest| rest.starts_with("done in "))
    }

    fn steps(&self, which: impl Fn(&str) -> bool) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| line.starts_with('['))
            .filter_map(|line| line.split_once("] ")?.1.split_once(": "))
            .filter(|(_, rest)| which(rest))
            .map(|(id, _)| id)
            .collect()
    }
}

/// A directory with a recipe, and a store of its own.
#[derive(Debug)]
pub(crate) struct Kitchen {
    directory: TempDir,
    pub(crate) racker: Racker,
}

impl Kitchen {
    /// With an empty store.
    pub(crate) fn new() -> Self {
        let directory = temporary();
        let racker = Racker::new(&directory.path().join("store")).at(directory.path());
        Self { directory, racker }
    }

    /// With a copy of the shared store, quickstart's recipe, its files, and its lock.
    pub(crate) fn with_quickstart() -> Self {
        let kitchen = Self::new();
        copy_store(shared().store(), kitchen.racker.store());
        let recipes = repository().join("recipes");
        for file in ["quickstart.toml", "quickstart/index.html"] {
            kitchen.write(file, &fs::read_to_string(recipes.join(file)).unwrap());
        }
        fs::copy(shared_lock(), kitchen.path("quickstart.lock")).unwrap();
        kitchen
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file of the directory.
    #[track_caller]
    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(old), "{name} has no {old:?}");
        fs::write(self.path(name), text.replace(old, new)).unwrap();
    }

    /// Writes a recipe on top of [`mini`].
    pub(crate) fn recipe(&self, name: &str, rest: &str) {
        self.write(name, &format!("from = \"{}\"\n{rest}", mini().display()));
    }

    /// Bakes a recipe of the directory.
    pub(crate) fn bake(&self, name: &str) -> Output {
        self.racker.run(&["bake", name])
    }
}

/// Takes the lock of something that is made once per machine.
pub(crate) fn once(name: &str) -> File {
    let file = File::create(scratch().join(format!("{name}.flock"))).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

/// racker with the shared store, in which `quickstart` is baked.
pub(crate) fn shared() -> &'static Racker {
    static SHARED: OnceLock<Racker> = OnceLock::new();
    SHARED.get_or_init(|| {
        let racker = Racker::new(&scratch().join("store"));
        let _turn = once("store");
        let recipe = repository().join("recipes/quickstart.toml");
        let lock = shared_lock();
        racker
            .run(&[
                "bake",
                recipe.to_str().unwrap(),
                "--lock",
                lock.to_str().unwrap(),
            ])
            .success();
        racker
    })
}

/// quickstart's lock in the shared store.
pub(crate) fn shared_lock() -> PathBuf {
    scratch().join("quickstart.lock")
}

/// Bakes a recipe on top of quickstart into the shared store; `name` must be its alone. Gives the
/// path of its lock.
#[track_caller]
pub(crate) fn bake_on_quickstart(name: &str, rest: &str) -> PathBuf {
    let base = repository().join("recipes/quickstart.toml");
    fs::copy(shared_lock(), scratch().join(format!("{name}.lock"))).unwrap();
    bake_shared(name, &format!("from = \"{}\"\n{rest}", base.display()))
}

/// Bakes a recipe into the shared store; `name` must be its alone. Gives the path of its lock.
#[track_caller]
pub(crate) fn bake_shared(name: &str, recipe: &str) -> PathBuf {
    let directory = temporary();
    let file = directory.path().join(format!("{name}.toml"));
    let lock = scratch().join(format!("{name}.lock"));
    fs::write(&file, recipe).unwrap();
    let (recipe, at) = (file.to_str().unwrap(), lock.to_str().unwrap());
    shared().run(&["bake", recipe, "--lock", at]).success();
    lock
}

/// Copies a store; what never changes is linked.
fn copy_store(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = match entry {
            Ok(entry) => entry,
            // Somebody else's unfinished work, done by now.
            Err(error) if error.io_error().is_some_and(is_missing) => continue,
            Err(error) => panic!("{error}"),
        };
        let path = entry.path().strip_prefix(from).unwrap();
        let first = path.iter().next().unwrap_or_default().to_str().unwrap();
        let target = to.join(path);
        let result = match first {
            // Containers are those of other tests.
            "stage" | "trash" | "checkouts" | "locks" | "containers" | "volumes"
                if path.iter().count() > 1 =>
            {
                Ok(())
            }
            _ if entry.file_type().is_dir() => fs::create_dir(&target),
            "objects" | "blobs" | "trees" | "layers" => fs::hard_link(entry.path(), &target),
            _ => fs::copy(entry.path(), &target).map(drop),
        };
        match result {
            Err(error) if !is_missing(&error) => panic!("{}: {error}", target.display()),
            _ => {}
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    // A cache of the realisations; that of a store in use may be torn.
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(to.join(name));
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
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

/// A root filesystem with a shell and some tools, taken from this machine: what can be baked on
/// and run in a moment.
pub(crate) fn mini() -> &'static Path {
    static MINI: OnceLock<PathBuf> = OnceLock::new();
    MINI.get_or_init(|| {
        let _turn = once("mini");
        let archive = scratch().join("mini.tar");
        if !archive.exists() {
            let root = temporary();
            make_mini(root.path());
            let unfinished = root.path().join("mini.tar");
            execute(
                Command::new("tar")
                    .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C"])
                    .arg(root.path())
                    .arg("-cf")
                    .arg(&unfinished)
                    .args(["bin", "sbin", "lib", "lib64", "etc", "tmp", "usr", "var"]),
            );
            fs::rename(unfinished, &archive).unwrap();
        }
        archive
    })
}

fn make_mini(root: &Path) {
    const TOOLS: [&str; 29] = [
        "cat",
        "chmod",
        "chown",
        "mkfifo",
        "cp",
        "dash",
        "dd",
        "env",
        "false",
        "head",
        "id",
        "ln",
        "ls",
        "mkdir",
        "mv",
        "od",
        "pwd",
        "readlink",
        "rm",
        "seq",
        "sha256sum",
        "sleep",
        "stat",
        "stty",
        "touch",
        "tr",
        "true",
        "tty",
        "wc",
    ];
    for directory in [
        "usr/bin",
        "usr/lib",
        "usr/lib64",
        "usr/sbin",
        "etc",
        "tmp",
        "var",
    ] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    let mut wanted: Vec<PathBuf> = TOOLS.map(|name| tool(name, "coreutils dash")).to_vec();
    let libraries = execute(Command::new("ldd").args(&wanted));
    let libraries = String::from_utf8(libraries).unwrap();
    let words = libraries.split_whitespace();
    wanted.extend(
        words
            .filter(|word| word.starts_with('/') && !word.ends_with(':'))
            .map(Into::into),
    );
    for path in wanted {
        // A library goes where the loader was told to look, with merged /usr.
        let merged = path
            .strip_prefix("/usr")
            .or_else(|_| path.strip_prefix("/"))
            .unwrap();
        let target = root.join("usr").join(merged);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, &target).unwrap();
    }
    symlink("dash", root.join("usr/bin/sh")).unwrap();
    let passwd = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/var/www:/bin/sh\n";
    fs::write(root.join("etc/passwd"), passwd).unwrap();
    fs::write(
        root.join("etc/group"),
        "root:x:0:\nwww:x:34:\nextra:x:44:www\n",
    )
    .unwrap();
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
}
