//! `racker export`: every format is read back by something that is not racker's.

mod support;

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest as _, Sha256};
use support::{Kitchen, Output, Racker, execute, shared, temporary, tool};

/// Everything that a file system has.
const BOX: &str = "
    [[step]]
    run = '''
    mkdir -p /usr/share/made /opt/made /data
    echo one > /usr/share/made/one
    ln /usr/share/made/one /usr/share/made/again
    ln -s one /usr/share/made/link
    cp /usr/share/made/one /opt/made/equal
    head -c 300000 /dev/zero > /opt/made/large
    head -c 5000 /dev/zero > /opt/made/hole
    : > /opt/made/empty
    chown 7:7000 /opt/made/empty
    chmod 4711 /opt/made/equal
    mkfifo /opt/made/pipe
    chmod 1777 /data
    touch -d 2001-02-03T04:05:06.789 /usr/share/made/one
    echo outside > /data/outside
    rm /usr/bin/wc
    '''
";

/// `box` in a small system.
fn small() -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.recipe("box.toml", BOX);
    kitchen.bake("box.toml").success();
    kitchen
}

/// `box` above quickstart.
fn debian() -> Kitchen {
    let kitchen = Kitchen::with_quickstart();
    let base = support::repository().join("recipes/quickstart.toml");
    kitchen.write("box.toml", &format!("from = \"{}\"\n{BOX}", base.display()));
    fs::copy(support::shared_lock(), kitchen.path("box.lock")).unwrap();
    kitchen.bake("box.toml").success();
    kitchen
}

fn export(racker: &Racker, format: &str, name: &str, output: &Path) -> Output {
    let format = format!("--format={format}");
    let output = output.to_str().unwrap();
    racker.run(&["export", &format, name, "-o", output])
}

/// What a script writes that finds the file system image mounted at `$1`, and another path as `$2`.
fn mounted(image: &Path, script: &str, other: &Path) -> Vec<u8> {
    let at = temporary();
    let script = format!("mount -o loop,ro \"$0\" \"$1\"; {script}");
    let mut command = std::process::Command::new(tool("unshare", "util-linux"));
    command.args(["--mount", "sh", "-ec", &script]);
    execute(command.arg(image).arg(at.path()).arg(other))
}

/// The tree that comes of an archive.
fn imported(racker: &Racker, archive: Vec<u8>) -> String {
    racker
        .clone()
        .input(archive)
        .run(&["import", "-", "back"])
        .success();
    racker.tree("back")
}

const TAR: &str = "tar --create --format=posix --xattrs --xattrs-include='*' --numeric-owner -C";

#[test]
fn all_of_a_tree_comes_back() {
    let kitchen = small();
    let racker = &kitchen.racker;
    let whole = racker.tree("box");
    // As an archive, to a file and to standard output.
    let archive = kitchen.path("box.tar");
    export(racker, "tar", "box", &archive).success().silent();
    assert_eq!(imported(racker, fs::read(&archive).unwrap()), whole);
    let out = kitchen.path("out.tar");
    let mut command = racker.command(&["export", "box"]);
    command.stdout(fs::File::create(&out).unwrap());
    assert!(command.status().unwrap().success());
    assert!(fs::read(&out).unwrap() == fs::read(&archive).unwrap());
    // As a directory.
    let directory = kitchen.path("directory");
    export(racker, "dir", "box", &directory).success();
    let mut tar = std::process::Command::new("sh");
    tar.args(["-ec", &format!("{TAR} \"$0\" .")])
        .arg(&directory);
    assert_eq!(imported(racker, execute(&mut tar)), whole);
    // As images; squashfs has whole seconds alone.
    let erofs = kitchen.path("box.erofs");
    export(racker, "erofs", "box", &erofs).success();
    execute(std::process::Command::new(tool("fsck.erofs", "erofs-utils")).arg(&erofs));
    let (script, none) = (format!("{TAR} \"$1\" ."), Path::new(""));
    assert_eq!(imported(racker, mounted(&erofs, &script, none)), whole);
    let squashfs = kitchen.path("box.squashfs");
    export(racker, "squashfs", "box", &squashfs).success();
    let list = "cd \"$1\"; find . -printf '%p %y %m %U %G %Ts %l\\n' | sort; \
                find . -type f -exec sha256sum {} + | sort; find . -samefile usr/share/made/one";
    assert!(mounted(&squashfs, list, none) == mounted(&erofs, list, none));
    // Nothing is left of the work.
    let left = fs::read_dir(kitchen.path("")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    let hidden = |name: &&std::ffi::OsString| name.to_string_lossy().starts_with('.');
    assert_eq!(left.iter().filter(hidden).count(), 0, "{left:?}");
    racker.verify();
}

#[test]
fn times_before_1970() {
    let kitchen = Kitchen::new();
    let recipe = "[[step]]\nrun = \"mkdir -p /opt; touch /opt/old; \
                  touch -d 1960-02-03T04:05:06 /opt/old /opt\"\n";
    kitchen.recipe("old.toml", recipe);
    kitchen.bake("old.toml").success();
    let list = "find \"$1/opt\" -printf '%Ts '";
    for (format, time) in [("erofs", "-312753294"), ("squashfs", "0")] {
        let image = kitchen.path(format);
        export(&kitchen.racker, format, "old", &image).success();
        let found = String::from_utf8(mounted(&image, list, Path::new(""))).unwrap();
        assert_eq!(found, format!("{time} {time} "), "{format}");
    }
    // As an archive and back they are what they were.
    let archive = kitchen.path("old.tar");
    export(&kitchen.racker, "tar", "old", &archive).success();
    let before = kitchen.racker.tree("old");
    assert_eq!(
        imported(&kitchen.racker, fs::read(&archive).unwrap()),
        before
    );
}

#[test]
fn the_same_bytes_come_out_everywhere() {
    let (one, other) = (small(), small());
    let digest = |path: &Path| Sha256::digest(fs::read(path).unwrap());
    for format in ["tar", "erofs", "squashfs"] {
        export(&one.racker, format, "box", &one.path(format)).success();
        let mut elsewhere = other.racker.surround(tool("taskset", "util-linux"));
        let script =
            "umask 077; export TZ=Asia/Tokyo; exec \"$0\" export box -o \"$1\" --format=\"$1\"";
        elsewhere.args(["--cpu-list", "0", "sh", "-c", script]);
        elsewhere.arg(env!("CARGO_BIN_EXE_racker")).arg(format);
        other.racker.finish(elsewhere).success();
        assert_eq!(
            digest(&one.path(format)),
            digest(&other.path(format)),
            "{format}"
        );
        let output = one
            .racker
            .run(&["export", "box", &format!("--format={format}")]);
        let written = Sha256::digest(output.success().stdout);
        assert_eq!(digest(&one.path(format)), written, "{format}");
    }
}

/// Nothing tells of an export that was killed.
#[test]
fn a_killed_export_leaves_nothing() {
    let directory = temporary();
    let output = directory.path().join("x.tar");
    let arguments = ["export", "quickstart", "-o", output.to_str().unwrap()];
    for milliseconds in [50, 150, 300] {
        let mut child = shared().command(&arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = support::names(directory.path());
        assert!(left.iter().all(|name| name == "x.tar"), "{left:?}");
    }
    shared().run(&arguments).success();
    shared().run(&arguments).success();
    assert_eq!(support::names(directory.path()), ["x.tar"]);
}

/// A device that is always full keeps its place, and is told from one that took everything.
#[test]
fn devices_are_written_to() {
    let kitchen = small();
    let (full, null) = (kitchen.path("full"), kitchen.path("null"));
    for (path, minor) in [(&full, 7), (&null, 3)] {
        let device = rustix::fs::makedev(1, minor);
        mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, device).unwrap();
    }
    for format in ["tar", "erofs", "squashfs"] {
        let output = export(&kitchen.racker, format, "box", &full).code(1);
        output.one_message().says("No space left");
        export(&kitchen.racker, format, "box", &null).success();
    }
    let save = ["save", "box", "-o", full.to_str().unwrap()];
    kitchen.racker.run(&save).code(1).says("No space left");
    let bake = ["bake", "box.toml", "--lock", null.to_str().unwrap()];
    let output = kitchen.racker.run(&bake).code(1);
    output.one_message().says("this is no plain file");
    for path in [full, null] {
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        assert!(kind.is_char_device(), "{}", path.display());
    }
}

#[test]
fn an_extension_is_merged_into_the_system_it_is_for() {
    let kitchen = debian();
    let racker = &kitchen.racker;
    let raw = kitchen.path("made.raw");
    let arguments = [
        "export",
        "--format=sysext",
        "--base=quickstart",
        "box",
        "-o",
    ];
    racker
        .run(&[&arguments[..], &[raw.to_str().unwrap()]].concat())
        .success()
        .says("/data/outside: not below /usr or /opt")
        .says("/usr/bin/wc: still there");
    let list = mounted(&raw, "cd \"$1\"; find . ! -type d | sort", Path::new(""));
    assert_eq!(
        String::from_utf8(list).unwrap(),
        "./opt/made/empty\n./opt/made/equal\n./opt/made/hole\n./opt/made/large\n./opt/made/pipe\n\
         ./usr/lib/extension-release.d/extension-release.made\n./usr/share/made/again\n\
         ./usr/share/made/link\n./usr/share/made/one\n"
    );
    // systemd takes it for the base, and not for another system.
    for (system, merged) in [
        ("ID=debian\nVERSION_ID=\"12\"\n", true),
        ("ID=other\n", false),
    ] {
        let host = temporary();
        let at = |path: &str| host.path().join(path);
        for path in ["usr/lib", "opt", "var/lib/extensions/made", "run", "etc"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::write(at("usr/lib/os-release"), system).unwrap();
        let script = "cp -a \"$1/.\" \"$2/var/lib/extensions/made\"";
        mounted(&raw, script, host.path());
        // It wants its own /run, as a system has it.
        let script = "mount --make-rshared /; mount -t tmpfs tmpfs /run; systemd-sysext --root=\"$0\" merge 2>&1 || :; cat \"$0/usr/share/made/one\" 2>/dev/null || :; \
                      systemd-sysext --root=\"$0\" unmerge >/dev/null 2>&1 || :";
        let mut command = std::process::Command::new(tool("unshare", "util-linux"));
        command
            .args(["--mount", "sh", "-c", script])
            .arg(host.path());
        let said = String::from_utf8(execute(&mut command)).unwrap();
        assert_eq!(said.contains("one\n"), merged, "{said}");
    }
}

#[test]
fn containers_go_out_as_they_are() {
    let racker = shared();
    let name = "exported";
    let run = [
        "run",
        "-d",
        "--name",
        name,
        "--systemd=false",
        "quickstart",
        "sleep",
        "1000",
    ];
    racker.run(&run).success();
    let change = [
        "exec",
        name,
        "sh",
        "-c",
        "echo changed > /root/changed; rm /etc/motd",
    ];
    racker.run(&change).success();
    let directory = temporary();
    let archive = directory.path().join("tar");
    export(racker, "tar", name, &archive).success();
    racker.run(&["rm", "-f", name]).success();
    let mut list = std::process::Command::new("tar");
    let list = execute(list.arg("-tf").arg(&archive));
    let list = String::from_utf8(list).unwrap();
    assert!(list.lines().any(|it| it == "root/changed"), "{list}");
    assert!(!list.lines().any(|it| it == "etc/motd"), "{list}");
    assert!(list.lines().any(|it| it == "etc/passwd"), "{list}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let racker = shared();
    let directory = temporary();
    let there = directory.path().join("there");
    fs::create_dir(&there).unwrap();
    let at = there.to_str().unwrap();
    export(racker, "dir", "quickstart", &there)
        .code(1)
        .one_message()
        .says("is there already");
    export(racker, "tar", "nosuch", &directory.path().join("x"))
        .code(1)
        .one_message()
        .says("no image, tree or step: nosuch");
    let sysext = ["export", "--format=sysext", "quickstart", "-o", at];
    racker.run(&sysext).code(2).says("--base");
    let named = [&sysext[..], &["--base=quickstart"]].concat();
    racker.run(&named).code(2).says("called NAME.raw");
    racker
        .run(&["export", "--format=dir", "quickstart"])
        .code(2)
        .says("write -o PATH");
    let image = directory.path().join("image");
    let squashfs = [
        "export",
        "--format=squashfs",
        "quickstart",
        "-o",
        image.to_str().unwrap(),
    ];
    racker
        .without("mksquashfs", &squashfs)
        .code(1)
        .one_message()
        .says("squashfs-tools");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    racker.verify();
}
