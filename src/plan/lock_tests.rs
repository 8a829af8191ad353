use super::*;

fn sha(byte: u8) -> Digest {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
        .parse()
        .unwrap()
}

fn package(name: &str, arch: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: "1:2~\"3\"".to_owned(),
        arch: arch.to_owned(),
        url: format!("http://deb.example/{name}.deb"),
        size: 7,
        sha256: sha(1),
        signature: None,
    }
}

fn section(step: &str) -> Section {
    Section {
        step: step.to_owned(),
        platform: "linux/amd64".to_owned(),
        manager: Manager::Apt,
        request: "r".to_owned(),
        parent: "p".to_owned(),
        date: 1_700_000_001,
        metadata: sha(9),
        sources: None,
        tool: None,
        packages: vec![
            package("zlib", "all"),
            package("abc", "amd64"),
            package("abc", "all"),
        ],
    }
}

fn lock() -> Lock {
    let mut lock = Lock {
        epoch: Some(1_700_000_000),
        ..Lock::default()
    };
    for step in ["web/10", "web/2", "debian/bootstrap"] {
        lock.set_section(section(step));
    }
    let (reference, platform) = ("debian:12".to_owned(), "linux/amd64".to_owned());
    lock.set_base(Base {
        reference,
        platform,
        digest: sha(2),
    });
    lock.set_fetch(Fetched {
        url: "https://h/b".to_owned(),
        digest: sha(3),
        size: 1,
    });
    lock.set_fetch(Fetched {
        url: "https://h/a".to_owned(),
        digest: sha(4),
        size: 2,
    });
    lock
}

#[test]
fn prints_in_one_way() {
    let mut small = Lock {
        epoch: Some(5),
        ..Lock::default()
    };
    small.set_section(Section {
        packages: vec![package("abc", "all")],
        ..section("web/1")
    });
    small.set_fetch(Fetched {
        url: "https://h/a".to_owned(),
        digest: sha(4),
        size: 2,
    });
    assert_eq!(
        small.print(),
        format!(
            r#"# Made by racker; it pins every input of the recipe and of those below it.
# Keep it under version control, and change it by `racker lock` only.
version = 1
source-date-epoch = 5

[[file]]
url = "https://h/a"
digest = "{}"
size = 2

[[section]]
step = "web/1"
platform = "linux/amd64"
manager = "apt"
request = "r"
parent = "p"
date = 2023-11-14T22:13:21Z
metadata = "{}"
packages = [
  {{ name = "abc", version = "1:2~\"3\"", arch = "all", size = 7, sha256 = "{}", url = "http://deb.example/abc.deb" }},
]
"#,
            sha(4),
            sha(9),
            "01".repeat(32)
        )
    );
}

#[test]
fn printing_what_was_parsed_gives_the_same() {
    for lock in [Lock::default(), lock()] {
        let text = lock.print();
        let parsed = Lock::parse("recipe.lock", &text).unwrap();
        assert_eq!(parsed, lock);
        assert_eq!(parsed.print(), text);
    }
    let steps: Vec<_> = lock().sections().iter().map(|it| it.step.clone()).collect();
    assert_eq!(steps, ["debian/bootstrap", "web/2", "web/10"]);
}

#[test]
fn the_epoch_grows_along_the_steps() {
    let mut lock = lock();
    lock.set_section(Section {
        date: 1_800_000_000,
        ..section("web/10")
    });
    let epoch = |steps: &[&str]| {
        let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
        lock.epoch_of(&steps, "linux/amd64")
    };
    assert_eq!(epoch(&[]), 1_700_000_000);
    assert_eq!(epoch(&["debian/bootstrap", "web/2"]), 1_700_000_001);
    assert_eq!(
        epoch(&["debian/bootstrap", "web/2", "web/10"]),
        1_800_000_000
    );
    assert_eq!(epoch(&["web/3"]), 1_700_000_000);
    assert_eq!(Lock::default().epoch_of(&[], "linux/amd64"), 0);
}

#[test]
fn a_signature_is_pinned_too() {
    let mut lock = Lock::default();
    let mut signed = section("web/1");
    signed.packages[0].signature = Some(sha(8));
    lock.set_section(signed);
    let text = lock.print();
    assert!(text.contains(&format!("signature = \"{}\", url", "08".repeat(32))));
    assert_eq!(Lock::parse("x", &text).unwrap(), lock);
}

#[test]
fn finds_entries() {
    let lock = lock();
    assert_eq!(
        lock.packages("web/2", "linux/amd64").unwrap()[0].arch,
        "all"
    );
    assert!(lock.packages("web/2", "linux/arm64").is_none());
    assert_eq!(lock.base("debian:12", "linux/amd64"), Some(&sha(2)));
    assert_eq!(lock.fetch("https://h/a").unwrap().digest, sha(4));
    let stale = |step, request, parent| lock.stale(step, "linux/amd64", request, parent);
    assert_eq!(stale("web/2", "r", Some("p")), None);
    assert_eq!(stale("web/2", "r", None), None);
    assert_eq!(stale("web/2", "x", Some("p")), Some(Stale::Request));
    assert_eq!(stale("web/2", "r", Some("x")), Some(Stale::Parent));
    assert_eq!(stale("web/3", "r", None), Some(Stale::Missing));
    assert_eq!(
        Lock::path_beside(Path::new("a/web.toml")),
        Path::new("a/web.lock")
    );
}

#[track_caller]
fn refused(from: &str, to: &str) -> String {
    let text = lock().print();
    assert!(text.contains(from));
    Lock::parse("recipe.lock", &text.replacen(from, to, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn mistakes_point_into_the_lock() {
    assert_eq!(
        refused("version = 1\n", "version = 2\n"),
        "recipe.lock has version 2, and this program knows version 1"
    );
    let text = refused("size = 2", "size = -2");
    assert!(text.contains("--> recipe.lock:14:8"), "{text}");
    let text = refused("size = 2", "sise = 2");
    assert!(text.contains("unknown field `sise`"), "{text}");
    let text = refused("manager = \"apt\"", "manager = \"apk2\"");
    assert!(text.contains("no package manager `apk2`"), "{text}");
    let text = refused(&"01".repeat(32), "01");
    assert!(text.contains("`01` is no sha256"), "{text}");
    let text = refused("date = 2023-11-14T22:13:21Z", "date = 2023-11-14");
    assert!(text.contains("`2023-11-14` is no date in UTC"), "{text}");
    let text = refused("https://h/b", "https://h/a");
    assert!(
        text.contains("the lock already has such an entry"),
        "{text}"
    );
    let text = refused("[[section]]", "[[section]");
    assert!(text.contains("recipe.lock:21:11"), "{text}");
}
