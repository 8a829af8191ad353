use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn step(from: &str) -> CopyStep {
    CopyStep {
        from: from.to_owned(),
        to: "/srv/".to_owned(),
        ..CopyStep::default()
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn shown(inputs: &Inputs) -> Vec<String> {
    let show = |it: &Input| {
        format!(
            "{} {} {}",
            it.mode,
            it.path.display(),
            matches!(it.kind, InputKind::File { .. })
        )
    };
    inputs.entries.iter().map(show).collect()
}

#[test]
fn reads_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let site = directory.path().join("site");
    write(&site.join("index.html"), "x", 0o600);
    write(&site.join("cgi/run"), "y", 0o711);
    symlink("/dev/null", site.join("null")).unwrap();
    let inputs = Inputs::read(directory.path(), &step("site/")).unwrap();
    assert_eq!(
        shown(&inputs),
        [
            "0755 cgi false",
            "0755 cgi/run true",
            "0644 index.html true",
            "0777 null false"
        ]
    );
    let target = inputs.target(&step("site/"), &inputs.entries[1]);
    assert_eq!(target, Path::new("/srv/cgi/run"));

    let stated = CopyStep {
        mode: Some(Mode::new(0o640)),
        ..step("site")
    };
    let stated = Inputs::read(directory.path(), &stated).unwrap();
    assert_eq!(shown(&stated)[..2], ["0750 cgi false", "0640 cgi/run true"]);

    let before = inputs.document();
    fs::set_permissions(site.join("index.html"), fs::Permissions::from_mode(0o666)).unwrap();
    let file = File::options()
        .write(true)
        .open(site.join("index.html"))
        .unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(
        Inputs::read(directory.path(), &step("site"))
            .unwrap()
            .document(),
        before
    );
    fs::write(site.join("index.html"), "z").unwrap();
    assert_ne!(
        Inputs::read(directory.path(), &step("site"))
            .unwrap()
            .document(),
        before
    );
}

#[test]
fn reads_a_file_and_a_link_to_it() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("real"), "x", 0o644);
    symlink("real", directory.path().join("link")).unwrap();
    let inputs = Inputs::read(directory.path(), &step("link")).unwrap();
    assert_eq!(shown(&inputs), ["0644 link true"]);
    assert_eq!(
        inputs.target(&step("link"), &inputs.entries[0]),
        Path::new("/srv/link")
    );
    let exact = CopyStep {
        to: "/srv/page".to_owned(),
        ..step("link")
    };
    assert_eq!(
        inputs.target(&exact, &inputs.entries[0]),
        Path::new("/srv/page")
    );
}

#[test]
fn stays_in_the_directory() {
    let outside = tempfile::tempdir().unwrap();
    let directory = outside.path().join("recipe");
    fs::create_dir(&directory).unwrap();
    write(&outside.path().join("secret"), "x", 0o644);
    symlink("../secret", directory.join("link")).unwrap();
    symlink("..", directory.join("up")).unwrap();
    for from in ["link", "up/secret", "up"] {
        let error = Inputs::read(&directory, &step(from)).unwrap_err();
        assert!(matches!(error, Error::Outside { .. }), "{from}: {error}");
    }
    let error = Inputs::read(&directory, &step("none")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("none: No such file or directory (os error 2)"),
        "{error}"
    );
    for (name, kind, hint) in [
        ("pipe", rustix::fs::FileType::Fifo, "mkfifo"),
        ("device", rustix::fs::FileType::CharacterDevice, "--device"),
    ] {
        let (path, mode) = (directory.join(name), rustix::fs::Mode::RUSR);
        let null = rustix::fs::makedev(1, 3);
        match rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, null) {
            // Unit tests may run without root.
            Err(rustix::io::Errno::PERM) if name == "device" => continue,
            other => other.unwrap(),
        }
        let error = Inputs::read(&directory, &step(name)).unwrap_err();
        assert!(
            error.to_string().contains(&format!("is a {name}")),
            "{error}"
        );
        assert!(error.hints()[0].contains(hint), "{error}");
    }
    let _listener = std::os::unix::net::UnixListener::bind(directory.join("socket")).unwrap();
    let error = Inputs::read(&directory, &step("socket")).unwrap_err();
    assert!(matches!(error, Error::Special { .. }), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_escaped() {
    assert_eq!(escape(b"a\\b\xff/c"), "a\\\\b\\xff/c");
}
