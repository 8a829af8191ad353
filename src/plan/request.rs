//! What a package step asks of the resolver, as a digest that the lock keeps.
//!
//! If the digest of a recipe's request is another than the lock's, the lock answers an older
//! question. What changes the installation but not the solution (debconf answers, the network) is
//! not part of a request, nor is the mirror.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::canonical::canonical;
use crate::recipe::{Bootstrap, PackagesStep};

const CONTEXT: &str = "racker 2026 package request v1";

/// Digests the request of a package step; `files` are the digests of its package files.
pub fn of_packages(step: &PackagesStep, files: &BTreeMap<String, String>) -> String {
    digest(&json!({
        "manager": step.manager,
        "install": sorted(&step.install),
        "remove": sorted(&step.remove),
        "files": files,
        "recommends": step.recommends,
        "unsigned": step.unsigned,
    }))
}

/// Digests the request of a bootstrap.
pub fn of_bootstrap(bootstrap: &Bootstrap) -> String {
    digest(&json!({
        "distribution": bootstrap.distribution,
        "suite": bootstrap.suite,
        "include": sorted(&bootstrap.include),
        "variant": bootstrap.variant,
    }))
}

fn digest(request: &Value) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(canonical(request).as_bytes());
    hasher.finalize().to_hex().to_string()
}

pub(super) fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort();
    names
}
