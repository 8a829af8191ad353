//! A root filesystem that is made in a moment.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{execute, once, scratch, temporary, tool};

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
