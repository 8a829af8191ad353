use std::path::Path;

use super::*;
use crate::package::Package;
use crate::plan::lock::{Fetched, Section};
use crate::plan::why::{Why, why};
use crate::recipe::load;

const RECIPE: &str = "\
from = 'debian-bookworm'
[env]
A = '1'
[[step]]
packages = ['nginx']
[[step]]
fetch = { url = 'https://one.example/x', to = '/opt/' }
[[step]]
run = { script = 'true', network = true }
";

fn plan(directory: &Path, name: &str, text: &str) -> Plan {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    Plan::new(&load(&path, &[]).unwrap_or_else(|error| panic!("{error}")))
}

fn lock(recipe: &str) -> Lock {
    let digest: Digest = format!("sha256:{}", "01".repeat(32)).parse().unwrap();
    let mut lock = Lock {
        epoch: Some(1),
        ..Lock::default()
    };
    for step in [
        "debian-bookworm/bootstrap".to_owned(),
        format!("{recipe}/1"),
    ] {
        lock.set_section(Section {
            step,
            platform: "linux/amd64".to_owned(),
            manager: Manager::Apt,
            request: String::new(),
            parent: String::new(),
            date: 2,
            metadata: digest,
            sources: None,
            tool: None,
            packages: vec![Package {
                name: "nginx".to_owned(),
                version: "1".to_owned(),
                arch: "amd64".to_owned(),
                url: "http://one.example".to_owned(),
                size: 1,
                sha256: digest,
                signature: None,
            }],
        });
    }
    lock.set_fetch(Fetched {
        url: "https://one.example/x".to_owned(),
        digest,
        size: 1,
    });
    lock
}

fn documents(plan: &Plan, lock: &Lock) -> Vec<KeyDocument> {
    let context = KeyContext {
        lock,
        platform: "linux/amd64",
        rules: &[],
    };
    let parent = TreeId::from_bytes([0; 32]);
    plan.steps
        .iter()
        .map(|step| key(step, parent, context).unwrap())
        .collect()
}

#[test]
fn lays_out_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(directory.path(), "web.toml", RECIPE);
    let shown: Vec<_> = plan
        .steps
        .iter()
        .map(|it| {
            format!(
                "{} {} {} {} {}",
                it.number,
                it.id,
                it.kind(),
                it.impure,
                it.summary
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "1 debian-bookworm/bootstrap bootstrap false bootstrap debian bookworm",
            "2 web/1 packages false packages nginx",
            "3 web/2 fetch false fetch https://one.example/x to /opt/",
            "4 web/3 run true run true",
        ]
    );
    assert!(plan.steps[0].env.is_empty());
    assert!(plan.steps.iter().all(|step| step.implementation() > 0));
    assert_eq!(plan.steps[1].env["A"], "1");
    assert_eq!(
        plan.steps
            .iter()
            .filter(|step| step.request().unwrap().is_some())
            .count(),
        2
    );
    assert!(serde_json::to_value(&plan).is_ok());
}

#[test]
fn keys_ignore_name_comments_and_mirrors() {
    let directory = tempfile::tempdir().unwrap();
    let first = plan(directory.path(), "web.toml", RECIPE);
    let text =
        format!("# a comment\nname = 'other'\n{RECIPE}").replace("one.example", "two.example");
    let second = plan(directory.path(), "other.toml", &text);
    let mut moved = lock("other");
    let fetched = Fetched {
        url: "https://two.example/x".to_owned(),
        ..moved.files()[0].clone()
    };
    moved.set_fetch(fetched);
    for (one, other) in documents(&first, &lock("web"))
        .iter()
        .zip(documents(&second, &moved))
    {
        assert_eq!(why(&other, Some(one)), Why::Hit);
        assert_eq!(one.key(), other.key());
    }
}

#[test]
fn says_what_the_lock_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(directory.path(), "web.toml", RECIPE);
    let lock = Lock::default();
    let context = KeyContext {
        lock: &lock,
        platform: "linux/amd64",
        rules: &[],
    };
    let said: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| key(step, TreeId::from_bytes([0; 32]), context).err())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(
        said,
        [
            "the lock has no packages for step debian-bookworm/bootstrap",
            "the lock has no packages for step web/1",
            "the lock has no digest for step web/2",
        ]
    );
}
