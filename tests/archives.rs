//! `racker save` into archives, `load` and `import`, and what other tools make of them.

#[path = "support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod registry;
mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use bzip2::write::BzEncoder;
use registry::{layout, tool};
use support::podman::Podman;
use support::{Kitchen, Racker, execute};

const BOX: &str = "
    [[step]]
    run = \"mkdir /data; echo one > /data/one; rm /usr/bin/wc\"
    [[step]]
    run = \"true\"
    [[step]]
    run = \"echo two > /data/two\"
    [image]
    cmd = [\"cat\", \"/data/two\"]
";

fn kitchen() -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.recipe("box.toml", BOX);
    kitchen.bake("box.toml").success();
    kitchen
}

/// racker with a store in which there is nothing.
fn other(kitchen: &Kitchen, name: &str) -> Racker {
    Racker::new(&kitchen.path(name)).at(&kitchen.path(""))
}

fn loaded(racker: &Racker, arguments: &[&str]) -> Vec<String> {
    let output = racker.run(arguments).success();
    let names = output.text().lines();
    names
        .map(|line| line.strip_prefix("Loaded image: ").unwrap().to_owned())
        .collect()
}

#[test]
fn docker_archives_go_round() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let expected = racker.tree("box");
    racker.run(&["tag", "box", "quay.io/team/box:2"]).success();
    racker
        .run(&["save", "-o", "both.tar", "box", "quay.io/team/box:2"])
        .success()
        .silent();
    // The same from standard output, and every time.
    let output = racker.run(&["save", "box", "quay.io/team/box:2"]).success();
    assert!(output.stdout == fs::read(kitchen.path("both.tar")).unwrap());
    let dash = ["save", "-o", "-", "box", "quay.io/team/box:2"];
    assert!(racker.run(&dash).success().stdout == output.stdout);
    // Every layer is there once.
    let list = tool("tar", &["-tf", kitchen.path("both.tar").to_str().unwrap()]);
    let count = |end: &str| list.lines().filter(|it| it.ends_with(end)).count();
    assert_eq!((count(".tar"), count(".json")), (3, 2), "{list}");
    let there = other(&kitchen, "there");
    let names = loaded(&there, &["load", "-i", "both.tar"]);
    assert_eq!(names, ["box", "quay.io/team/box:2"]);
    for name in names {
        assert_eq!(there.tree(&name), expected);
    }
    there.verify();
    // Out again it is the same archive: the configuration was kept as it came.
    there
        .run(&["save", "-o", "again.tar", "box", "quay.io/team/box:2"])
        .success();
    assert!(fs::read(kitchen.path("again.tar")).unwrap() == output.stdout);
    let dash = other(&kitchen, "dash").input(output.stdout.clone());
    assert_eq!(loaded(&dash, &["load", "-q", "-i", "-"]).len(), 2);
    assert!(!kitchen.path("-").exists());
    let stdin = other(&kitchen, "stdin").input(output.stdout);
    assert_eq!(loaded(&stdin, &["load"]).len(), 2);
    // One of them by its short name, and one from an archive that is compressed as a whole.
    let both = kitchen.path("both.tar");
    execute(
        Command::new(support::tool("gzip", "gzip"))
            .arg("-1")
            .arg(&both),
    );
    let short = other(&kitchen, "short");
    assert_eq!(
        loaded(&short, &["pull", "docker-archive:again.tar:box"]),
        ["box"]
    );
    let one = other(&kitchen, "one");
    let names = loaded(
        &one,
        &["pull", "docker-archive:both.tar.gz:quay.io/team/box:2"],
    );
    assert_eq!(names, ["quay.io/team/box:2"]);
    assert_eq!(
        one.run(&["images", "--ids"])
            .success()
            .text()
            .lines()
            .count(),
        1
    );
    assert_eq!(
        support::names(&one.store().join("stage")),
        Vec::<String>::new()
    );
}

#[test]
fn oci_archives_go_round() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let expected = racker.tree("box");
    let digest = racker
        .run(&["save", "box", "oci:layout"])
        .success()
        .text()
        .to_owned();
    for encoding in ["gzip", "zstd", "none"] {
        let target = format!("oci-archive:{encoding}.tar");
        let output = racker
            .run(&["save", "box", &target, "--compression", encoding])
            .success();
        assert_eq!(output.text() == digest, encoding == "gzip");
        let there = other(&kitchen, encoding);
        assert_eq!(
            loaded(&there, &["load", "-i", &format!("{encoding}.tar")]),
            ["box"]
        );
        assert_eq!(there.tree("box"), expected);
        let again = there
            .run(&["save", "box", "oci-archive:again.tar"])
            .success();
        assert_eq!(again.text(), output.text());
        let first = fs::read(kitchen.path(&format!("{encoding}.tar"))).unwrap();
        assert!(first == fs::read(kitchen.path("again.tar")).unwrap());
        // As a base, and from its directory.
        kitchen.write(
            "on.toml",
            &format!("name = \"on-{encoding}\"\nfrom = \"oci-archive:{encoding}.tar\"\n"),
        );
        kitchen.bake("on.toml").success();
        assert_eq!(racker.tree(&format!("on-{encoding}")), expected);
    }
    let there = other(&kitchen, "directory");
    assert_eq!(loaded(&there, &["load", "-i", "layout"]), ["box"]);
    assert_eq!(loaded(&there, &["pull", "oci:layout:latest"]), ["box"]);
    there.verify();
    let copy = format!("oci:{}:x", kitchen.path("copied").display());
    let source = format!("oci-archive:{}", kitchen.path("gzip.tar").display());
    tool("skopeo", &["copy", "--quiet", &source, &copy]);
    let root = registry::unpack(&copy, &kitchen.path("bundle"));
    assert_eq!(fs::read_to_string(root.join("data/two")).unwrap(), "two\n");
}

#[test]
fn podman_loads_what_is_saved_and_saves_what_is_loaded() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let expected = racker.tree("box");
    racker.run(&["save", "-o", "docker.tar", "box"]).success();
    racker
        .run(&["save", "box", "oci-archive:oci.tar:box"])
        .success();
    for kind in ["docker", "oci"] {
        let podman = Podman::new(&kitchen.path(&format!("podman-{kind}")));
        let file = kitchen.path(&format!("{kind}.tar"));
        podman.run(&["load", "--quiet", "--input", file.to_str().unwrap()]);
        assert_eq!(podman.contain("localhost/box", &[]), "two\n");
        for format in ["docker-archive", "oci-archive"] {
            let name = format!("{kind}-{format}.tar");
            let file = kitchen.path(&name);
            let output = file.to_str().unwrap();
            podman.run(&[
                "save",
                "--quiet",
                "--format",
                format,
                "--output",
                output,
                "localhost/box",
            ]);
            let there = other(&kitchen, &format!("{kind}-{format}"));
            assert_eq!(loaded(&there, &["load", "-i", &name]), ["box"]);
            assert_eq!(there.tree("box"), expected);
            there.verify();
        }
    }
}

#[test]
fn what_skopeo_and_umoci_write_is_loaded() {
    let kitchen = Kitchen::new();
    let racker = &kitchen.racker;
    kitchen.recipe("plain.toml", "");
    kitchen.bake("plain.toml").success();
    let source = layout(&kitchen.path("made"), &[support::mini()]);
    let copy = |target: String| tool("skopeo", &["copy", "--quiet", &source, &target]);
    let path = |name: &str| kitchen.path(name).display().to_string();
    copy(format!("oci-archive:{}:v1", path("My_box.tar")));
    copy(format!("docker-archive:{}:team/mini:3", path("docker.tar")));
    copy(format!("docker-archive:{}", path("nameless.tar")));
    for (file, name) in [
        ("made", "made:test"),
        ("My_box.tar", "my-box:v1"),
        ("docker.tar", "team/mini:3"),
    ] {
        assert_eq!(loaded(racker, &["load", "-i", file]), [name]);
        assert_eq!(racker.tree(name), racker.tree("plain"));
    }
    let [nameless] = &loaded(racker, &["load", "-i", "nameless.tar"])[..] else {
        panic!("one image has one name");
    };
    assert_eq!(nameless.len(), 12);
    assert_eq!(racker.tree(nameless), racker.tree("plain"));
    racker.verify();
}

#[test]
fn root_filesystems_are_imported() {
    let kitchen = Kitchen::new();
    let racker = &kitchen.racker;
    let mini = support::mini();
    let imported = racker
        .run(&["import", mini.to_str().unwrap(), "mini:1"])
        .success();
    assert_eq!(imported.text(), "mini:1\n");
    let run = racker
        .run(&["run", "--rm", "mini:1", "head", "-n1", "/etc/group"])
        .success();
    assert_eq!(run.text(), "root:x:0:\n");
    let bytes = fs::read(mini).unwrap();
    let piped = racker.clone().input(bytes).run(&["import", "-"]).success();
    let name = piped.text().trim().to_owned();
    assert!(racker.tree("mini:1").starts_with(&name), "{name}");
    assert_eq!(racker.tree(&name), racker.tree("mini:1"));
    let mut packed = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packed.write_all(&fs::read(mini).unwrap()).unwrap();
    fs::write(kitchen.path("mini.tar.bz2"), packed.finish().unwrap()).unwrap();
    racker.run(&["import", "mini.tar.bz2", "packed"]).success();
    assert_eq!(racker.tree("packed"), racker.tree("mini:1"));
    racker.run(&["rmi", "packed"]).success();
    // What goes in comes out.
    racker.run(&["save", "-o", "mini.tar", "mini:1"]).success();
    let archive = kitchen.path("mini.tar");
    execute(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .current_dir(kitchen.path("")),
    );
    let hex = format!("{}.tar", sha256(mini));
    assert!(fs::read(kitchen.path(&hex)).unwrap() == fs::read(mini).unwrap());
    racker
        .run(&["import", "none.tar", "x"])
        .code(1)
        .says("none.tar")
        .one_message();
    racker
        .run(&["import", "mini.tar", "X"])
        .code(1)
        .says("lowercase")
        .one_message();
    kitchen.write("empty.tar", "");
    racker
        .run(&["import", "empty.tar", "x"])
        .code(1)
        .says("it is empty")
        .one_message();
    kitchen.write("text.tar", &"no archive ".repeat(100));
    racker
        .run(&["import", "text.tar", "x"])
        .code(1)
        .says("text.tar")
        .one_message();
    assert!(
        racker
            .run(&["images", "--ids"])
            .success()
            .text()
            .lines()
            .count()
            == 2
    );
    racker.verify();
}

/// Anybody can write an archive: what is called by a digest must have it.
#[test]
fn a_digest_in_a_name_is_not_believed() {
    let kitchen = kitchen();
    kitchen
        .racker
        .run(&["save", "box", "oci:layout:1"])
        .success();
    kitchen
        .racker
        .run(&["save", "box", "-o", "box.tar"])
        .success();
    let there = other(&kitchen, "there");
    let foreign = format!("a.example/t@sha256:{}", "0".repeat(64));
    let at = |name: &str| kitchen.path(name).display().to_string();
    fs::create_dir(kitchen.path("parts")).unwrap();
    tool("tar", &["-xf", &at("box.tar"), "-C", &at("parts")]);
    let list = fs::read_to_string(kitchen.path("parts/manifest.json")).unwrap();
    let mut list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list[0]["RepoTags"] = serde_json::json!(["a.example/good:1", foreign]);
    kitchen.write("parts/manifest.json", &list.to_string());
    tool("tar", &["-cf", &at("forged.tar"), "-C", &at("parts"), "."]);
    let output = there.run(&["load", "-i", "forged.tar"]).code(1);
    output.one_message().says(&foreign);
    let index = fs::read_to_string(kitchen.path("layout/index.json")).unwrap();
    let mut index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let mut call = |name: &str| {
        index["manifests"][0]["annotations"]["io.containerd.image.name"] = name.into();
        kitchen.write("layout/index.json", &index.to_string());
    };
    call(&foreign);
    for arguments in [["load", "-i", "layout"], ["pull", "oci:layout:1", "-q"]] {
        let output = there.run(&arguments).code(1);
        output.one_message().says(&foreign);
    }
    assert_eq!(there.run(&["images", "-q"]).success().text(), "");
    there.verify();
    // The right one is believed.
    let own = format!("a.example/t@{digest}");
    call(&own);
    assert_eq!(loaded(&there, &["load", "-i", "layout"]), [&*own]);
    // By its digest an image is found under whatever tag it has, and by no other.
    call("a.example/tagged:2");
    loaded(&there, &["load", "-i", "layout"]);
    let expected = there.tree(&own);
    let pinned = format!("a.example/tagged@{digest}");
    assert_eq!(there.tree(&pinned), expected);
    there
        .run(&["pull", "--offline", &pinned])
        .success()
        .says("up to date");
    let absent = foreign.replace("/t@", "/tagged@");
    there.run(&["inspect", &absent]).code(1);
    there.run(&["pull", "--offline", &absent]).code(1);
}

fn sha256(path: &Path) -> String {
    let output = execute(Command::new("sha256sum").arg(path));
    String::from_utf8(output).unwrap()[..64].to_owned()
}

#[test]
fn mistakes_are_named_and_leave_nothing() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let noise: Vec<u8> = (0..6_000_000_u32)
        .flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(kitchen.path("noise"), noise).unwrap();
    for (arguments, code, message) in [
        (&["import", "noise", "x"][..], 1, "header"),
        (&["save", "-o", "x.tar", "nothing"], 1, "no such image"),
        (&["save", "-o", "none/x.tar", "box"], 1, "none/x.tar"),
        (
            &["save", "-o", "x.tar", "box", "oci:y"],
            2,
            "one image goes to one destination",
        ),
        (
            &["save", "box", "box", "oci:y"],
            2,
            "one image goes to one destination",
        ),
        (&["save", "box", "oci-archive:"], 2, "oci-archive:FILE"),
        (
            &["save", "box", "--compression=gzip", "-o", "x.tar"],
            2,
            "not compressed",
        ),
        (&["load", "-i", "none.tar"], 1, "none.tar"),
        (&["load", "-i", "box.toml"], 1, "box.toml"),
        (&["pull", "oci:none"], 1, "none"),
        (
            &["pull", "docker-archive:good.tar:other"],
            1,
            "no image tagged `other:latest`",
        ),
    ] {
        racker.run(&["save", "-o", "good.tar", "box"]).success();
        let before = support::names(&kitchen.path(""));
        racker.run(arguments).code(code).says(message).one_message();
        assert_eq!(support::names(&kitchen.path("")), before, "{arguments:?}");
    }
    // An archive that is cut off, or that has another layer than it says.
    let good = fs::read(kitchen.path("good.tar")).unwrap();
    let there = other(&kitchen, "there");
    for (cut, message) in [
        (0, "it is empty"),
        (100, "not a tar file"),
        (512, "cut off"),
        (good.len() / 2, "cut off"),
        (good.len() - 2000, "cut off"),
    ] {
        fs::write(kitchen.path("bad.tar"), &good[..cut]).unwrap();
        there
            .run(&["load", "-i", "bad.tar"])
            .code(1)
            .says("bad.tar")
            .says(message)
            .one_message();
    }
    execute(Command::new("gzip").arg("-k").arg(kitchen.path("good.tar")));
    let packed = fs::read(kitchen.path("good.tar.gz")).unwrap();
    fs::write(kitchen.path("bad.tar"), &packed[..packed.len() / 2]).unwrap();
    there
        .run(&["load", "-i", "bad.tar"])
        .code(1)
        .says("cut off")
        .one_message();
    // What is no archive at all is not sent to the terminal.
    fs::write(kitchen.path("bad.tar"), b"\x1b[31m\x07".repeat(1000)).unwrap();
    let output = there.run(&["load", "-i", "bad.tar"]).code(1);
    let output = output.says("not a tar file").one_message();
    assert!(
        !output.stderr.contains(['\x1b', '\x07']),
        "{}",
        output.stderr
    );
    // Nor is a root filesystem an archive of images.
    execute(
        Command::new("tar")
            .arg("-cf")
            .arg(kitchen.path("bad.tar"))
            .args(["-C", "/etc", "hostname"]),
    );
    there
        .run(&["load", "-i", "bad.tar"])
        .code(1)
        .says("it has no images")
        .says("hint: a root filesystem becomes an image with racker import");
    let mut bad = good.clone();
    bad[700] ^= 1;
    fs::write(kitchen.path("bad.tar"), &bad).unwrap();
    let output = there.run(&["load", "-i", "bad.tar"]).one_message();
    assert!(matches!(output.code, Some(1 | 102)), "{}", output.report());
    assert_eq!(there.run(&["images"]).success().text().lines().count(), 1);
    there.verify();
}
