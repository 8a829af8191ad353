use super::super::listing::Installed;
use super::*;
use racker_store::{Access, Content, Inode, Metadata, Store, Tree};

fn read_tree(files: &[(&str, &str)]) -> Installed {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("store"), Access::ReadWrite).unwrap();
    let mut tree = Tree::default();
    let mut put = |path: &str, content| {
        let metadata = Metadata::new(0o644);
        tree.insert(path.as_bytes(), Inode { metadata, content })
            .unwrap();
    };
    put("bin", Content::Symlink((*b"usr/bin").into()));
    put("usr/bin/x", Content::EMPTY);
    for (path, text) in files {
        let content = Content::File {
            object: (!text.is_empty()).then(|| store.put_bytes(text.as_bytes()).unwrap()),
            size: text.len() as u64,
        };
        put(path, content);
    }
    Installed::read(&store, &tree).unwrap()
}

fn stanza(name: &str, rest: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\nVersion: 1-2\n{rest}\n\n")
}

fn owner<'a>(installed: &'a Installed, path: &str) -> Option<&'a str> {
    installed.owner(path.as_bytes()).map(|it| &*it.name)
}

#[test]
fn fields_are_read() {
    let text = stanza(
        "libx",
        "Architecture: amd64\nSource: x (2:1-1)\nInstalled-Size: 12\n\
         Maintainer: A Body <a@example.org>\nHomepage: https://x.example\n\
         Description: short\n long\n .\n more",
    );
    let installed = read_tree(&[("var/lib/dpkg/status", &text)]);
    let [package] = installed.packages() else {
        panic!("{installed:?}")
    };
    assert_eq!(package.architecture, "amd64");
    assert_eq!(package.installed_size, Some(12 << 10));
    assert_eq!(package.summary.as_deref(), Some("short"));
    let source = package.source.as_ref().unwrap();
    assert_eq!((&*source.name, &*source.version), ("x", "2:1-1"));
}

#[test]
fn a_source_is_the_package_itself_unless_said() {
    let of = |field: Option<&[u8]>| {
        let source = source(field, "own", "1");
        format!("{} {}", source.name, source.version)
    };
    assert_eq!(of(None), "own 1");
    assert_eq!(of(Some(b"other")), "other 1");
    assert_eq!(of(Some(b"other (2)")), "other 2");
    assert_eq!(of(Some(b" (")), "own 1");
    assert_eq!(of(Some(b"")), "own 1");
}

#[test]
fn removed_packages_are_none() {
    let text = [
        stanza("here", ""),
        stanza("purged", "").replace("ok installed", "ok not-installed"),
        stanza("removed", "").replace("ok installed", "ok config-files"),
        stanza("broken", "").replace("ok installed", "reinstreq half-configured"),
        "Package: nothing\n\nVersion: 1\n\n".to_owned(),
    ];
    let installed = read_tree(&[("var/lib/dpkg/status", &text.concat())]);
    let names: Vec<_> = installed.packages().iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["broken", "here"]);
}

#[test]
fn lists_of_one_and_of_several_architectures_are_found() {
    let status = [
        stanza("one", "Architecture: all"),
        stanza("lib", "Architecture: amd64"),
        stanza("lib", "Architecture: i386"),
    ];
    let installed = read_tree(&[
        ("var/lib/dpkg/status", &status.concat()),
        ("var/lib/dpkg/info/one.list", "/.\n/bin\n/bin/x\n"),
        ("var/lib/dpkg/info/lib:amd64.list", "/usr/lib/64\n/doc\n"),
        ("var/lib/dpkg/info/lib:i386.list", "/usr/lib/32\n/doc\n"),
    ]);
    assert_eq!(owner(&installed, "usr/bin/x"), Some("one"));
    assert_eq!(owner(&installed, "bin/x"), None);
    let of = |path: &[u8]| installed.owner(path).map(|it| &*it.architecture);
    assert_eq!(of(b"usr/lib/64"), Some("amd64"));
    assert_eq!(of(b"usr/lib/32"), Some("i386"));
    assert_eq!(of(b"doc"), Some("amd64"));
}

#[test]
fn diverted_files_are_elsewhere() {
    let status = [stanza("first", ""), stanza("second", "")];
    let installed = read_tree(&[
        ("var/lib/dpkg/status", &status.concat()),
        ("var/lib/dpkg/info/first.list", "/usr/bin/x\n"),
        ("var/lib/dpkg/info/second.list", "/usr/bin/x\n"),
        (
            "var/lib/dpkg/diversions",
            "/usr/bin/x\n/usr/bin/x.old\nsecond\ncut\n",
        ),
    ]);
    assert_eq!(owner(&installed, "usr/bin/x"), Some("second"));
    assert_eq!(owner(&installed, "usr/bin/x.old"), Some("first"));
}

#[test]
fn images_without_dpkg_have_a_file_per_package() {
    let installed = read_tree(&[
        (
            "var/lib/dpkg/status.d/base",
            "Package: base\nVersion: 1\nArchitecture: amd64\n",
        ),
        (
            "var/lib/dpkg/status.d/base.md5sums",
            "0123  usr/bin/x\nodd\n",
        ),
    ]);
    assert_eq!(installed.packages().len(), 1);
    assert_eq!(owner(&installed, "usr/bin/x"), Some("base"));
}

#[test]
fn no_database_is_no_package_and_no_error() {
    assert_eq!(read_tree(&[]), Installed::default());
}
