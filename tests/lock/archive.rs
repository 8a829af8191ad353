//! A Debian archive of the test's own, made and signed by Debian's tools.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

pub(crate) use super::support::deb::Deb;
use super::support::deb::build;
use super::support::files::Files;
use super::support::{execute, temporary, tool};

/// An archive with one suite, served over HTTP.
pub(crate) struct Archive {
    directory: TempDir,
    pub(crate) files: Files,
}

impl Archive {
    /// An empty archive.
    pub(crate) fn new() -> Self {
        tool("apt-ftparchive", "apt-utils");
        tool("gpg", "gnupg");
        let directory = temporary();
        let files = Files::serve(directory.path());
        let archive = Self { directory, files };
        fs::create_dir_all(archive.path("pool")).unwrap();
        fs::create_dir_all(archive.path("dists/test/main/binary-amd64")).unwrap();
        execute(archive.gpg().args([
            "--quick-generate-key",
            "archive@racker.test",
            "ed25519",
            "sign",
            "never",
        ]));
        archive
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn gpg(&self) -> Command {
        let home = self.path("gpg");
        if !home.exists() {
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        }
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(home);
        gpg.args([
            "--batch",
            "--quiet",
            "--pinentry-mode=loopback",
            "--passphrase=",
        ]);
        gpg
    }

    /// The key that the archive is signed with.
    pub(crate) fn key(&self) -> String {
        let key = execute(self.gpg().args(["--armor", "--export"]));
        String::from_utf8(key).unwrap()
    }

    /// Puts a package into the archive, in place of its older version.
    pub(crate) fn add(&self, deb: &Deb<'_>) {
        for entry in fs::read_dir(self.path("pool")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with(&format!("{}_", deb.name)) {
                fs::remove_file(path).unwrap();
            }
        }
        let file = format!(
            "pool/{}_{}_all.deb",
            deb.name,
            deb.version.replace(':', "%3a")
        );
        build(deb, &self.path(&file));
    }

    /// Writes the indices, and signs them.
    pub(crate) fn publish(&self) {
        self.publish_unsigned();
        let suite = self.path("dists/test");
        let mut sign = self.gpg();
        sign.args(["--clearsign", "--yes", "--output"]);
        execute(sign.arg(suite.join("InRelease")).arg(suite.join("Release")));
    }

    /// Writes the indices, and signs them in 2017, with a key that expired a year later.
    pub(crate) fn publish_in_the_past(&self) {
        const PAST: [&str; 2] = ["--faked-system-time", "20170601T000000"];
        self.publish_unsigned();
        let key = [
            "--quick-generate-key",
            "old@racker.test",
            "ed25519",
            "sign",
            "1y",
        ];
        execute(self.gpg().args(PAST).args(key));
        let suite = self.path("dists/test");
        let mut sign = self.gpg();
        sign.args(PAST).args(["--local-user", "old@racker.test"]);
        sign.args(["--clearsign", "--output"]);
        execute(sign.arg(suite.join("InRelease")).arg(suite.join("Release")));
    }

    /// Writes the indices.
    pub(crate) fn publish_unsigned(&self) {
        let run = |arguments: &[&str]| {
            let mut command = Command::new("apt-ftparchive");
            execute(command.args(arguments).current_dir(self.directory.path()))
        };
        let suite = self.path("dists/test");
        for name in ["InRelease", "Release"] {
            let _ = fs::remove_file(suite.join(name));
        }
        let packages = run(&["packages", "pool"]);
        fs::write(suite.join("main/binary-amd64/Packages"), packages).unwrap();
        let options = [
            "-o",
            "APT::FTPArchive::Release::Suite=test",
            "-o",
            "APT::FTPArchive::Release::Components=main",
            "-o",
            "APT::FTPArchive::Release::Architectures=amd64",
        ];
        let release = run(&[&options[..], &["release", "dists/test"]].concat());
        fs::write(suite.join("Release"), release).unwrap();
    }

    /// A line of `sources.list`.
    pub(crate) fn source(&self) -> String {
        format!("deb {} test main\n", self.files.url)
    }
}
