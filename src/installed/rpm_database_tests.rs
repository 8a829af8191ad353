use super::super::listing::Installed;
use super::*;
use crate::rpm::{Value, build};
use racker_store::{Access, Content, Inode, Metadata, Store, Tree};

const PATH: &str = "var/lib/rpm/rpmdb.sqlite";
const TABLE: &str =
    "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)";

/// The bytes of a database made by these statements, and of what lies beside it.
fn database(statements: &str, blobs: &[Vec<u8>], wal: bool) -> Vec<(&'static str, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rpmdb.sqlite");
    let connection = Connection::open(&path).unwrap();
    if wal {
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
    }
    connection.execute_batch(statements).unwrap();
    for blob in blobs {
        let insert = "INSERT INTO Packages (blob) VALUES (?)";
        connection.execute(insert, [blob]).unwrap();
    }
    // Read while it is open: a closed one has no WAL any more.
    let mut files = vec![("", std::fs::read(&path).unwrap())];
    if wal {
        let wal = directory.path().join("rpmdb.sqlite-wal");
        files.push(("-wal", std::fs::read(wal).unwrap()));
    }
    files
}

fn read(files: &[(&str, Vec<u8>)]) -> Result<Installed, Error> {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("store"), Access::ReadWrite).unwrap();
    let mut tree = Tree::default();
    for (suffix, bytes) in files {
        let content = Content::File {
            object: (!bytes.is_empty()).then(|| store.put_bytes(bytes).unwrap()),
            size: bytes.len() as u64,
        };
        let metadata = Metadata::new(0o644);
        let inode = Inode { metadata, content };
        tree.insert(format!("{PATH}{suffix}").as_bytes(), inode)
            .unwrap();
    }
    Installed::read(&store, &tree)
}

fn header(name: &str) -> Vec<u8> {
    build(&[
        (1000, Value::Strings(&[name])),
        (1001, Value::Strings(&["1"])),
        (1002, Value::Strings(&["2"])),
        (1116, Value::Int32(&[0])),
        (1117, Value::Strings(&[name])),
        (1118, Value::Strings(&["/usr/bin/"])),
    ])
}

#[test]
fn packages_are_read_with_a_wal_and_without() {
    for wal in [false, true] {
        let blobs = [header("b"), header("a"), header("gpg-pubkey")];
        let files = database(TABLE, &blobs, wal);
        let installed = read(&files).unwrap();
        let names: Vec<_> = installed.packages().iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["a", "b"], "wal: {wal}");
        assert_eq!(installed.owner(b"usr/bin/b").unwrap().version, "1-2");
    }
}

#[test]
fn a_wal_of_garbage_counts_for_nothing() {
    let mut files = database(TABLE, &[header("a")], false);
    files.push(("-wal", vec![7; 5000]));
    assert_eq!(read(&files).unwrap().packages().len(), 1);
}

#[test]
fn a_journal_is_refused_and_an_empty_one_is_not() {
    let mut files = database(TABLE, &[header("a")], false);
    files.push(("-journal", Vec::new()));
    assert_eq!(read(&files).unwrap().packages().len(), 1);
    files[1].1 = b"/etc/passwd".to_vec();
    assert!(matches!(read(&files), Err(Error::Unfinished { .. })));
}

#[test]
fn programs_of_the_image_do_not_run() {
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)
        SELECT x AS hnum, zeroblob(9) AS blob FROM n";
    for statements in [
        format!("CREATE VIEW Packages AS {endless}"),
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob AS (zeroblob(1000000000)))".into(),
        "CREATE TABLE Other (x)".into(),
    ] {
        let files = database(&statements, &[], false);
        let error = read(&files).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
}

#[test]
fn damage_is_an_error() {
    for bytes in [b"x".to_vec(), vec![0; 5000], b"SQLite format 3\0".to_vec()] {
        let error = read(&[("", bytes)]).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
    let files = database(TABLE, &[b"\xff\xff\xff\xff\0\0\0\0".to_vec()], false);
    let error = read(&files).unwrap_err().to_string();
    assert!(error.contains("rpmdb.sqlite is damaged"), "{error}");
    assert!(error.contains("4294967295 entries"), "{error}");
}

#[test]
fn every_page_may_be_garbage() {
    let blobs: Vec<_> = (0..200).map(|n| header(&format!("package{n}"))).collect();
    let files = database(TABLE, &blobs, false);
    let bytes = &files[0].1;
    for at in (0..bytes.len()).step_by(997) {
        let mut bytes = bytes.clone();
        for byte in bytes.iter_mut().skip(at).take(64) {
            *byte = 0xff;
        }
        // An error or a list, and no panic.
        let _ = read(&[("", bytes)]);
    }
}
