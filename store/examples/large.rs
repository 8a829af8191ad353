//! Makes a large store, and measures what being large costs.
//!
//! ```text
//! cargo run --release -p racker-store --example large make STORE OBJECTS IMAGES
//! cargo run --release -p racker-store --example large measure STORE
//! ```
//!
//! Each image has its share of the objects, and shares as many with the image before it. `measure` adds
//! garbage and collects that, in a process of its own, while it does small things with the store.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use racker_store::{
    Access, Content, Image, ImageLayer, Inode, Metadata, NodeRef, ObjectId, Policy, Realisation,
    StepKey, Store, Tree,
};
use rayon::prelude::*;
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Numbers of objects that nothing needs begin here.
const GARBAGE: u64 = 1 << 40;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", store, objects, images] => {
            make(Path::new(store), objects.parse()?, images.parse()?)
        }
        ["litter", store, objects] => litter(Path::new(store), objects.parse()?),
        ["collect", store] => collect(Path::new(store)),
        ["measure", store] => measure(Path::new(store)),
        _ => Err("usage: large make STORE OBJECTS IMAGES | large measure STORE".into()),
    }
}

fn tell(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// The bytes of an object: many small ones, since what a file costs besides its bytes is the question.
fn body(number: u64) -> Vec<u8> {
    let mut random = blake3::Hasher::new()
        .update(&number.to_le_bytes())
        .finalize_xof();
    let mut start = [0; 8];
    random.fill(&mut start);
    let start = u64::from_le_bytes(start);
    // 64 bytes to 8 KB, each power of two as often as the others.
    let power = 6 + start % 7;
    let size = (1 << power) + (start >> 32) % (1 << power);
    let mut bytes = vec![0; size as usize];
    random.fill(&mut bytes);
    bytes
}

/// Puts these objects in; their names and sizes.
fn put(store: &Store, numbers: Range<u64>) -> Result<Vec<(ObjectId, u64)>> {
    let numbers: Vec<u64> = numbers.collect();
    let put = |number: &u64| {
        let bytes = body(*number);
        Ok((store.put_bytes(&bytes)?, bytes.len() as u64))
    };
    numbers.par_iter().map(put).collect()
}

fn tree(files: &[(ObjectId, u64)]) -> Result<Tree> {
    let mut tree = Tree::default();
    for (number, (object, size)) in files.iter().enumerate() {
        let path = format!("usr/{}/{number}", number / 100);
        let content = Content::File {
            object: Some(*object),
            size: *size,
        };
        let metadata = Metadata::new(0o644);
        tree.insert(path.as_bytes(), Inode { metadata, content })?;
    }
    Ok(tree)
}

fn make(root: &Path, objects: u64, images: u64) -> Result<()> {
    let store = Store::open(root, Access::ReadWrite)?;
    let share = objects / images;
    let mut files = Vec::new();
    let mut before = Tree::default();
    let mut base = store.put_tree(&before)?;
    for number in 0..images {
        let own = put(&store, number * share..(number + 1) * share)?;
        // The last share of the image before, and one of its own.
        let start = files.len() - files.len().min(share as usize);
        files.drain(..start);
        files.extend(own);
        let after = tree(&files)?;
        let (id, layer) = store.put_successor(base, &before, &after)?;
        let key = StepKey::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
        store.put_base(id, Some(base), layer)?;
        store.record(&Realisation {
            key,
            document: json!({ "number": number }),
            recipe: format!("large-{number}"),
            place: 0,
            step: "made up".into(),
            parent: Some(base),
            tree: id,
            layer: Some(layer),
            built: 0,
            milliseconds: 0,
            log: None,
        })?;
        store.put_image(&Image {
            config: json!({}),
            layers: vec![ImageLayer {
                layer: Some(layer),
                tree: id,
                diff_id: None,
                created_by: String::new(),
                size: 0,
                log: None,
                empty: false,
                impure: false,
                step_key: Some(key),
            }],
            ..Image::new(format!("localhost/large-{number}:latest"), id)
        })?;
        (before, base) = (after, id);
    }
    Ok(store.sync()?)
}

/// Puts in what nothing needs.
fn litter(root: &Path, objects: u64) -> Result<()> {
    let store = Store::open(root, Access::ReadWrite)?;
    let start = GARBAGE + std::time::UNIX_EPOCH.elapsed()?.as_nanos() as u64 / 1000;
    put(&store, start..start + objects)?;
    Ok(store.sync()?)
}

fn collect(root: &Path) -> Result<()> {
    let store = Store::open(root, Access::ReadWrite)?;
    let start = Instant::now();
    let total = store.collect(&Policy::default(), false)?.total();
    let (took, files) = (start.elapsed(), total.files);
    tell(&format!(
        "a collection took {files} files away, beside small things: {took:.2?}"
    ))
}

/// This program again, at the same time.
fn again(arguments: &[&str], root: &Path) -> Result<Child> {
    let (verb, rest) = arguments.split_first().ok_or("no verb")?;
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.arg(verb).arg(root).args(rest).spawn()?)
}

fn measure(root: &Path) -> Result<()> {
    let store = Store::open(root, Access::ReadOnly)?;
    let images = store.images()?;
    let mut known = Vec::new();
    for image in images.iter().take(20) {
        let tree = store.tree(image.tree)?;
        known.extend(tree.entries().filter_map(|(_, node)| match node {
            NodeRef::Inode(_, inode) => match inode.content {
                Content::File { object, .. } => object,
                _ => None,
            },
            NodeRef::Directory(_) => None,
        }));
    }
    let files = objects(root)?;
    tell(&format!("{} objects, {} images", files.len(), images.len()))?;

    for _ in 0..3 {
        let store = Store::open(root, Access::ReadWrite)?;
        let start = Instant::now();
        store.collect(&Policy::default(), true)?;
        let took = start.elapsed();
        tell(&format!(
            "mark, and look at the name of each object: {took:.2?}"
        ))?;
    }

    for _ in 0..2 {
        let start = Instant::now();
        let read = |path: &PathBuf| Ok(blake3::hash(&fs::read(path)?).as_bytes()[0]);
        let read: Result<Vec<u8>> = files.par_iter().map(read).collect();
        read?;
        let alone = start.elapsed();
        let start = Instant::now();
        let damage = store.verify()?.len();
        let took = start.elapsed();
        tell(&format!(
            "verify: {took:.2?}, {damage} damaged; reading and hashing the objects alone: {alone:.2?}"
        ))?;
    }

    let garbage = (files.len() / 10).to_string();
    again(&["litter", &garbage], root)?.wait()?;
    // Younger than what is to go.
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    let mut collector = None;
    let busy = waits(root, &known, || {
        if collector.is_none() {
            collector = Some(again(&["collect"], root)?);
        }
        let ended = collector.as_mut().map(Child::try_wait).transpose()?;
        Ok(ended.flatten().is_some())
    })?;
    let took = start.elapsed();
    let start = Instant::now();
    let calm = waits(root, &known, || Ok(start.elapsed() > took))?;
    for (what, waits) in [("while a collection runs", busy), ("without one", calm)] {
        tell(what)?;
        for (name, mut times) in ["put a file and a tree", "hold a tree", "read a file"]
            .iter()
            .zip(waits)
        {
            times.sort();
            let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)];
            let (median, late, longest) = (at(500), at(990), at(1000));
            let count = times.len();
            tell(&format!(
                "  {name:22} {count:7} times, median {median:8.1?}, 99 % {late:8.1?}, longest {longest:8.1?}"
            ))?;
        }
    }
    Ok(())
}

/// Every file of `objects/`.
fn objects(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for shard in fs::read_dir(root.join("objects"))? {
        for file in fs::read_dir(shard?.path())? {
            files.push(file?.path());
        }
    }
    Ok(files)
}

/// How long each of three small things takes, one after the other until `ended`.
fn waits(
    root: &Path,
    known: &[ObjectId],
    mut ended: impl FnMut() -> Result<bool>,
) -> Result<[Vec<Duration>; 3]> {
    let store = Store::open(root, Access::ReadWrite)?;
    let images = store.images()?;
    let mut times = <[Vec<Duration>; 3]>::default();
    let mut timed = |what: usize, work: &mut dyn FnMut() -> Result<()>| {
        let start = Instant::now();
        work()?;
        times[what].push(start.elapsed());
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    let first = GARBAGE * 2 + std::time::UNIX_EPOCH.elapsed()?.as_nanos() as u64 / 1000;
    for number in 0.. {
        let bytes = body(first + number);
        timed(0, &mut || {
            let object = store.put_bytes(&bytes)?;
            store.put_tree(&tree(&[(object, bytes.len() as u64)])?)?;
            Ok(())
        })?;
        let place = (number as usize).wrapping_mul(7919);
        timed(1, &mut || {
            store.hold(images[place % images.len()].tree)?;
            Ok(())
        })?;
        timed(2, &mut || {
            let mut file = store.open_object(known[place % known.len()])?;
            file.read_to_end(&mut Vec::new())?;
            Ok(())
        })?;
        if ended()? {
            break;
        }
        // A bake does other things, too.
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(times)
}
