use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use racker_store::{ObjectId, StepKey};

use super::*;
use crate::plan::inputs::{Input, InputKind};
use crate::recipe::{Distribution, Preseed};

fn around() -> Surroundings {
    Surroundings {
        parent: TreeId::from_bytes([1; 32]),
        platform: "linux/amd64".to_owned(),
        epoch: 1_700_000_000,
        normaliser: names(&["journal-1"]),
        implementation: 1,
        env: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
    }
}

fn sha(byte: u8) -> Digest {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
        .parse()
        .unwrap()
}

fn package() -> Package {
    Package {
        name: "nginx".to_owned(),
        version: "1.22.1-9".to_owned(),
        arch: "amd64".to_owned(),
        url: "http://one.example/nginx.deb".to_owned(),
        size: 10,
        sha256: sha(2),
        signature: None,
    }
}

fn package_step(
    around: &Surroundings,
    step: &PackagesStep,
    manager: Manager,
    packages: &[Package],
) -> KeyDocument {
    KeyDocument::packages(around, step, manager, packages, &BTreeMap::new())
}

fn bootstrap() -> Bootstrap {
    Bootstrap {
        distribution: Distribution::Debian,
        suite: "trixie".to_owned(),
        include: vec!["a".to_owned(), "b".to_owned()],
        variant: "minbase".to_owned(),
        mirror: None,
    }
}

fn packages() -> PackagesStep {
    PackagesStep {
        install: vec!["nginx".to_owned(), "curl".to_owned()],
        debconf: vec![Preseed {
            owner: "a".to_owned(),
            question: "a/b".to_owned(),
            kind: "select".to_owned(),
            value: "x".to_owned(),
        }],
        ..PackagesStep::default()
    }
}

fn run() -> RunStep {
    RunStep {
        script: "true".to_owned(),
        ..RunStep::default()
    }
}

fn copy() -> CopyStep {
    CopyStep {
        from: "site".to_owned(),
        to: "/srv/".to_owned(),
        ..CopyStep::default()
    }
}

fn inputs() -> Inputs {
    let entry = |path: &str, kind| Input {
        path: PathBuf::from(path),
        host: PathBuf::from("/host").join(path),
        kind,
        mode: Mode::new(0o644),
        xattrs: BTreeMap::new(),
    };
    let file = InputKind::File {
        object: ObjectId::from_bytes([3; 32]),
        size: 1,
    };
    let link = InputKind::Symlink(b"file".as_slice().into());
    Inputs {
        directory: true,
        entries: vec![entry("file", file), entry("link", link)],
    }
}

fn fetch() -> FetchStep {
    FetchStep {
        url: "https://one.example/tool".to_owned(),
        to: "/opt/tool".to_owned(),
        ..FetchStep::default()
    }
}

fn units() -> UnitsStep {
    UnitsStep {
        enable: vec!["a".to_owned()],
        ..UnitsStep::default()
    }
}

/// Compares keys after each change of a value with the key before.
macro_rules! keys {
    ($make:expr, $value:expr; $(differs $field:ident = $new:expr;)* $(same $other:ident = $equal:expr;)*) => {{
        let make = $make;
        let before: StepKey = make(&$value);
        $({
            let mut value = $value;
            value.$field = $new;
            assert_ne!(make(&value), before, "{} must change the key", stringify!($field));
        })*
        $({
            let mut value = $value;
            value.$other = $equal;
            assert_eq!(make(&value), before, "{} must not change the key", stringify!($other));
        })*
    }};
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn surroundings_enter_every_key() {
    let all: [fn(&Surroundings) -> StepKey; 6] = [
        |around| KeyDocument::bootstrap(around, &bootstrap(), "1", None, &[package()]).key(),
        |around| package_step(around, &packages(), Manager::Apt, &[package()]).key(),
        |around| KeyDocument::run(around, &run()).key(),
        |around| KeyDocument::copy(around, &copy(), &inputs()).key(),
        |around| KeyDocument::fetch(around, &fetch(), &sha(1)).key(),
        |around| KeyDocument::units(around, &units()).key(),
    ];
    for make in all {
        keys!(make, around();
            differs parent = TreeId::from_bytes([2; 32]);
            differs platform = "linux/arm64".to_owned();
            differs epoch = 0;
            differs normaliser = names(&["journal-2"]);
            differs normaliser = Vec::new();
            differs implementation = 2;
        );
    }
    for make in &all[..3] {
        keys!(make, around(); differs env = BTreeMap::new(););
    }
    for make in &all[3..] {
        keys!(make, around(); same env = BTreeMap::new(););
    }
    let mut keys: Vec<_> = all.iter().map(|make| make(&around())).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 6);
}

#[test]
fn bootstraps() {
    let make =
        |it: &Bootstrap| KeyDocument::bootstrap(&around(), it, "1", None, &[package()]).key();
    keys!(make, bootstrap();
        differs suite = "sid".to_owned();
        differs include = names(&["a"]);
        differs variant = "apt".to_owned();
        same include = names(&["b", "a"]);
        same mirror = Some("http://mirror.example".to_owned());
    );
    let other_tool = KeyDocument::bootstrap(&around(), &bootstrap(), "2", None, &[package()]);
    assert_ne!(other_tool.key(), make(&bootstrap()));
    let sources = Some("deb http://mirror.example x main\n");
    let other_sources = KeyDocument::bootstrap(&around(), &bootstrap(), "1", sources, &[package()]);
    assert_ne!(other_sources.key(), make(&bootstrap()));
}

#[test]
fn package_steps() {
    let make = |it: &PackagesStep| package_step(&around(), it, Manager::Apt, &[package()]).key();
    keys!(make, packages();
        differs install = names(&["nginx"]);
        differs remove = names(&["nano"]);
        differs recommends = true;
        differs debconf = Vec::new();
        differs network = true;
        same install = names(&["curl", "nginx"]);
        same unsigned = true;
    );
    let file = BTreeMap::from([("./a.deb".to_owned(), "digest".to_owned())]);
    let with = KeyDocument::packages(&around(), &packages(), Manager::Apt, &[package()], &file);
    assert_ne!(with.key(), make(&packages()));
    let other = package_step(&around(), &packages(), Manager::Dnf, &[package()]);
    assert_ne!(other.key(), make(&packages()));
}

#[test]
fn locked_packages_enter_without_their_place() {
    let make = |it: &Package| {
        let both = [
            it.clone(),
            Package {
                name: "x".to_owned(),
                ..package()
            },
        ];
        package_step(&around(), &packages(), Manager::Apt, &both).key()
    };
    keys!(make, package();
        differs name = "apache".to_owned();
        differs version = "2".to_owned();
        differs arch = "all".to_owned();
        differs sha256 = sha(9);
        differs signature = Some(sha(8));
        same url = "https://other.example/x".to_owned();
        same size = 11;
    );
}

#[test]
fn scripts() {
    let make = |it: &RunStep| KeyDocument::run(&around(), it).key();
    keys!(make, run();
        differs script = "false".to_owned();
        differs network = true;
        differs workdir = "/srv".to_owned();
        differs user = "nobody".to_owned();
        differs env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        differs secrets = names(&["token"]);
        differs cache = names(&["/var/cache"]);
        same timeout = Some(Duration::from_secs(1));
    );
}

#[test]
fn copies() {
    let make = |it: &CopyStep| KeyDocument::copy(&around(), it, &inputs()).key();
    keys!(make, copy();
        differs from = "other".to_owned();
        differs to = "/opt/".to_owned();
        differs owner = "1:1".parse().unwrap();
    );
    let make = |it: &Input| {
        let mut inputs = inputs();
        inputs.entries[0] = it.clone();
        KeyDocument::copy(&around(), &copy(), &inputs).key()
    };
    keys!(make, inputs().entries.remove(0);
        differs path = PathBuf::from("other");
        differs kind = InputKind::File { object: ObjectId::from_bytes([4; 32]), size: 1 };
        differs kind = InputKind::Directory;
        differs mode = Mode::new(0o755);
        differs xattrs = BTreeMap::from([(b"user.a".as_slice().into(), b"1".as_slice().into())]);
        same host = PathBuf::from("/elsewhere");
    );
    let mut other = inputs();
    other.entries[1].kind = InputKind::Symlink(b"elsewhere".as_slice().into());
    let other = KeyDocument::copy(&around(), &copy(), &other).key();
    assert_ne!(
        other,
        KeyDocument::copy(&around(), &copy(), &inputs()).key()
    );
}

#[test]
fn fetched_files() {
    let make = |it: &FetchStep| KeyDocument::fetch(&around(), it, &sha(1)).key();
    keys!(make, fetch();
        differs to = "/opt/other".to_owned();
        differs mode = Some(Mode::new(0o755));
        differs owner = "1:1".parse().unwrap();
        same url = "https://other.example/tool".to_owned();
        same mode = Some(Mode::new(0o644));
    );
    assert_ne!(
        KeyDocument::fetch(&around(), &fetch(), &sha(2)).key(),
        make(&fetch())
    );
}

#[test]
fn unit_steps() {
    let make = |it: &UnitsStep| KeyDocument::units(&around(), it).key();
    keys!(make, units();
        differs enable = names(&["b"]);
        differs disable = names(&["b"]);
        differs mask = names(&["b"]);
    );
}

#[test]
fn documents_survive_being_kept() {
    let document = KeyDocument::copy(&around(), &copy(), &inputs());
    let text = serde_json::to_string(&document.to_value()).unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        KeyDocument::from_value(&kept).unwrap().key(),
        document.key()
    );
    assert_eq!(KeyDocument::from_value(&json!([])), None);
}

/// Keys outlive versions of the program: a change here rebuilds everybody's images.
#[test]
fn golden_keys() {
    let run = KeyDocument::run(&around(), &run());
    assert_eq!(
        run.canonical(),
        format!(
            "{{\"cache\":[],\"env\":{{\"LANG\":\"C.UTF-8\"}},\"epoch\":1700000000,\
             \"implementation\":1,\"kind\":\"run\",\"network\":\"none\",\
             \"normaliser\":[\"journal-1\"],\"parent\":\"{}\",\
             \"platform\":\"linux/amd64\",\"schema\":1,\"script\":\"true\",\"secrets\":[],\
             \"user\":\"root\",\"workdir\":\"/\"}}",
            "01".repeat(32)
        )
    );
    assert_eq!(
        run.key().to_string(),
        "66923e9e429e91426102b4862b65a8e1c92b2971f7ce9b766ca8195677bbd658"
    );
    let packages = package_step(&around(), &packages(), Manager::Apt, &[package()]);
    assert_eq!(
        packages.key().to_string(),
        "2dbd1137a9c1bfb1658ebe0a3a7e9f2e3f665a18f888dde8d7ae51db2cb74058"
    );
}
