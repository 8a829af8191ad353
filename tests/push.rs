//! `racker push`, `tag`, `login` and `logout` against Debian's `docker-registry`.

#[path = "support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod registry;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use racker_store::{Access, Store};
use registry::{Extra, Registry, layout, tool};
use support::{Kitchen, Output, Racker, execute, tls, tokens::Tokens};

/// A layer that goes in pieces, one that goes in one request, and none.
const BOX: &str = "
    [[step]]
    run = \"head -c 20000000 /dev/urandom > /big\"
    [[step]]
    run = \"true\"
    [[step]]
    run = \"echo small > /small\"
    [image]
    cmd = [\"cat\", \"/small\"]
";

/// A kitchen in which `box` is baked.
fn kitchen() -> Kitchen {
    let kitchen = Kitchen::new();
    kitchen.recipe("box.toml", BOX);
    kitchen.bake("box.toml").success();
    kitchen
}

fn tree(racker: &Racker, image: &str) -> String {
    let all = racker.run(&["inspect", image]).success().json();
    all[0]["tree_id"].as_str().unwrap().to_owned()
}

fn line(output: &Output) -> String {
    output.text().trim().to_owned()
}

/// The manifest that a registry has.
fn manifest(name: &str) -> serde_json::Value {
    let name = format!("docker://{name}");
    let raw = tool("skopeo", &["inspect", "--raw", "--tls-verify=false", &name]);
    serde_json::from_str(&raw).unwrap()
}

fn digest(name: &str) -> String {
    let name = format!("docker://{name}");
    let arguments = [
        "inspect",
        "--format={{.Digest}}",
        "--tls-verify=false",
        &name,
    ];
    tool("skopeo", &arguments).trim().to_owned()
}

fn diff_ids(racker: &Racker, image: &str) -> Vec<serde_json::Value> {
    let store = Store::open(racker.store(), Access::ReadOnly).unwrap();
    let all = store.images().unwrap();
    let image = all.iter().find(|it| it.name.contains(image)).unwrap();
    image.config["rootfs"]["diff_ids"]
        .as_array()
        .unwrap()
        .clone()
}

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
    assert_eq!(tree(&other, &name), tree(racker, "box"));
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
    assert_eq!(tree(&other, &third), tree(racker, "box"));
    other.verify();
    racker.verify();
    // Other tools read it.
    let source = format!("docker://{third}");
    let copy = format!("oci:{}:x", kitchen.path("copied").display());
    tool(
        "skopeo",
        &["copy", "--quiet", "--src-tls-verify=false", &source, &copy],
    );
    let root = registry::unpack(&copy, &kitchen.path("bundle"));
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
    let source = layout(&kitchen.path("layout"), &[support::mini()]);
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
        assert_eq!(tree(&other, &far), tree(racker, &name));
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
        let podman = support::podman::Podman::new(&kitchen.path(&format!("podman-{encoding}")));
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
    let podman = support::podman::Podman::new(&kitchen.path("podman"));
    podman.run(&["pull", "--quiet", "--tls-verify=false", &name]);
    let theirs = podman.contain(&name, &["sh", "-c", LIST]);
    let ours = ["run", "--rm", "--systemd=false", "box", "sh", "-c", LIST];
    assert_eq!(theirs, kitchen.racker.run(&ours).success().text());
    assert!(
        theirs.contains("'/made/two' regular file 4751 7 8 "),
        "{theirs}"
    );
}

/// Where racker finds nothing of this machine's.
fn away(kitchen: &Kitchen) -> Racker {
    let home = kitchen.path("home");
    fs::create_dir_all(home.join(".config/containers")).unwrap();
    kitchen.racker.clone().env("HOME", home)
}

#[test]
fn certificates_and_passwords() {
    // bcrypt of `pw`.
    const PASSWORDS: &str = "me:$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q\n";
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = kitchen.path("tls");
    fs::create_dir(&directory).unwrap();
    tls::certificates(&directory);
    let passwords = directory.join("passwords");
    fs::write(&passwords, PASSWORDS).unwrap();
    let file = |name: &str| directory.join(name).display().to_string();
    let registry = Registry::start_with(&Extra {
        http: format!(
            "  tls: {{certificate: {}, key: {}}}\n",
            file("server.crt"),
            file("server.key")
        ),
        top: format!(
            "auth:\n  htpasswd: {{realm: test, path: {}}}\n",
            passwords.display()
        ),
        ..Extra::default()
    });
    let host = &registry.host;
    let name = format!("{host}/box");
    // Nobody vouches for it.
    racker
        .run(&["pull", &name])
        .code(1)
        .says("certificate")
        .one_message();
    racker
        .run(&["pull", &name, "--insecure"])
        .code(1)
        .says("refuses access");
    let trusted = kitchen.path(&format!("home/.config/containers/certs.d/{host}"));
    fs::create_dir_all(&trusted).unwrap();
    fs::copy(directory.join("ca.crt"), trusted.join("ca.crt")).unwrap();
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("refuses access")
        .one_message();
    let wrong = racker
        .run(&["login", host, "-u", "me", "-p", "secret"])
        .code(1);
    assert!(!wrong.says("refuses access").stderr.contains("secret"));
    let auth = kitchen.path("home/.config/containers/auth.json");
    assert!(!auth.exists());
    let login = racker.clone().input("pw\n");
    let output = login
        .run(&["login", host, "--username=me", "--password-stdin"])
        .success();
    assert_eq!(output.text(), "Login Succeeded\n");
    assert_eq!(
        fs::metadata(&auth).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let pushed = racker.run(&["push", "box", &name, "--debug"]).success();
    assert!(!pushed.stderr.contains("bWU6cHc=") && !pushed.stderr.contains("pw\n"));
    racker.run(&["rmi", "box"]).success();
    racker.run(&["pull", &name]).success();
    // podman reads what racker wrote.
    let auth_file = format!("--authfile={}", auth.display());
    let certs = format!("--cert-dir={}", trusted.display());
    let source = format!("docker://{name}");
    tool("skopeo", &["inspect", &auth_file, &certs, &source]);
    racker
        .run(&["logout", host])
        .success()
        .says("")
        .text()
        .contains(host);
    racker
        .run(&["logout", host])
        .success()
        .says("Not logged in");
    racker
        .run(&["pull", &format!("{name}:x")])
        .code(1)
        .says("refuses access");
    racker
        .run(&["login", "a/b", "-u", "x", "-p", "y"])
        .code(2)
        .says("no registry");
}

/// A registry that lets nobody in who shows no certificate.
#[test]
fn certificates_of_ones_own() {
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = kitchen.path("tls");
    fs::create_dir(&directory).unwrap();
    tls::certificates(&directory);
    let file = |name: &str| directory.join(name).display().to_string();
    let registry = Registry::start_with(&Extra {
        http: format!(
            "  tls: {{certificate: {}, key: {}, clientcas: [{}]}}\n",
            file("server.crt"),
            file("server.key"),
            file("ca.crt")
        ),
        top: String::new(),
        ..Extra::default()
    });
    let host = &registry.host;
    let trusted = kitchen.path(&format!("home/.config/containers/certs.d/{host}"));
    fs::create_dir_all(&trusted).unwrap();
    fs::copy(directory.join("ca.crt"), trusted.join("ca.crt")).unwrap();
    let name = format!("{host}/box");
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("BadCertificate")
        .one_message();
    fs::copy(directory.join("client.cert"), trusted.join("me.cert")).unwrap();
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("me.key")
        .one_message();
    fs::copy(directory.join("client.key"), trusted.join("me.key")).unwrap();
    racker.run(&["push", "box", &name]).success();
    fs::write(
        trusted.join("ca.crt"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
    )
    .unwrap();
    racker
        .run(&["pull", &name])
        .code(1)
        .says("ca.crt")
        .one_message();
}

/// A registry that wants these tokens.
fn guarded(tokens: &Tokens) -> Extra {
    Extra {
        top: tokens.configuration(),
        ..Extra::default()
    }
}

#[test]
fn tokens_are_renewed_and_identities_known() {
    let kitchen = kitchen();
    let racker = away(&kitchen);
    let directory = kitchen.path("tls");
    fs::create_dir(&directory).unwrap();
    tls::certificates(&directory);
    let tokens = Tokens::serve(&directory, 60);
    let registry = Registry::start_with(&guarded(&tokens));
    let host = &registry.host;
    let name = format!("{host}/team/box");
    racker
        .run(&["push", "box", &name])
        .code(1)
        .says("refuses access")
        .one_message();
    racker
        .run(&["login", host, "-u", "me", "-p", "no"])
        .code(1)
        .says("refuses access");
    racker
        .run(&["login", host, "-u", "me", "-p", "pw"])
        .success();
    let before = tokens.asked().len();
    racker.run(&["push", "box", &name]).success();
    // One token for everything.
    let asked = tokens.asked().split_off(before);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].contains("repository%3Ateam%2Fbox%3Apull%2Cpush"),
        "{asked:?}"
    );
    racker.run(&["rmi", "box"]).success();
    racker.run(&["pull", &name]).success();
    // An identity token instead of a password.
    let auth = kitchen.path("home/.config/containers/auth.json");
    fs::write(
        &auth,
        format!("{{\"auths\":{{\"{host}\":{{\"identitytoken\":\"identity\"}}}}}}"),
    )
    .unwrap();
    racker
        .run(&["tag", &name, &format!("{host}/team/box:2")])
        .success();
    racker
        .run(&["push", &format!("{host}/team/box:2")])
        .success();
    assert!(
        tokens
            .asked()
            .last()
            .unwrap()
            .contains("grant_type=refresh_token")
    );
    // A helper instead of a file.
    let bin = kitchen.path("bin");
    let helper = bin.join("docker-credential-test");
    kitchen.write(
        "bin/docker-credential-test",
        "#!/bin/sh\nread -r server\ntest \"$1\" = get || exit 1\n\
         echo \"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"pw\\\"}\"\n",
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&auth, "{\"credsStore\":\"test\"}").unwrap();
    let path = format!("{}:{}", bin.display(), racker::container::process::PATH);
    let helped = racker.clone().env("PATH", path);
    helped.run(&["pull", &name]).success().says("up to date");
    racker.run(&["pull", &name]).code(1).says("refuses access");
    // Tokens that end before the push does.
    let brief = Tokens::serve(&directory, 1);
    let registry = Registry::start_with(&guarded(&brief));
    let slow = format!("{}/box", registry.host);
    fs::write(
        &auth,
        format!(
            "{{\"auths\":{{\"{}\":{{\"auth\":\"bWU6cHc=\"}}}}}}",
            registry.host
        ),
    )
    .unwrap();
    for attempt in 0..3 {
        racker
            .run(&["push", &name, &format!("{slow}:{attempt}")])
            .success();
        std::thread::sleep(Duration::from_millis(700));
    }
    assert!(brief.asked().len() >= 2);
}

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
    let source = layout(&kitchen.path("layout"), &[support::mini()]);
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
    assert_eq!(tree(&racker, "app:1"), tree(&racker, &full));
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
    assert_eq!(tree(racker, "other:1"), tree(racker, "box"));
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
    let podman = support::podman::Podman::new(&kitchen.path("podman"));
    let mini = support::mini().to_str().unwrap();
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
    assert_eq!(
        tree(&kitchen.racker, &chunked),
        tree(&kitchen.racker, &built)
    );
    kitchen.racker.verify();
}
