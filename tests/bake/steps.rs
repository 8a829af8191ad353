//! What a step does to the tree.

use std::fs;

use rustix::fs::{FlockOperation, flock};

use super::support::Kitchen;
use super::{file, makes, serve};

#[test]
fn fetched_files() {
    let kitchen = Kitchen::new();
    let url = serve(b"#!/bin/sh\necho fetched\n");
    let wrong = "0".repeat(64);
    kitchen.recipe(
        "fetch.toml",
        &format!(
            "[[step]]\nfetch = {{ url = \"{url}\", to = \"/opt/\", digest = \"sha256:{wrong}\" }}\n"
        ),
    );
    kitchen
        .bake("fetch.toml")
        .code(102)
        .one_message()
        .says(&wrong)
        .says(&url);
    kitchen.racker.verify();
    kitchen.recipe(
        "fetch.toml",
        &format!("[[step]]\nfetch = {{ url = \"{url}\", to = \"/opt/\", mode = \"0755\" }}\n"),
    );
    makes(&kitchen, "fetch.toml", &["fetch/1"], &[]);
    assert!(
        fs::read_to_string(kitchen.path("fetch.lock"))
            .unwrap()
            .contains(&url)
    );
    let output = kitchen
        .racker
        .run(&["run", "fetch", "/opt/tool.sh"])
        .success();
    assert_eq!(output.text(), "fetched\n");
    // The lock has its digest, so nobody is asked again.
    let output = kitchen
        .racker
        .run(&["--offline", "bake", "fetch.toml"])
        .success();
    assert_eq!(output.cached(), ["fetch/1"]);
}

#[test]
fn what_is_not_there_to_be_fetched() {
    let kitchen = Kitchen::new();
    let empty = super::support::temporary();
    let server = super::support::files::Files::serve(empty.path());
    let url = format!("{}/gone.tar", server.url);
    kitchen.recipe(
        "fetch.toml",
        &format!("[[step]]\nfetch = {{ url = \"{url}\", to = \"/opt/\" }}\n"),
    );
    kitchen
        .bake("fetch.toml")
        .code(1)
        .one_message()
        .says(&url)
        .says("hint: check the URL");
}

#[test]
fn a_file_is_no_directory_to_copy_into() {
    let kitchen = Kitchen::new();
    kitchen.write("site/page", "page");
    for (from, to) in [("site/page", "/opt/x/"), ("site/", "/opt/x/deep/")] {
        let steps = format!(
            "[[step]]\nrun = \"mkdir -p /opt; echo > /opt/x\"\n\
             [[step]]\ncopy = {{ from = \"{from}\", to = \"{to}\" }}\n"
        );
        kitchen.recipe("copy.toml", &steps);
        kitchen
            .bake("copy.toml")
            .code(100)
            .one_message()
            .says("step copy/2: /opt/x is there and no directory");
    }
}

#[test]
fn a_copied_file_stays_inside_the_directory() {
    let kitchen = Kitchen::new();
    kitchen.write(
        "copy.toml",
        "from = \"scratch\"\n[[step]]\ncopy = { from = \"link/passwd\", to = \"/x\" }\n",
    );
    std::os::unix::fs::symlink("/etc", kitchen.path("link")).unwrap();
    let output = kitchen.bake("copy.toml").one_message();
    assert!(matches!(output.code, Some(2 | 100)), "{}", output.report());
    kitchen.write(
        "copy.toml",
        "from = \"scratch\"\n[[step]]\ncopy = { from = \"none\", to = \"/x\" }\n",
    );
    let output = kitchen.bake("copy.toml").one_message().says("none");
    assert!(matches!(output.code, Some(2 | 100)), "{}", output.report());
    kitchen.racker.verify();
}

#[test]
fn a_step_can_be_anything_that_a_layer_can_hold() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "odd.toml",
        "[[step]]\nrun = '''\nmkdir -m 2755 \"/a b\"; echo x > \"/a b/new\nline\"; ln \"/a b/new\nline\" /hard\n\
         ln -s ../nowhere /soft; chown 33:34 /hard; chmod 4751 /hard; : > /empty; touch -h -d @1 /soft\n'''\n\
         [[step]]\nrun = \"rm -r '/a b'; rm /etc/group; mkdir /etc/group; rm -r /var; echo x > /var\"\n",
    );
    kitchen.bake("odd.toml").success();
    let script = "stat -c '%u:%g %a %h %F' /hard /soft /empty; stat -c '%u:%g %a %F' /etc/group /var; ls -d '/a b'";
    let output = kitchen.racker.run(&["run", "odd", "sh", "-c", script]);
    assert_eq!(
        output.text(),
        "33:34 4751 1 regular file\n0:0 777 1 symbolic link\n0:0 644 1 regular empty file\n\
         0:0 755 directory\n0:0 644 regular file\n",
        "{}",
        output.report()
    );
    kitchen.racker.verify();
}

#[test]
fn a_step_runs_in_the_surroundings_that_the_recipe_says() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "env.toml",
        "env = { A = \"of the recipe\", B = \"b\" }\n[[step]]\n\
         run = { script = \"echo $A $B $(pwd) $(id -u):$(id -g) > /tmp/out; ls /sys/class/net >> /tmp/out\", \
         env = { B = \"of the step\" }, workdir = \"/usr\", user = \"www\" }\n",
    );
    kitchen.bake("env.toml").success();
    let expected = "of the recipe of the step /usr 33:34\nlo\n";
    assert_eq!(file(&kitchen, "env", "/tmp/out"), expected);
    let output = kitchen.racker.run(&["run", "env", "env"]).success();
    assert!(output.text().contains("A=of the recipe\n") && output.text().contains("B=b\n"));
}

#[test]
fn a_secret_is_read_by_the_step_and_kept_nowhere() {
    const VALUE: &str = "correct horse battery staple";
    let kitchen = Kitchen::new();
    kitchen.write("token", VALUE);
    kitchen.recipe(
        "secret.toml",
        "[[step]]\nrun = { script = \"sha256sum < /run/secrets/token > /sum; stat -c '%a %u' /run/secrets/token > /mode\", \
         secrets = [\"token\"], user = \"www\", workdir = \"/tmp\" }\n",
    );
    kitchen.replace("secret.toml", "> /sum", "> /tmp/sum");
    kitchen.replace("secret.toml", "> /mode", "> /tmp/mode");
    kitchen
        .bake("secret.toml")
        .code(2)
        .one_message()
        .says("secret/1 needs the secret `token`")
        .says("--secret token=FILE");
    let bake = ["bake", "--secret", "token=token", "secret.toml"];
    kitchen.racker.run(&bake).success();
    let sum = racker_store::Digest::of(VALUE.as_bytes()).hex();
    assert!(file(&kitchen, "secret", "/tmp/sum").starts_with(&sum));
    assert_eq!(file(&kitchen, "secret", "/tmp/mode"), "400 33\n");
    // Another value is no reason to make the step again, and none at all is needed to find it.
    kitchen.write("token", "another");
    let output = kitchen.racker.run(&bake).success();
    assert_eq!(output.cached(), ["secret/1"], "{}", output.report());
    assert_eq!(kitchen.bake("secret.toml").success().cached(), ["secret/1"]);
    kitchen.write("token", VALUE);
    for entry in walkdir::WalkDir::new(kitchen.racker.store()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            let found = bytes
                .windows(VALUE.len())
                .any(|part| part == VALUE.as_bytes());
            assert!(!found, "the secret is in {}", entry.path().display());
        }
    }
    let run = kitchen.racker.run(&["run", "secret", "ls", "/run/secrets"]);
    assert_ne!(run.code, Some(0), "{}", run.report());
}

#[test]
fn a_cache_outlives_the_build_and_stays_out_of_the_image() {
    let kitchen = Kitchen::new();
    let script =
        "echo line >> /var/new/cache/list; wc -l < /var/new/cache/list; id -u; touch /done";
    let recipe = format!(
        "[[step]]\nrun = {{ script = \"{script}\", cache = [\"/var/new/cache\", \"/tmp\"] }}\n"
    );
    kitchen.recipe("cache.toml", &recipe);
    let log = || {
        let output = kitchen.racker.run(&["log", "cache/1"]).success();
        output.text().to_owned()
    };
    kitchen.bake("cache.toml").success();
    assert_eq!(log(), "1\n0\n");
    let first = kitchen.racker.tree("cache");
    // Another block of ids, the same owner.
    kitchen
        .racker
        .run(&["bake", "--no-cache", "cache.toml"])
        .success();
    assert_eq!(log(), "2\n0\n");
    assert_eq!(kitchen.racker.tree("cache"), first);
    let ls = kitchen.racker.run(&["run", "cache", "ls", "/done", "/var"]);
    assert_eq!(ls.success().text(), "/done\n\n/var:\n");
    // A recipe of another name has its own.
    kitchen.recipe("other.toml", &recipe.replace("touch /done", "touch /other"));
    kitchen.bake("other.toml").success();
    let output = kitchen.racker.run(&["log", "other/1"]).success();
    assert_eq!(output.text(), "1\n0\n");
    kitchen.racker.verify();
}

/// Owners come out the same whichever ids of the host stand for the guest's.
#[test]
fn other_ids_of_the_host() {
    let kitchen = Kitchen::new();
    kitchen.recipe(
        "owners.toml",
        "[[step]]\nrun = '''
        echo one > /one; chown 33:65534 /one; chmod 4755 /one
        mkdir /two; chown 65535:1 /two; ln -s one /link; chown -h 7:8 /link
        '''\n",
    );
    kitchen.bake("owners.toml").success();
    let before = kitchen.racker.tree("owners");
    // All free blocks of the first hundred are taken, until the end of the test.
    let taken: Vec<_> = (0..100)
        .filter_map(|number| {
            let path = format!("/run/racker/blocks/{number}");
            let file = fs::File::options().append(true).create(true).open(path);
            let file = file.unwrap();
            let held = flock(&file, FlockOperation::NonBlockingLockExclusive);
            held.is_ok().then_some(file)
        })
        .collect();
    assert!(!taken.is_empty());
    let arguments = ["bake", "--no-cache", "owners.toml"];
    kitchen.racker.run(&arguments).success();
    assert_eq!(kitchen.racker.tree("owners"), before);
    drop(taken);
}
