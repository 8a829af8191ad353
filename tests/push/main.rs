//! `racker push`, `tag`, `login` and `logout` against Debian's `docker-registry`.

mod names;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod registry;
mod roundtrip;
#[path = "../support/mod.rs"]
mod support;
mod trust;

use racker_store::{Access, Store};
use registry::{raw_manifest, tool};
use support::{Kitchen, Output, Racker};

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

fn line(output: &Output) -> String {
    output.text().trim().to_owned()
}

/// The manifest that a registry has.
fn manifest(name: &str) -> serde_json::Value {
    serde_json::from_str(&raw_manifest(name)).unwrap()
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
