//! What a recipe can build on, and what is said where that is not to be had.

use std::fs;
use std::process::Command;

use sha2::Digest as _;

use super::makes;
use super::support::{Kitchen, execute, mini, tool};

#[test]
fn a_base_that_is_not_there() {
    let kitchen = Kitchen::new();
    for from in [
        "./none.tar",
        "./none.tar.gz",
        "oci:none",
        "docker-archive:none.tar",
    ] {
        kitchen.write("base.toml", &format!("from = \"{from}\"\n"));
        let output = kitchen.bake("base.toml").one_message().says("none");
        assert!(matches!(output.code, Some(1 | 2)), "{}", output.report());
    }
    kitchen.write("base.toml", "from = \"./none.toml\"\n");
    kitchen.bake("base.toml").code(2).says("none.toml");
    kitchen
        .bake("missing.toml")
        .code(2)
        .one_message()
        .says("missing.toml");
    kitchen.racker.verify();
}

#[test]
fn a_base_that_is_broken() {
    let kitchen = Kitchen::new();
    kitchen.write("text.tar", "this is no archive\n");
    let whole = fs::read(mini()).unwrap();
    fs::write(kitchen.path("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    fs::write(kitchen.path("empty.tar.gz"), "").unwrap();
    for from in ["text.tar", "cut.tar", "empty.tar.gz"] {
        kitchen.write("base.toml", &format!("from = \"./{from}\"\n"));
        kitchen.bake("base.toml").code(1).one_message().says(from);
        kitchen.racker.verify();
    }
}

#[test]
fn a_registry_that_cannot_be_reached() {
    let kitchen = Kitchen::new();
    kitchen.write("net.toml", "from = \"127.0.0.1:1/some/image:tag\"\n");
    let output = kitchen.bake("net.toml").code(1).one_message();
    output.says("127.0.0.1:1").says("hint:");
    let output = kitchen
        .racker
        .run(&["pull", "127.0.0.1:1/some/image:tag"])
        .code(1)
        .one_message();
    output.says("127.0.0.1:1").says("hint:");
    let output = kitchen
        .racker
        .run(&["--offline", "bake", "net.toml"])
        .code(1)
        .one_message();
    output.says("hint:");
    kitchen.racker.verify();
}

#[test]
fn a_root_filesystem_with_another_digest() {
    let kitchen = Kitchen::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    let from = |digest: &str| {
        format!(
            "from = {{ rootfs = \"{}\", digest = \"{digest}\" }}\n",
            mini().display()
        )
    };
    kitchen.write("root.toml", &from(&digest));
    kitchen
        .bake("root.toml")
        .code(102)
        .one_message()
        .says(&digest)
        .says("hint:");
    kitchen.racker.verify();
    let right = sha2::Sha256::digest(fs::read(mini()).unwrap());
    let right = racker_store::Digest::from_bytes(right.into()).hex();
    kitchen.write("root.toml", &from(&format!("sha256:{right}")));
    kitchen.bake("root.toml").success();
}

#[test]
fn root_filesystems_in_every_compression() {
    let kitchen = Kitchen::new();
    let plain = kitchen.path("root.tar");
    fs::copy(mini(), &plain).unwrap();
    for (program, package, options) in [
        ("gzip", "gzip", &["-k", "-1"][..]),
        ("xz", "xz-utils", &["-k", "-0"]),
        ("bzip2", "bzip2", &["-k", "-1"]),
        ("zstd", "zstd", &["-q", "-k", "-1"]),
    ] {
        execute(
            Command::new(tool(program, package))
                .args(options)
                .arg(&plain),
        );
    }
    fs::rename(kitchen.path("root.tar.zst"), kitchen.path("other.tar.zst")).unwrap();
    fs::copy(kitchen.path("root.tar.gz"), kitchen.path("root.tgz")).unwrap();
    let mut trees = Vec::new();
    for (number, name) in [
        "root.tar",
        "root.tar.gz",
        "root.tgz",
        "root.tar.xz",
        "root.tar.bz2",
        "other.tar.zst",
    ]
    .iter()
    .enumerate()
    {
        kitchen.write(
            &format!("r{number}.toml"),
            &format!("from = \"./{name}\"\n"),
        );
        kitchen.bake(&format!("r{number}.toml")).success();
        trees.push(kitchen.racker.tree(&format!("r{number}")));
    }
    trees.dedup();
    assert_eq!(trees.len(), 1);
    kitchen.racker.run(&["run", "r3", "true"]).success();
    kitchen.racker.verify();
}

#[test]
fn layouts_and_archives_as_base() {
    let kitchen = Kitchen::new();
    let layout = kitchen.path("layout");
    let image = format!("{}:tag", layout.display());
    let umoci = |arguments: &[&str]| {
        execute(
            Command::new(tool("umoci", "umoci"))
                .args(arguments)
                .current_dir(kitchen.path(".")),
        );
    };
    umoci(&["init", "--layout", "layout"]);
    umoci(&["new", "--image", &image]);
    umoci(&["unpack", "--image", &image, "bundle"]);
    execute(
        Command::new("tar")
            .args(["-C", "bundle/rootfs", "-xf"])
            .arg(mini())
            .current_dir(kitchen.path(".")),
    );
    umoci(&["repack", "--image", &image, "bundle"]);
    umoci(&[
        "config",
        "--image",
        &image,
        "--config.env",
        "FROM_LAYOUT=yes",
        "--config.cmd",
        "env",
    ]);
    execute(
        Command::new(tool("skopeo", "skopeo"))
            .args(["--insecure-policy", "copy", "-q"])
            .arg(format!("oci:{image}"))
            .arg(format!(
                "docker-archive:{}",
                kitchen.path("archive.tar").display()
            )),
    );
    kitchen.recipe("plain.toml", "");
    kitchen.bake("plain.toml").success();
    for (name, from) in [
        ("tagged", "oci:layout:tag"),
        ("untagged", "oci:layout"),
        ("archive", "docker-archive:archive.tar"),
    ] {
        kitchen.write(
            &format!("{name}.toml"),
            &format!("from = \"{from}\"\n[[step]]\nrun = \"true\"\n"),
        );
        kitchen.bake(&format!("{name}.toml")).success();
        makes(
            &kitchen,
            &format!("{name}.toml"),
            &[],
            &[&format!("{name}/1")],
        );
        let output = kitchen.racker.run(&["run", name]).success();
        assert!(
            output.text().contains("FROM_LAYOUT=yes\n"),
            "{}",
            output.report()
        );
        let output = kitchen
            .racker
            .run(&["run", name, "cat", "/etc/passwd"])
            .success();
        assert!(output.text().starts_with("root:x:0:0"));
    }
    kitchen.write("tagged.toml", "from = \"oci:layout:none\"\n");
    kitchen
        .bake("tagged.toml")
        .code(1)
        .one_message()
        .says("none");
    kitchen.racker.verify();
}
