//! Takes a tar archive into a store and tells how long each part took.
//!
//! `cargo run --release -p racker-store --example import STORE ARCHIVE`

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use racker_store::{Access, Limits, Store, Tree};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(store), Some(archive)) = (arguments.next(), arguments.next()) else {
        return Err("usage: import STORE ARCHIVE".into());
    };
    let mut out = std::io::stdout();
    let mut start = Instant::now();
    let mut tell = |what: &str| {
        let line = writeln!(out, "{:>10.1?}  {what}", start.elapsed());
        start = Instant::now();
        line
    };
    let store = Store::open(&store, Access::ReadWrite)?;
    tell("open")?;
    let imported = store.import_tar(BufReader::new(File::open(archive)?), &Limits::default())?;
    tell("import_tar")?;
    let tree = imported.changeset.apply(&Tree::default())?;
    tell("apply")?;
    let id = store.put_tree(&tree)?;
    tell("put_tree")?;
    store.sync()?;
    tell("sync")?;
    let tree = store.tree(id)?;
    tell("tree")?;
    let mut bytes = store.export_tar(&imported.diff_id)?;
    std::io::copy(&mut bytes, &mut std::io::sink())?;
    tell("export_tar")?;
    let entries = tree.entries().count();
    writeln!(out, "{id}, {} bytes, {entries} entries", imported.size)?;
    Ok(())
}
