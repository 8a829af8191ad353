//! Root filesystems with a few files and the database of a real package manager.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::support::{execute, temporary, tool};

/// Where rpm keeps its database in these roots.
pub(crate) const RPM: &str = "usr/lib/sysimage/rpm";

/// Packs a root with everything root's, and times of its own.
pub(crate) fn pack(root: &Path, archive: &Path) {
    let mut command = Command::new("tar");
    command.args(["--sort=name", "--mtime=@1000", "--owner=0", "--group=0"]);
    execute(command.arg("-C").arg(root).arg("-cf").arg(archive).arg("."));
}

pub(crate) fn write(root: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn os_release(root: &Path, id: &str, version: &str) {
    let text = format!("NAME=\"The {id}\"\nID={id}\nVERSION_ID=\"{version}\"\n");
    write(root, "usr/lib/os-release", text);
}

/// A package for rpm.
pub(crate) struct Rpm<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) licence: &'a str,
    /// Paths, each with a text.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

/// Builds packages with rpmbuild and installs them with rpm, into a root.
pub(crate) fn rpm(root: &Path, packages: &[Rpm<'_>]) {
    let work = temporary();
    for package in packages {
        execute(&mut install_rpm(root, &build_rpm(&work, package, "")));
    }
}

/// The same for one package, in the middle of which rpm is killed: it is installed, and its
/// database not checked in.
pub(crate) fn killed_rpm(root: &Path, package: &Rpm<'_>) {
    let work = temporary();
    let script = "%post -p <lua>\nposix.kill(posix.getprocessid('pid'), 9)\n";
    let status = install_rpm(root, &build_rpm(&work, package, script)).status();
    assert_eq!(status.unwrap().signal(), Some(9));
}

fn install_rpm(root: &Path, package: &Path) -> Command {
    let mut command = Command::new(tool("rpm", "rpm"));
    command.arg("--root").arg(root);
    command.args(["--dbpath", &format!("/{RPM}")]);
    command.args(["--define", "_db_backend sqlite"]);
    command.arg("-U").arg(package);
    command
}

fn build_rpm(work: &TempDir, package: &Rpm<'_>, script: &str) -> PathBuf {
    let Rpm {
        name,
        version,
        licence,
        files,
    } = package;
    let mut install = String::new();
    let mut list = String::new();
    for (path, text) in *files {
        install += &format!(
            "mkdir -p $(dirname %{{buildroot}}{path}); printf '%s' '{text}' >%{{buildroot}}{path}\n"
        );
        list += &format!("{path}\n");
    }
    let spec = format!(
        "Name: {name}\nVersion: {version}\nRelease: 1\nEpoch: 2\nSummary: A package\n\
         License: {licence}\nURL: https://example.org/{name}\nVendor: Example Works\n\
         Packager: A Body <a@example.org>\nBuildArch: noarch\n\
         %description\nIt has files.\n%install\n{install}{script}%files\n{list}"
    );
    let path = work.path().join("package.spec");
    fs::write(&path, spec).unwrap();
    let top = work.path().join("top");
    let mut command = Command::new(tool("rpmbuild", "rpm"));
    command.args(["--quiet", "-bb", "--define"]);
    command.arg(format!("_topdir {}", top.display()));
    execute(command.arg(path));
    top.join(format!("RPMS/noarch/{name}-{version}-1.noarch.rpm"))
}

/// Makes a package of these files and installs it with pacman.
pub(crate) fn pacman(root: &Path, name: &str, version: &str, files: &[(&str, &str)]) {
    let work = temporary();
    let content = work.path().join("content");
    for (path, text) in files {
        write(&content, path, text);
    }
    let info = format!(
        "pkgname = {name}\npkgbase = {name}-all\npkgver = {version}\npkgdesc = Has files\n\
         url = https://example.org/{name}\nbuilddate = 1000\npackager = A Body <a@example.org>\n\
         size = 6\narch = any\nlicense = MIT\nlicense = custom:{name}\n"
    );
    write(&content, ".PKGINFO", info);
    let package = work
        .path()
        .join(format!("{name}-{version}-any.pkg.tar.zst"));
    let mut names: Vec<_> = fs::read_dir(&content)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    let mut pack = Command::new(tool("bsdtar", "libarchive-tools"));
    pack.args(["--zstd", "--uid", "0", "--gid", "0", "-C"]);
    execute(pack.arg(&content).arg("-cf").arg(&package).args(names));
    let config = work.path().join("pacman.conf");
    fs::write(
        &config,
        "[options]\nArchitecture = auto\nSigLevel = Never\n",
    )
    .unwrap();
    fs::create_dir_all(root.join("var/lib/pacman")).unwrap();
    let mut command = Command::new(tool("pacman", "pacman-package-manager"));
    command.arg("--root").arg(root);
    command.arg("--dbpath").arg(root.join("var/lib/pacman"));
    command.arg("--config").arg(config);
    for option in ["--cachedir", "--hookdir", "--gpgdir", "--logfile"] {
        command.arg(option).arg(work.path().join(&option[2..]));
    }
    command.args(["--noconfirm", "--noscriptlet", "-U"]);
    execute(command.arg(package));
}
