//! What is read of the databases that real package managers wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;

use racker::installed::{Database, Installed, Os};
use racker_store::{Store, TreeId};

use super::roots::{self, RPM, Rpm};
use super::support::{Kitchen, shared, temporary};
use super::{bake_root, json};

fn tree_id(kitchen: &Kitchen, image: &str) -> TreeId {
    let document = json(kitchen, &["inspect", image]);
    document[0]["tree_id"].as_str().unwrap().parse().unwrap()
}

fn installed(store: &Store, tree: TreeId) -> Installed {
    Installed::read(store, &store.tree(tree).unwrap()).unwrap()
}

fn words(installed: &Installed) -> Vec<String> {
    let word = |it: &racker::installed::Package| format!("{} {}", it.name, it.version);
    installed.packages().iter().map(word).collect()
}

/// Packages and owners are those that dpkg itself names, run in the image.
#[test]
fn dpkg_says_the_same() {
    let racker = shared();
    let store = racker.open();
    let image = store.image("localhost/quickstart:latest").unwrap().unwrap();
    let installed = installed(&store, image.tree);

    let query = "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\\n";
    let output = racker.run(&["run", "quickstart", "dpkg-query", "-W", "-f", query]);
    let expected: BTreeSet<String> = output.success().text().lines().map(str::to_owned).collect();
    let found: BTreeSet<String> = installed
        .packages()
        .iter()
        .map(|it| {
            let source = it.source.as_ref().unwrap();
            let (name, version) = (&source.name, &source.version);
            format!(
                "{} {} {} {name} {version}",
                it.name, it.version, it.architecture
            )
        })
        .collect();
    assert_eq!(found, expected);

    // For every name in a list, dpkg's answer and the path that the name has in the tree.
    let script = "cat /var/lib/dpkg/info/*.list | sort -u | while read -r path; do
        test -d \"$path\" || echo \"$path\"; done | xargs dpkg -S || true";
    let output = racker.run(&["run", "quickstart", "sh", "-c", script]);
    let output = output.success();
    let tree = store.tree(image.tree).unwrap();
    let mut compared = 0;
    for line in output.text().lines() {
        if line.starts_with("diversion ") {
            continue;
        }
        let (owners, path) = line.split_once(": ").unwrap();
        let (parent, name) = path.rsplit_once('/').unwrap();
        let (mut real, _) = tree.resolve(parent.as_bytes()).unwrap();
        real.push(b'/');
        real.extend_from_slice(name.as_bytes());
        let owner = installed.owner(&real).map(|it| it.name.as_str());
        let mut expected = owners.split(", ").map(|it| it.split(':').next().unwrap());
        assert!(
            expected.any(|it| Some(it) == owner),
            "{line}, not {owner:?}"
        );
        compared += 1;
    }
    assert!(compared > 3000, "{compared} paths");
    assert_eq!(installed.owner(b"usr/bin/ip").unwrap().name, "iproute2");
    assert_eq!(installed.owner(b"bin/ip"), None);
    assert_eq!(installed.owner(b"usr/share/doc"), None);
}

fn hello(version: &str) -> Rpm<'_> {
    Rpm {
        name: "hello",
        version,
        licence: "MIT AND GPLv2+",
        files: &[("/usr/bin/hello", "hi"), ("/etc/hello.conf", "x")],
    }
}

#[test]
fn rpm_is_read() {
    let root = temporary();
    let other = Rpm {
        name: "other",
        licence: "MIT",
        files: &[("/etc/other.conf", "y")],
        ..hello("3.1")
    };
    roots::rpm(root.path(), &[hello("1.0"), hello("1.1"), other]);
    roots::os_release(root.path(), "fedora", "40");
    // As in Fedora, where the old place is a link to the new one.
    std::fs::create_dir_all(root.path().join("var/lib")).unwrap();
    symlink(
        "../../usr/lib/sysimage/rpm",
        root.path().join("var/lib/rpm"),
    )
    .unwrap();
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "rpm", root.path());
    let store = kitchen.racker.open();
    let installed = installed(&store, tree_id(&kitchen, "rpm"));
    assert_eq!(words(&installed), ["hello 2:1.1-1", "other 2:3.1-1"]);
    let hello = installed.owner(b"usr/bin/hello").unwrap();
    assert_eq!(hello.architecture, "noarch");
    assert_eq!(hello.licences, ["MIT AND GPLv2+"]);
    assert_eq!(hello.vendor.as_deref(), Some("Example Works"));
    assert_eq!(hello.maintainer.as_deref(), Some("A Body <a@example.org>"));
    assert_eq!(hello.homepage.as_deref(), Some("https://example.org/hello"));
    assert_eq!(hello.installed_size, Some(3));
    let source = hello.source.as_ref().unwrap();
    assert_eq!((&*source.name, &*source.version), ("hello", "1.1-1"));
    assert_eq!(installed.owner(b"etc/other.conf").unwrap().name, "other");
}

#[test]
fn what_rpm_did_not_check_in_counts() {
    let root = temporary();
    roots::rpm(root.path(), &[hello("1.0")]);
    let killed = Rpm {
        name: "killed",
        files: &[("/etc/killed.conf", "y")],
        ..hello("2.0")
    };
    roots::killed_rpm(root.path(), &killed);
    let wal = root.path().join(RPM).join("rpmdb.sqlite-wal");
    assert!(std::fs::metadata(wal).unwrap().len() > 0);
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "wal", root.path());
    let store = kitchen.racker.open();
    let installed = installed(&store, tree_id(&kitchen, "wal"));
    assert_eq!(words(&installed), ["hello 2:1.0-1", "killed 2:2.0-1"]);
    assert_eq!(installed.owner(b"etc/killed.conf").unwrap().name, "killed");
}

#[test]
fn other_databases_of_rpm_are_refused_by_name() {
    let kitchen = Kitchen::new();
    let ndb = temporary();
    roots::write(ndb.path(), "usr/bin/hello", "hi");
    roots::write(ndb.path(), &format!("{RPM}/Packages.db"), "RpmP");
    bake_root(&kitchen, "ndb", ndb.path());
    let berkeley = temporary();
    roots::write(berkeley.path(), "var/lib/rpm/Packages", [0; 4096]);
    bake_root(&kitchen, "berkeley", berkeley.path());
    for (image, format) in [("ndb", "ndb"), ("berkeley", "Berkeley DB")] {
        let output = kitchen.racker.run(&["sbom", image]).code(1).one_message();
        output.says(format).says("rpm/Packages").says("hint: ");
    }
    // A comparison goes on without them, unless they are all that is asked for.
    let output = kitchen.racker.run(&["diff", "ndb", "berkeley"]).success();
    assert!(
        output.text().contains("- /usr/bin/hello 2B\n"),
        "{}",
        output.report()
    );
    output
        .says("packages of ndb left out")
        .says("packages of berkeley left out");
    let output = kitchen
        .racker
        .run(&["diff", "--packages", "ndb", "berkeley"]);
    output.code(1).says("ndb format");
}

#[test]
fn a_journal_of_rpm_is_refused() {
    let root = temporary();
    roots::rpm(root.path(), &[hello("1.0")]);
    roots::write(root.path(), &format!("{RPM}/rpmdb.sqlite-journal"), "x");
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "half", root.path());
    let output = kitchen.racker.run(&["sbom", "half"]).code(1).one_message();
    output.says("rpmdb.sqlite-journal is half of a change");
}

#[test]
fn pacman_is_read() {
    let root = temporary();
    let files = [("usr/bin/greet", "hi"), ("etc/greet.conf", "x")];
    roots::pacman(root.path(), "greet", "1:2.0-1", &files);
    roots::pacman(root.path(), "lib", "3-1", &[("usr/lib/lib.so", "z")]);
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "arch", root.path());
    let store = kitchen.racker.open();
    let installed = installed(&store, tree_id(&kitchen, "arch"));
    assert_eq!(words(&installed), ["greet 1:2.0-1", "lib 3-1"]);
    let greet = installed.owner(b"etc/greet.conf").unwrap();
    assert_eq!(greet.licences, ["MIT", "custom:greet"]);
    assert_eq!(greet.source.as_ref().unwrap().name, "greet-all");
    assert_eq!(installed.owner(b"usr/lib/lib.so").unwrap().name, "lib");
    assert_eq!(installed.owner(b"usr"), None);
    assert_eq!(installed.owner(b"usr/lib").unwrap().name, "lib");
}

/// One root with everything: a database more does not hide the others.
#[test]
fn several_databases_are_all_read() {
    let root = temporary();
    roots::rpm(root.path(), &[hello("1.0")]);
    roots::pacman(root.path(), "greet", "2-1", &[("usr/bin/greet", "hi")]);
    let status = "Package: base\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
    roots::write(root.path(), "var/lib/dpkg/status", status);
    roots::write(
        root.path(),
        "lib/apk/db/installed",
        "P:musl\nV:1.2-r0\nA:x86_64\nF:lib\nR:ld.so\n",
    );
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "all", root.path());
    let store = kitchen.racker.open();
    let installed = installed(&store, tree_id(&kitchen, "all"));
    let by: BTreeMap<Database, &str> = installed
        .packages()
        .iter()
        .map(|it| (it.database, it.name.as_str()))
        .collect();
    let expected = [
        (Database::Dpkg, "base"),
        (Database::Rpm, "hello"),
        (Database::Pacman, "greet"),
        (Database::Apk, "musl"),
    ];
    assert_eq!(by, BTreeMap::from(expected));
    assert_eq!(installed.owner(b"lib/ld.so").unwrap().name, "musl");
    let tree = store.tree(tree_id(&kitchen, "all")).unwrap();
    assert_eq!(Os::read(&store, &tree).unwrap(), None);
}

#[test]
fn a_tree_without_a_database_has_no_packages() {
    let kitchen = Kitchen::new();
    let root = temporary();
    roots::write(root.path(), "file", "x");
    bake_root(&kitchen, "bare", root.path());
    let store = kitchen.racker.open();
    let installed = installed(&store, tree_id(&kitchen, "bare"));
    assert_eq!(installed, Installed::default());
}
