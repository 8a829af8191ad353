//! What pull says, short names, mistakes, and what others pushed.

use std::fs;

use super::registry::{Registry, layout, tool};
use super::support::{Kitchen, execute, mini, podman::Podman};
use super::{digest, kitchen, line, manifest};

/// What docker says, and as the last line of standard output what was pulled.
#[test]
fn pull_speaks_as_docker_does() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let registry = Registry::start();
    let name = format!("{}/team/box", registry.host);
    for tag in ["1", "2", "latest"] {
        racker
            .run(&["push", "box", &format!("{name}:{tag}")])
            .success();
    }
    let first = racker.run(&["pull", &name]).success();
    let digest = digest(&name);
    assert_eq!(
        first.stderr,
        format!(
            "latest: Pulling from team/box\nDigest: {digest}\n\
             Status: Downloaded newer image for {name}:latest\n"
        )
    );
    assert_eq!(first.text(), format!("{name}:latest\n"));
    let again = racker.run(&["pull", &name]).success();
    let again = again.says(&format!("Status: Image is up to date for {name}:latest\n"));
    assert_eq!(again.text(), first.text());
    for quiet in ["-q", "--quiet"] {
        let output = racker.run(&["pull", quiet, &name]).success().silent();
        assert_eq!(output.text(), first.text());
    }
    let pinned = format!("{name}@{digest}");
    assert_eq!(
        racker.run(&["pull", &pinned]).success().text(),
        format!("{pinned}\n")
    );
    let images = racker.run(&["images"]).success();
    let cut = |line: &str| {
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let shown: Vec<String> = images.text().lines().map(cut).collect();
    assert!(shown.contains(&format!("{name} <none>")), "{shown:?}");
    let all = racker.run(&["pull", "--all-tags", &name]).success();
    let expected = ["1", "2", "latest"].map(|tag| format!("{name}:{tag}\n"));
    assert_eq!(all.text(), expected.concat());
    racker
        .run(&["pull", "-a", &format!("{name}:1")])
        .code(2)
        .says("one is named");
    let elsewhere = racker
        .run(&["pull", "--platform=linux/riscv64", &pinned])
        .code(1);
    elsewhere
        .says("has no image for linux/riscv64")
        .says("available: linux/")
        .one_message();
}

/// What is pulled by a short name is kept under its full one; a push guesses nothing.
#[test]
fn short_names_are_for_pulls() {
    let kitchen = Kitchen::new();
    let mut registry = Registry::start();
    let host = registry.host.clone();
    let source = layout(&kitchen.path("layout"), &[mini()]);
    registry.push(&source, "team/app:1", &[]);
    registry.push(&source, "listed:1", &[]);
    let conf = kitchen.path("registries.conf");
    let text = format!(
        "unqualified-search-registries = ['{host}']
        [aliases]
        app = '{host}/team/app'
        [[registry]]
        prefix = 'docker.io'
        location = '{host}/hub'"
    );
    fs::write(&conf, text).unwrap();
    let racker = kitchen
        .racker
        .clone()
        .env("CONTAINERS_REGISTRIES_CONF", conf);
    let full = format!("{host}/team/app:1");
    racker
        .run(&["--offline", "pull", "app:1"])
        .code(1)
        .says("racker may not use the network")
        .one_message();
    let pulled = racker.run(&["pull", "app:1"]).success();
    assert_eq!(line(&pulled), full);
    pulled.says(&format!("app:1 comes from {host}/team/app"));
    assert_eq!(racker.tree("app:1"), racker.tree(&full));
    let run = ["run", "--rm", "--systemd=false", "listed:1", "pwd"];
    let output = racker.run(&run).success();
    assert_eq!(output.text(), "/\n");
    output.says(&format!("pulling {host}/listed:1 from {host}"));
    let always = [
        "run",
        "--rm",
        "--pull=always",
        "--systemd=false",
        "app:1",
        "pwd",
    ];
    let output = racker.run(&always).success();
    output.says(&format!("pulling {full} from {host}"));

    // A push goes where the name says, which is Docker Hub without a registry.
    racker
        .run(&["push", "app:1"])
        .success()
        .says(&format!("[{host}/team/app]"));
    let pushed = racker.run(&["push", "app:1", "app:2"]).success();
    let there = digest(&format!("{host}/hub/library/app:2"));
    assert_eq!(line(&pushed), there);
    pushed.says("[docker.io/library/app]");
    racker
        .run(&["pull", "app:2"])
        .code(1)
        .says("team/app:2 not found");
    let hub = racker.run(&["pull", "docker://app:2"]).success();
    assert_eq!(line(&hub), "docker.io/library/app:2");

    // What is there is there, without anybody being asked.
    registry.stop();
    let kept = racker.run(&["--offline", "pull", "app:1"]).success();
    assert_eq!(line(&kept), full);
    kept.says("Image is up to date");
    racker
        .run(&["--offline", "pull", "app:3"])
        .code(1)
        .one_message();
    racker
        .run(&["--offline", "pull", "--platform=linux/s390x", "app:1"])
        .code(1)
        .says("network is switched off");
    racker
        .run(&["--offline", "pull", "--all-tags", "app"])
        .code(1)
        .says("network");
    let run = |options: &[&str], image: &str| {
        let head = ["--offline", "run", "--rm", "--systemd=false"];
        racker.run(&[&head, options, &[image, "pwd"]].concat())
    };
    let own = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => other,
    };
    let own = format!("--platform={own}");
    assert_eq!(run(&[&own], "app:1").success().text(), "/\n");
    run(&["--platform=linux/s390x"], "app:1")
        .code(125)
        .one_message()
        .says("the image app:1 in the store is for another platform");
    run(&[&own], "app:3")
        .code(125)
        .one_message()
        .says("no image app:3 in the store");
    run(&["--pull=always"], "app:1")
        .code(125)
        .one_message()
        .says("--pull=always asks the registry, and racker may not use the network")
        .says("hint: --pull=missing takes the image that is there");
    racker.run(&["tag", "app:1", "mine"]).success();
    let removed = racker.run(&["rmi", "app:1"]).success();
    assert_eq!(line(&removed), format!("Untagged: {full}"));
    racker.run(&["inspect", "app:1"]).code(1);
    racker.verify();
}

#[test]
fn mistakes_are_named() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let registry = Registry::start();
    let host = &registry.host.clone();
    racker
        .run(&["push", "box"])
        .code(2)
        .says("box is in no registry")
        .one_message();
    racker
        .run(&["push", "nothing", &format!("{host}/x")])
        .code(1)
        .says("no such image");
    racker
        .run(&["push", "box", &format!("{host}/X")])
        .code(2)
        .says("lowercase");
    racker
        .run(&["--offline", "push", "box", &format!("{host}/x")])
        .code(1)
        .says("network");
    let pinned = format!("{host}/x@sha256:{}", "0".repeat(64));
    racker
        .run(&["push", "box", &pinned])
        .code(102)
        .says("digest mismatch")
        .one_message();
    racker.run(&["tag", "box", "Box"]).code(1).says("lowercase");
    racker
        .run(&["tag", "nothing", "x"])
        .code(1)
        .says("no such image");
    racker.run(&["tag", "box", "other:1"]).success();
    assert_eq!(racker.tree("other:1"), racker.tree("box"));
    drop(registry);
    racker
        .run(&["push", "box", &format!("{host}/x")])
        .code(1)
        .says("cannot reach")
        .one_message();
    racker.verify();
}

/// Everything that other tools write is read.
#[test]
fn what_others_push_is_pulled() {
    let kitchen = Kitchen::new();
    let registry = Registry::start();
    let podman = Podman::new(&kitchen.path("podman"));
    let mini = mini().to_str().unwrap();
    podman.run(&["import", "--quiet", mini, "mini:1"]);
    kitchen.write(
        "Containerfile",
        "FROM mini:1\nCOPY word /word\nENV A=b\nCMD [\"cat\", \"/word\"]\n",
    );
    kitchen.write("word", "hello\n");
    for format in ["oci", "docker"] {
        let name = format!("{}/built:{format}", registry.host);
        let mut buildah = podman.command("buildah");
        buildah.args(["build", "--quiet", "--isolation=chroot", "--format", format]);
        execute(buildah.args(["--tag", &name]).arg(kitchen.path("")));
        let mut push = podman.command("buildah");
        execute(push.args(["push", "--quiet", "--tls-verify=false", &name]));
        kitchen.racker.run(&["pull", &name]).success();
        let run = kitchen
            .racker
            .run(&["run", "--rm", "--systemd=false", &name])
            .success();
        assert_eq!(run.text(), "hello\n");
    }
    // With a table of contents behind the data.
    let built = format!("{}/built:oci", registry.host);
    let elsewhere = Registry::start();
    let chunked = format!("{}/chunked:1", elsewhere.host);
    let archive = kitchen.path("built.tar").display().to_string();
    podman.run(&["save", "--quiet", "--output", &archive, &built]);
    let source = format!("docker-archive:{archive}");
    let target = format!("docker://{chunked}");
    let tls = "--dest-tls-verify=false";
    let format = "--dest-compress-format=zstd:chunked";
    tool(
        "skopeo",
        &[
            "copy",
            "--quiet",
            tls,
            format,
            "--format=oci",
            &source,
            &target,
        ],
    );
    assert!(manifest(&chunked).to_string().contains("zstd-chunked"));
    kitchen.racker.run(&["pull", &chunked]).success();
    assert_eq!(kitchen.racker.tree(&chunked), kitchen.racker.tree(&built));
    kitchen.racker.verify();
}
