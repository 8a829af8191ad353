//! What is pushed comes back the same, and others take it as it is.

use super::registry::{Registry, layout, tool, unpack};
use super::support::{Kitchen, Racker, mini, podman::Podman};
use super::{BOX, diff_ids, digest, kitchen, line, manifest};
use std::fs;

#[test]
fn what_is_pushed_comes_back_the_same() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let registry = Registry::start();
    let name = format!("{}/team/box:1", registry.host);
    let saved = line(&racker.run(&["save", "box", "oci:layout"]).success());
    let pushed = racker.run(&["push", "box", &name]).success();
    assert_eq!(line(&pushed), saved);
    assert_eq!(digest(&name), saved);
    // The base and what is small in one request each, what is large in pieces.
    let uploads = registry.uploads(0);
    let count = |word: &str| uploads.iter().filter(|it| it.starts_with(word)).count();
    assert_eq!(
        (count("PATCH ") >= 3, count("PUT ")),
        (true, 4),
        "{uploads:?}"
    );
    // Nothing is uploaded that is there, under whatever tag.
    let before = registry.requests().len();
    let second = format!("{}/team/box:2", registry.host);
    assert_eq!(
        line(&racker.run(&["push", "box", &second]).success()),
        saved
    );
    assert_eq!(registry.uploads(before), Vec::<String>::new());
    assert_eq!(digest(&second), saved);
    // Another store pulls it, and pushes it as it came.
    let other = Racker::new(&kitchen.path("other")).at(&kitchen.path(""));
    other.run(&["pull", &name]).success();
    assert_eq!(other.tree(&name), racker.tree("box"));
    let elsewhere = Registry::start();
    let third = format!("{}/box", elsewhere.host);
    assert_eq!(line(&other.run(&["push", &name, &third]).success()), saved);
    assert_eq!(
        line(&other.run(&["save", &name, "oci:again"]).success()),
        saved
    );
    // Deleted here and pulled again.
    other.run(&["rmi", &name]).success();
    other.run(&["pull", &third]).success();
    assert_eq!(other.tree(&third), racker.tree("box"));
    other.verify();
    racker.verify();
    // Other tools read it.
    let source = format!("docker://{third}");
    let copy = format!("oci:{}:x", kitchen.path("copied").display());
    tool(
        "skopeo",
        &["copy", "--quiet", "--src-tls-verify=false", &source, &copy],
    );
    let root = unpack(&copy, &kitchen.path("bundle"));
    assert_eq!(fs::read_to_string(root.join("small")).unwrap(), "small\n");
    assert_eq!(fs::metadata(root.join("big")).unwrap().len(), 20_000_000);
}

#[test]
fn between_repositories_nothing_is_uploaded() {
    let kitchen = kitchen();
    let racker = &kitchen.racker;
    let registry = Registry::start();
    let name = |path: &str| format!("{}/{path}", registry.host);
    racker.run(&["push", "box", &name("one/box")]).success();
    racker.run(&["pull", &name("one/box")]).success();
    racker
        .run(&["tag", &name("one/box"), &name("two/box:v2")])
        .success()
        .silent();
    let before = registry.requests().len();
    racker.run(&["push", &name("two/box:v2")]).success();
    assert_eq!(digest(&name("two/box:v2")), digest(&name("one/box")));
    let requests = registry.requests().split_off(before);
    let mounts = requests
        .iter()
        .filter(|it| it.contains("mount=") && it.ends_with("201"));
    assert_eq!(mounts.count(), 4, "{requests:#?}");
    assert_eq!(registry.uploads(before), Vec::<String>::new());
}

/// An image whose bytes racker would not make goes out as it came where they are there already.
#[test]
fn an_image_of_others_keeps_what_it_can() {
    let kitchen = Kitchen::new();
    let racker = &kitchen.racker;
    let source = layout(&kitchen.path("layout"), &[mini()]);
    let [here, elsewhere] = [Registry::start(), Registry::start()];
    for (format, tag) in [("v2s2", "docker"), ("oci", "oci")] {
        here.push(&source, &format!("mini:{tag}"), &["--format", format]);
        let name = format!("{}/mini:{tag}", here.host);
        racker.run(&["pull", &name]).success();
        let own = digest(&name);
        let near = format!("{}/near:{tag}", here.host);
        assert_eq!(line(&racker.run(&["push", &name, &near]).success()), own);
        assert_eq!(digest(&near), own);
        // Elsewhere the layers must be packed anew; what was in them and the configuration stay.
        let far = format!("{}/far:{tag}", elsewhere.host);
        let new = line(&racker.run(&["push", &name, &far]).success());
        assert_ne!(new, own);
        assert_eq!(digest(&far), new);
        assert_eq!(
            manifest(&far)["config"]["digest"],
            manifest(&name)["config"]["digest"]
        );
        let other = Racker::new(&kitchen.path(&format!("other-{tag}")));
        other.run(&["pull", &far]).success();
        assert_eq!(other.tree(&far), racker.tree(&name));
        assert_eq!(diff_ids(&other, "far"), diff_ids(racker, "mini"));
        // Once more there is nothing to upload.
        let before = elsewhere.requests().len();
        assert_eq!(line(&racker.run(&["push", &name, &far]).success()), new);
        assert_eq!(elsewhere.uploads(before), Vec::<String>::new());
    }
}

#[test]
fn podman_pulls_and_runs_what_was_pushed() {
    let kitchen = kitchen();
    let registry = Registry::start();
    let name = format!("{}/box", registry.host);
    for encoding in ["gzip", "zstd", "none"] {
        let tagged = format!("{name}:{encoding}");
        let arguments = ["push", "box", &tagged, "--compression", encoding];
        kitchen.racker.run(&arguments).success();
        let podman = Podman::new(&kitchen.path(&format!("podman-{encoding}")));
        podman.run(&["pull", "--quiet", "--tls-verify=false", &tagged]);
        let pulled = podman.run(&["image", "inspect", "--format={{.Digest}}", &tagged]);
        assert_eq!(pulled.trim(), digest(&tagged));
        assert_eq!(podman.contain(&tagged, &[]), "small\n");
    }
}

/// Whoever unpacks a hard link sets what its entry says on the file, all of whose names it changes.
#[test]
fn what_is_unpacked_has_its_modes_owners_and_times() {
    const LIST: &str = "stat -c '%N %F %a %u %g %Y %h' /made /made/*";
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "box.toml",
        &BOX.replace(
            "echo small > /small",
            "mkdir -m 1751 /made; echo body > /made/one; ln -s one /made/soft; \
             chown 7:8 /made/one; chmod 4751 /made/one; ln /made/one /made/two; ln /made/one /made/a",
        ),
    );
    kitchen.bake("box.toml").success();
    let registry = Registry::start();
    let name = format!("{}/box", registry.host);
    kitchen.racker.run(&["push", "box", &name]).success();
    let podman = Podman::new(&kitchen.path("podman"));
    podman.run(&["pull", "--quiet", "--tls-verify=false", &name]);
    let theirs = podman.contain(&name, &["sh", "-c", LIST]);
    let ours = ["run", "--rm", "--systemd=false", "box", "sh", "-c", LIST];
    assert_eq!(theirs, kitchen.racker.run(&ours).success().text());
    assert!(
        theirs.contains("'/made/two' regular file 4751 7 8 "),
        "{theirs}"
    );
}
