//! podman and buildah with a place of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{execute, scratch, tool};

/// Storage that is nobody else's.
#[derive(Debug)]
pub(crate) struct Podman {
    root: PathBuf,
    runtime: tempfile::TempDir,
}

impl Podman {
    /// Keeps its images in a directory.
    pub(crate) fn new(root: &Path) -> Self {
        // Sockets have their paths in there, which must be short.
        let runtime = tempfile::tempdir().unwrap();
        std::fs::write(runtime.path().join("auth.json"), "{}").unwrap();
        let root = root.to_owned();
        Self { root, runtime }
    }

    /// `podman` or `buildah`, with the options for its storage.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(tool(name, name));
        command.env("HOME", scratch().join("home"));
        command.env("REGISTRY_AUTH_FILE", self.runtime.path().join("auth.json"));
        command.arg("--root").arg(&self.root);
        command.arg("--runroot").arg(self.runtime.path());
        command.args(["--storage-driver", "vfs"]);
        command
    }

    /// Runs podman, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = execute(self.command("podman").args(arguments));
        String::from_utf8(output).unwrap()
    }

    /// What a container of an image says.
    #[track_caller]
    pub(crate) fn contain(&self, image: &str, command: &[&str]) -> String {
        // crun wants pure cgroups; not every machine may raise limits.
        tool("runc", "runc");
        let mut arguments = vec!["--runtime=runc", "run", "--rm", "--network=none"];
        arguments.extend([
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1024:1024",
            image,
        ]);
        arguments.extend(command);
        self.run(&arguments)
    }
}
