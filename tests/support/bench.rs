//! A recipe `box.toml` with package steps, and the repository that they take packages from.

use std::fs;
use std::path::Path;

use super::{Kitchen, Output, tool};

/// The recipe's directory, and the repository.
pub(crate) struct Bench<A> {
    pub(crate) kitchen: Kitchen,
    pub(crate) archive: A,
}

impl<A> Bench<A> {
    pub(crate) fn bake(&self) -> Output {
        self.kitchen.bake("box.toml")
    }

    pub(crate) fn racker(&self, arguments: &[&str]) -> Output {
        self.kitchen.racker.run(arguments)
    }

    pub(crate) fn lock(&self) -> String {
        fs::read_to_string(self.kitchen.path("box.lock")).unwrap()
    }

    /// The lock's lines of the packages of a step.
    pub(crate) fn locked(&self, step: &str) -> String {
        let lock = self.lock();
        let mut sections = lock.split("[[section]]");
        let section = sections.find(|it| it.contains(&format!("step = \"{step}\"")));
        section.unwrap_or_default().to_owned()
    }

    /// Output of a shell script in the baked image.
    pub(crate) fn sh(&self, script: &str) -> String {
        let arguments = ["run", "--systemd=false", "box", "sh", "-c", script];
        self.racker(&arguments).success().into_text()
    }

    /// The id of the baked image's tree.
    pub(crate) fn tree(&self) -> String {
        self.kitchen.racker.tree("box")
    }

    /// Runs racker in an empty network namespace.
    pub(crate) fn without_network(&self, arguments: &[&str]) -> Output {
        let racker = &self.kitchen.racker;
        let mut command = racker.surround(tool("unshare", "util-linux"));
        command.args(["--net", "--"]);
        command.arg(env!("CARGO_BIN_EXE_racker")).args(arguments);
        racker.finish(command)
    }

    /// Fails unless a bake ended with one message, and left a whole store without an image.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self, output: &Output) {
        let messages = output.stderr.matches("racker:").count();
        assert_eq!(messages, 1, "{}", output.report());
        self.kitchen.racker.verify();
        self.racker(&["inspect", "box"]).code(1);
    }

    /// Fails unless neither a check nor a bake takes a lock in which somebody changed what it says of
    /// `app`, a package of this version. The lock is put back.
    #[track_caller]
    pub(crate) fn refuses_changed_locks(&self, version: &str) {
        let lock = self.lock();
        let mut lines = lock.lines();
        let line = lines.find(|it| it.contains("name = \"app\"")).unwrap();
        let (_, digest) = line.split_once("sha256 = \"").unwrap();
        let digest = digest.split('"').next().unwrap();
        for (old, new) in [
            ("size = ", "size = 1"),
            (&*format!("version = \"{version}"), "version = \"3"),
            (digest, &digest.replace(['0', '1', '2', '3'], "4")),
        ] {
            let changed = line.replacen(old, new, 1);
            self.kitchen
                .write("box.lock", &lock.replace(line, &changed));
            self.racker(&["lock", "box.toml", "--verify"])
                .code(102)
                .says("1 entries are not what the repositories say");
        }
        let package = format!("package app {version}");
        let output = self.bake().code(102).says(&package);
        self.nothing_is_left(&output);
        self.kitchen.write("box.lock", &lock);
        self.racker(&["lock", "box.toml", "--verify"]).success();
    }
}

/// Changes the last byte of a file.
pub(crate) fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}
