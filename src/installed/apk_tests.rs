use super::super::files::Files;
use super::*;
use racker_store::{Access, PathBytes, Store, Tree};

const DATABASE: &[u8] = b"C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:389000\nI:634880\n\
T:the musl c library\nU:https://musl.libc.org/\nL:MIT\no:musl-all\nm:A Body <a@example.org>\n\
t:1\nc:f00\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1x=\n\
F:usr/share\nF:\nR:in-the-root\n\n\nP:second\nV:1\n";

fn parsed(database: &[u8]) -> Result<Vec<(Package, Vec<PathBytes>)>, Error> {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("store"), Access::ReadWrite).unwrap();
    let tree = Tree::default();
    let files = Files::new(&store, &tree);
    let mut listing = Listing::new(&files);
    parse("db", database, &mut listing)?;
    Ok(listing.all().to_vec())
}

#[test]
fn fields_and_files_are_read() {
    let all = parsed(DATABASE).unwrap();
    assert_eq!(all.len(), 2);
    let (package, files) = &all[0];
    assert_eq!(package.name, "musl");
    assert_eq!(package.version, "1.2.4-r2");
    assert_eq!(package.licences, ["MIT"]);
    assert_eq!(package.source.as_ref().unwrap().name, "musl-all");
    assert_eq!(package.installed_size, Some(634_880));
    let expected: [&[u8]; 5] = [
        b"lib",
        b"lib/ld-musl-x86_64.so.1",
        b"usr/share",
        b"",
        b"/in-the-root",
    ];
    assert_eq!(*files, expected);
    assert_eq!(all[1].0.name, "second");
}

#[test]
fn an_entry_without_a_name_is_damage() {
    assert!(parsed(b"V:1\n\n").is_err());
    assert!(parsed(b"P:x\n").is_err());
    assert_eq!(parsed(b"\n\nno field\n\n").unwrap().len(), 0);
    assert_eq!(parsed(b"").unwrap().len(), 0);
}

#[test]
fn an_overlong_path_is_damage() {
    let long = "d/".repeat(4000);
    let database = format!("P:x\nV:1\nF:{long}\nR:f\n");
    assert!(parsed(database.as_bytes()).is_err());
}
