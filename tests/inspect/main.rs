//! `racker diff`, `sbom` and `provenance`, on images that real package managers made.

mod databases;
mod diff;
mod provenance;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod registry;
mod roots;
mod sbom;
#[path = "../support/mod.rs"]
mod support;
mod validators;

use std::path::Path;

use support::Kitchen;

/// Bakes the image NAME from the root filesystem NAME.tar, which is put there.
#[track_caller]
fn bake_root(kitchen: &Kitchen, name: &str, root: &Path) {
    roots::pack(root, &kitchen.path(&format!("{name}.tar")));
    let recipe = format!("{name}.toml");
    kitchen.write(&recipe, &format!("from = \"./{name}.tar\"\n"));
    kitchen.bake(&recipe).success();
}

/// What racker prints as JSON.
#[track_caller]
fn json(kitchen: &Kitchen, arguments: &[&str]) -> serde_json::Value {
    kitchen.racker.run(arguments).success().json()
}
