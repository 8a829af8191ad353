//! Files that go in and out, and what a container changed.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{Kitchen, Racker, shared, temporary};
use crate::{BOTH, Container};

#[test]
fn copying() {
    let place = temporary();
    let at = |name: &str| place.path().join(name).display().to_string();
    fs::create_dir_all(at("dir/sub")).unwrap();
    fs::write(at("dir/sub/file"), "text").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("dir/link")).unwrap();
    for (number, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("copy{number}"), way, &["sleep", "1000"]);
        let inside = |path: &str| format!("{}:{path}", container.name);
        let racker = shared();
        racker.run(&["cp", &at("dir"), &inside("/srv")]).success();
        assert_eq!(
            container.sh("cat /srv/dir/sub/file; stat -c %u /srv/dir/sub/file"),
            "text0\n"
        );
        assert_eq!(container.sh("readlink /srv/dir/link"), "/etc/passwd\n");
        racker
            .run(&["cp", &at("dir/sub/file"), &inside("/srv/new")])
            .success();
        racker
            .run(&["cp", &at("dir/."), &inside("/srv/all")])
            .success();
        assert_eq!(container.sh("cat /srv/new; ls /srv/all"), "textlink\nsub\n");
        racker
            .run(&["cp", &inside("/srv/dir"), &at(&format!("back{number}"))])
            .success();
        assert_eq!(
            fs::read_to_string(at(&format!("back{number}/sub/file"))).unwrap(),
            "text"
        );
        // Links in the container lead nowhere else.
        container.sh("ln -s / /srv/root; ln -s ../../../../../../etc /srv/up");
        let secret = at("secret");
        fs::write(&secret, "the host's").unwrap();
        let path = format!("/srv/root{secret}");
        racker.run(&["cp", &inside(&path), "-"]).code(1);
        racker
            .run(&["cp", &at("dir/sub/file"), &inside("/srv/up/racker-escape")])
            .success();
        assert!(!Path::new("/etc/racker-escape").exists());
        assert_eq!(container.sh("cat /etc/racker-escape"), "text");
        // A stopped one has the same files.
        container.run(&["stop", "-t", "0"], &[]).success();
        racker
            .run(&["cp", &at("dir/sub/file"), &inside("/srv/later")])
            .success();
        let tar = racker.run(&["cp", &inside("/srv/later"), "-"]).success();
        assert!(tar.text().contains("text"));
        container.run(&["start"], &[]).success();
        assert_eq!(container.sh("cat /srv/later"), "text");
        racker
            .run(&["cp", &inside("/no/such"), &at("x")])
            .code(1)
            .says("/no/such");
        racker
            .run(&["cp", &at("dir"), &inside("/etc/passwd")])
            .code(1)
            .says("cannot copy directory");
        racker
            .run(&["cp", &at("no"), &inside("/srv")])
            .code(1)
            .says(&at("no"));
        // What is no plain file keeps its place, on either side.
        let null = at(&format!("null{number}"));
        let device = rustix::fs::makedev(1, 3);
        mknodat(CWD, &null, FileType::CharacterDevice, Mode::RWXU, device).unwrap();
        let refused = |from: &str, to: &str| {
            let output = racker.run(&["cp", from, to]).code(1);
            output.one_message().says("is no plain file");
        };
        refused(&inside("/etc/passwd"), &null);
        refused(&at("dir/sub/file"), &inside("/dev/null"));
        let kind = fs::symlink_metadata(&null).unwrap().file_type();
        assert!(kind.is_char_device());
        container.sh("test -c /dev/null");
    }
}

#[test]
fn a_whole_root_is_copied_while_it_lives() {
    let place = temporary();
    let container = Container::start("whole", BOTH[0], &["sleep", "1000"]);
    // Processes come and go, and files.
    let busy = "while :; do : >/srv/x; rm /srv/x; /bin/true; done";
    container
        .run(&["exec", "-d"], &["sh", "-c", busy])
        .success();
    let to = place.path().join("root");
    let from = format!("{}:/", container.name);
    shared().run(&["cp", &from, to.to_str().unwrap()]).success();
    let inside = container.sh("cat /etc/passwd");
    let passwd = fs::read_to_string(to.join("etc/passwd")).unwrap();
    assert_eq!(inside, passwd);
    assert!(to.join("usr/bin/env").exists());
    // What the kernel shows of itself is no file.
    assert!(fs::read_dir(to.join("proc")).unwrap().next().is_none());
    let entries = walkdir::WalkDir::new(to.join("sys"));
    assert!(
        entries
            .into_iter()
            .all(|it| !it.unwrap().file_type().is_file())
    );
}

#[test]
fn differences_become_an_image() {
    for (number, way) in BOTH.iter().enumerate() {
        let container = Container::start(&format!("commit{number}"), way, &["sleep", "1000"]);
        container
            .sh("echo new > /srv/new; chmod 600 /etc/passwd; rm /etc/issue; chown 33:33 /srv/new");
        let output = container.run(&["diff"], &[]).success().into_text();
        for line in ["A /srv/new", "C /etc/passwd", "D /etc/issue", "C /srv"] {
            assert!(output.lines().any(|it| it == line), "{line}:\n{output}");
        }
        assert!(
            !output.contains("/etc/hosts") && !output.contains("/etc/resolv.conf"),
            "{output}"
        );
        let name = format!("committed{number}-{}", std::process::id());
        let change = "CMD [\"stat\", \"-c\", \"%u %a\", \"/srv/new\"]";
        let arguments = [
            "commit",
            "-m",
            "why",
            "--change",
            change,
            "--change=EXPOSE 80 90/udp",
            "--change=LABEL a=\"b c\" d=e",
            "--change=ENV A=1 B=2",
            "--change=VOLUME /srv/one /srv/two",
            &container.name,
            &name,
        ];
        shared().run(&arguments).success();
        let wanted = [
            (
                "{{json .config.config.ExposedPorts}}",
                r#"{"80/tcp":{},"90/udp":{}}"#,
            ),
            (
                "{{json .config.config.Volumes}}",
                r#"{"/srv/one":{},"/srv/two":{}}"#,
            ),
            (
                "{{.config.config.Labels.a}}-{{.config.config.Labels.d}}",
                "b c-e",
            ),
        ];
        for (template, text) in wanted {
            let output = shared().run(&["inspect", "--format", template, &name]);
            assert_eq!(output.success().text().trim_end(), text);
        }
        let variables = [
            "run",
            "--rm",
            "--systemd=false",
            &name,
            "sh",
            "-c",
            "echo $A$B",
        ];
        assert_eq!(shared().run(&variables).success().text(), "12\n");
        let refused = ["commit", "--change", "ONBUILD RUN x", &container.name];
        shared()
            .run(&refused)
            .code(1)
            .says("ONBUILD is not supported");
        let output = shared()
            .run(&["run", "--rm", "--systemd=false", &name])
            .success();
        assert_eq!(output.text(), "33 644\n");
        let output = shared().run(&["run", "--rm", &name, "sh", "-c", "test ! -e /etc/issue"]);
        output.success();
        shared().run(&["rmi", &name]).success();
    }
}

/// What an image becomes of it does not depend on who has the image's name by now, or whether
/// somebody has it at all.
#[test]
fn an_image_of_a_container_outlives_its_base() {
    let kitchen = Kitchen::new();
    kitchen.recipe("mini.toml", "[image]\nenv = { FROM = \"base\" }\n");
    kitchen.bake("mini.toml").success();
    let racker = &kitchen.racker;
    let of = |arguments: &[&str]| racker.run(arguments).success().into_text();
    let rows = |image: &str| of(&["history", "--quiet", image]).lines().count();
    let before = rows("mini");
    let name = format!("based-{}", std::process::id());
    of(&["create", "--name", &name, "mini", "true"]);
    for number in 1..=2 {
        of(&["commit", &name, "mini"]);
        assert_eq!(rows("mini"), before + 1, "commit {number}");
    }
    // Nothing has the base's name any more, and nothing keeps it but the container.
    of(&["rmi", "mini"]);
    of(&["store", "gc", "--older-than", "0"]);
    of(&["commit", &name, "whole"]);
    assert_eq!(rows("whole"), before + 1);
    let archive = kitchen.path("whole.tar");
    of(&["save", "-o", archive.to_str().unwrap(), "whole"]);
    let other = Kitchen::new();
    let elsewhere = &other.racker;
    let load = ["load", "-i", archive.to_str().unwrap()];
    elsewhere.run(&load).success();
    let run = ["run", "--rm", "whole", "sh", "-c", "echo $FROM"];
    assert_eq!(elsewhere.run(&run).success().text(), "base\n");
    // One that was made before that was written down.
    fs::remove_file(
        racker
            .store()
            .join("containers")
            .join(id(racker, &name))
            .join("image.json"),
    )
    .unwrap();
    of(&["rmi", "whole"]);
    of(&["commit", &name, "bare"]);
    of(&["save", "-o", archive.to_str().unwrap(), "bare"]);
    elsewhere.run(&load).success();
    let run = ["run", "--rm", "bare", "sh", "-c", "echo all"];
    assert_eq!(elsewhere.run(&run).success().text(), "all\n");
    of(&["rm", &name]);
}

/// The short id of a container.
fn id(racker: &Racker, name: &str) -> String {
    let id = racker
        .run(&["inspect", "--format", "{{.Id}}", name])
        .success();
    id.text()[..12].to_owned()
}
