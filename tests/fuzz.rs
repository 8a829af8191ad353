//! The fuzz targets' functions over their corpus and over changes of it, the same ones every time.
//!
//! `fuzz/` has the targets for libFuzzer; what it finds goes into the corpus.

#[path = "../fuzz/what.rs"]
mod what;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Tries per target at most, and how long they may take: whichever is reached first ends it.
const TRIES: usize = 4000;
const TIME: Duration = Duration::from_secs(20);

/// A generator without a state of anybody else's.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One change of what can go wrong: bits, bytes, lengths, repetitions, parts of others.
fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) {
    const ODD: [u8; 12] = [
        0, 1, b' ', b'"', b'-', b'/', b'0', b'7', b'9', b'[', 0x80, 0xff,
    ];
    let at = numbers.below(bytes.len());
    let end = (at + 1 + numbers.below(64)).min(bytes.len());
    match numbers.below(7) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
        1 if !bytes.is_empty() => bytes[at] = ODD[numbers.below(ODD.len())],
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at.min(end)..end)),
        4 => {
            let part = bytes[at.min(end)..end].to_vec();
            bytes.splice(at..at, part);
        }
        5 => {
            let other = &others[numbers.below(others.len())];
            let from = numbers.below(other.len());
            let to = (from + numbers.below(600)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        _ => bytes.insert(at, ODD[numbers.below(ODD.len())]),
    }
}

fn run(name: &str, attempt: fn(&[u8]), mend: fn(&mut [u8])) {
    let corpus = corpus(name);
    assert!(corpus.len() >= 5, "{name} has too small a corpus");
    for bytes in &corpus {
        attempt(bytes);
    }
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let start = Instant::now();
    for _ in 0..TRIES {
        let mut bytes = corpus[numbers.below(corpus.len())].clone();
        for _ in 0..=numbers.below(4) {
            change(&mut bytes, &corpus, &mut numbers);
        }
        if numbers.below(4) > 0 {
            mend(&mut bytes);
        }
        attempt(&bytes);
        if start.elapsed() > TIME {
            break;
        }
    }
}

/// Makes the checksums of an archive right again, so that what comes after them is looked at.
fn checksums(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

#[test]
fn archives() {
    run("tar", what::tar, checksums);
}

#[test]
fn manifests() {
    run("manifest", what::manifest, |_| {});
}

#[test]
fn recipes() {
    run("recipe", what::recipe, |_| {});
}
