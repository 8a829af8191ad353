//! A repository of the test's own, made of packages and by programs that pacman comes with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::support::files::Files;
use super::support::{execute, names, temporary, tool};

/// A repository called `test`, served over HTTP.
pub(crate) struct Mirror {
    directory: TempDir,
    pub(crate) files: Files,
    /// When gpg believes to be, and how long its key is good.
    then: Option<(&'static str, &'static str)>,
}

/// What a package is made of; its release is 1.
#[derive(Default)]
pub(crate) struct Pkg<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// Further lines of its `.PKGINFO`.
    pub(crate) fields: &'a str,
    /// Its `.INSTALL`.
    pub(crate) install: &'a str,
    /// One more file: its path and what is in it.
    pub(crate) file: Option<(&'a str, &'a str)>,
}

impl Mirror {
    /// An empty repository with a key of its own.
    pub(crate) fn new() -> Self {
        Self::with_key(None)
    }

    /// One whose key was good for some time: from when, and for how long, as gpg(1) has it.
    pub(crate) fn with_key(then: Option<(&'static str, &'static str)>) -> Self {
        tool("repo-add", "pacman-package-manager");
        tool("bsdtar", "libarchive-tools");
        tool("gpg", "gnupg");
        let directory = temporary();
        let files = Files::serve(directory.path());
        let mirror = Self {
            directory,
            files,
            then,
        };
        fs::create_dir_all(mirror.path("test")).unwrap();
        let key = ["--quick-generate-key", "packager@racker.test", "ed25519"];
        execute(
            mirror
                .gpg()
                .args(key)
                .args(["sign", then.map_or("never", |(_, long)| long)]),
        );
        mirror
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn gpg(&self) -> Command {
        use std::os::unix::fs::DirBuilderExt;
        let home = self.path("gpg");
        if !home.exists() {
            fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        }
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(home).args([
            "--batch",
            "--quiet",
            "--yes",
            "--pinentry-mode=loopback",
            "--passphrase=",
        ]);
        if let Some((when, _)) = self.then {
            gpg.arg(format!("--faked-system-time={when}!"));
        }
        gpg
    }

    /// Writes the key, and who trusts it, as a package of keys would bring them: `NAME.gpg` and
    /// `NAME-trusted`.
    pub(crate) fn keyring(&self, directory: &Path, name: &str) {
        let export = self.path("exported.gpg");
        execute(self.gpg().arg("--export").arg("--output").arg(&export));
        fs::create_dir_all(directory).unwrap();
        fs::copy(&export, directory.join(format!("{name}.gpg"))).unwrap();
        let list = execute(self.gpg().args(["--list-keys", "--with-colons"]));
        let list = String::from_utf8(list).unwrap();
        let fingerprint = list.lines().find_map(|line| line.strip_prefix("fpr:"));
        let fingerprint = fingerprint.unwrap().trim_matches(':');
        let trusted = format!("{fingerprint}:4:\n");
        fs::write(directory.join(format!("{name}-trusted")), trusted).unwrap();
    }

    /// Signs a file, beside it.
    pub(crate) fn sign(&self, path: &Path) {
        let signature = format!("{}.sig", path.display());
        let mut sign = self.gpg();
        execute(
            sign.args(["--detach-sign", "--output", &signature])
                .arg(path),
        );
    }

    /// Builds a package file at `to`.
    pub(crate) fn build(package: &Pkg<'_>, to: &Path) {
        let Pkg {
            name,
            version,
            fields,
            ..
        } = package;
        let root = temporary();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let info = format!(
            "pkgname = {name}\npkgbase = {name}\npkgver = {version}-1\npkgdesc = a package\n\
             builddate = 1700000000\nsize = 10\narch = any\n{fields}"
        );
        write(".PKGINFO", &info);
        write(
            &format!("usr/share/{name}/version"),
            &format!("{version}\n"),
        );
        let mut members = vec![".PKGINFO", "usr"];
        if !package.install.is_empty() {
            write(".INSTALL", package.install);
            members.push(".INSTALL");
        }
        if let Some((path, text)) = package.file {
            write(path, text);
        }
        members.sort_unstable();
        let mut tar = Command::new("bsdtar");
        tar.args([
            "--zstd",
            "--uid=0",
            "--gid=0",
            "--uname=root",
            "--gname=root",
            "-cf",
        ]);
        execute(tar.arg(to).args(members).current_dir(root.path()));
    }

    /// Puts a package into the repository, signed, in place of its older version.
    pub(crate) fn add(&self, package: &Pkg<'_>) {
        let path = self.add_unsigned(package);
        self.sign(&path);
    }

    /// The same without a signature.
    pub(crate) fn add_unsigned(&self, package: &Pkg<'_>) -> PathBuf {
        let Pkg { name, version, .. } = package;
        for old in names(&self.path("test")) {
            if old.starts_with(&format!("{name}-")) {
                fs::remove_file(self.path("test").join(old)).unwrap();
            }
        }
        let path = self.path(&format!("test/{name}-{version}-1-any.pkg.tar.zst"));
        Self::build(package, &path);
        path
    }

    /// Writes the database.
    pub(crate) fn publish(&self) {
        let directory = self.path("test");
        let mut add = Command::new("repo-add");
        add.args(["--quiet", "test.db.tar.gz"])
            .current_dir(&directory);
        let mut packages = Vec::new();
        for name in names(&directory) {
            if name.starts_with("test.") {
                fs::remove_file(directory.join(name)).unwrap();
            } else if name.ends_with(".pkg.tar.zst") {
                packages.push(name);
            }
        }
        execute(add.args(packages));
    }

    /// What `pacman.conf` says of it.
    pub(crate) fn section(&self) -> String {
        format!("[test]\nServer = {}/$repo\n", self.files.url)
    }
}
