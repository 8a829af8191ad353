//! The power fails while racker works: what was reported as done is there, nothing damaged stops the work,
//! and it comes out the same when it is done again.
//!
//! Real file systems lie on a disk that remembers what it was told (`disk.rs`). After racker has worked, the
//! disk is put together as it was at many moments, without some of what had not been flushed, and mounted.
//!
//! Needs root and the Debian packages `xfsprogs`, `btrfs-progs`, `e2fsprogs`, `docker-registry`, `skopeo` and
//! `umoci`. `RACKER_POWER_CUTS` is the number of moments that are tried per session, `RACKER_SEED` gives others.

mod disk;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod registry;
#[path = "../support/mod.rs"]
mod support;
mod works;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use disk::{Dice, Disk, Loss, Mounted};
use support::{Output, Racker};
use works::{Works, lock, trees};

/// Moments that are tried of each session, besides the ends of all work.
const CUTS: usize = 3;

/// A file system, and how it is made.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    make: &'static [&'static str],
}

const EXT4: Kind = Kind {
    name: "ext4",
    make: &["mkfs.ext4", "-qF", "-E", "nodiscard,lazy_itable_init=0"],
};
const XFS: Kind = Kind {
    name: "xfs",
    make: &["mkfs.xfs", "-q", "-K"],
};
const BTRFS: Kind = Kind {
    name: "btrfs",
    make: &["mkfs.btrfs", "-q", "-K"],
};

/// What racker did on a disk.
struct Session<'a> {
    works: &'a Works,
    kind: Kind,
    disk: Disk,
    began: usize,
    /// When each work was reported as done.
    done: Vec<usize>,
    after: PathBuf,
}

impl<'a> Session<'a> {
    /// Does all the work. A `noisy` neighbour syncs his files on the same file system all the while, so that
    /// more moments differ: the file system then writes what nobody asked it to.
    fn new(works: &'a Works, kind: Kind, noisy: bool) -> Self {
        let path = |name: &str| works.kitchen.path(&format!("{name}-{}-{noisy}", kind.name));
        let disk = Disk::new(&path("disk"), kind.make);
        let mounted = Mounted::new(kind.name, disk.file(), &path("mounted"));
        let racker = works.racker(&mounted);
        let began = disk.moment();
        let over = AtomicBool::new(!noisy);
        let done = std::thread::scope(|scope| {
            scope.spawn(|| noise(&mounted.0, &over));
            let all = 0..works.all.len();
            let done = all.map(|number| (works.work(&racker, number), disk.moment()));
            let done: Vec<(Output, usize)> = done.collect();
            // The neighbour ends before anything can fail.
            over.store(true, Ordering::Relaxed);
            done
        });
        let done = done.into_iter().map(|(output, moment)| {
            output.success();
            moment
        });
        let done = done.collect();
        drop(mounted);
        Self {
            after: path("after"),
            works,
            kind,
            disk,
            began,
            done,
        }
    }

    /// What is wrong after the power failed at `moment`.
    fn cut(&self, moment: usize, loss: Loss, dice: &mut Dice) -> Vec<String> {
        let image = self.after.with_extension("disk");
        // A loop device may know the last one for a while.
        let _ = fs::remove_file(&image);
        self.disk.cut(moment, loss, dice, &image);
        let mounted = Mounted::new(self.kind.name, &image, &self.after);
        let _boot = Mounted::over(
            "/proc/sys/kernel/random/boot_id",
            &self.works.kitchen.path("boot"),
        );
        let racker = self.works.racker(&mounted);
        let mut wrong = Vec::new();
        let verify = |when: &str, wrong: &mut Vec<String>| {
            let output = racker.run(&["store", "verify"]);
            if output.code != Some(0) {
                wrong.push(format!("{when}: {}", output.report()));
            }
        };
        // Without meta.toml there is no store yet.
        if racker.store().join("meta.toml").exists() {
            verify("at first", &mut wrong);
            let there = trees(&racker);
            for (makes, done) in self.works.makes.iter().zip(&self.done) {
                if let Some(name) = makes.filter(|_| *done <= moment)
                    && there.get(name) != self.works.expected.get(name)
                {
                    wrong.push(format!("{name} is not there"));
                }
            }
        }
        let read = |racker: &Racker| fs::read_to_string(lock(racker)).ok();
        let locked = read(&racker);
        let whole = locked == read(&self.works.kitchen.racker);
        if !whole && (self.done[0] <= moment || locked.is_some()) {
            wrong.push(format!("this is no lock: {locked:?}"));
        }
        // The last of all takes away what the steps led to.
        let collected = moment > self.done[self.done.len() - 2];
        for (number, done) in self.done.iter().enumerate() {
            let output = self.works.work(&racker, number);
            let again = *done <= moment && !collected && !output.made().is_empty();
            if output.code != Some(0) || again && self.works.makes[number].is_some() {
                wrong.push(output.report());
            }
        }
        if trees(&racker) != self.works.expected {
            wrong.push("something else came out".to_owned());
        }
        verify("at last", &mut wrong);
        let what = format!(
            "{}, {loss:?} lost at {moment} of {}..{:?}: ",
            self.kind.name, self.began, self.done
        );
        wrong.into_iter().map(|it| what.clone() + &it).collect()
    }
}

/// Writes and syncs until it is over.
fn noise(directory: &Path, over: &AtomicBool) {
    let mut dice = Dice(3);
    let mut file = File::create(directory.join("noise")).unwrap();
    while !over.load(Ordering::Relaxed) {
        file.write_all(&[1]).unwrap();
        file.sync_all().unwrap();
        if dice.below(8) == 0 {
            rustix::fs::syncfs(&file).unwrap();
        }
        std::thread::sleep(Duration::from_micros(dice.below(4000) as u64));
    }
}

fn cuts() -> usize {
    let wanted = std::env::var("RACKER_POWER_CUTS").ok();
    wanted.map_or(CUTS, |wanted| wanted.parse().unwrap())
}

fn power_fails_on(kind: Kind) {
    // A namespace that somebody else makes meanwhile would keep what is unmounted here.
    racker::sys::private_mounts().unwrap();
    let works = Works::new();
    let mut dice = Dice(std::env::var("RACKER_SEED").map_or(1, |seed| seed.parse().unwrap()));
    let (mut count, mut wrong) = (0, Vec::new());
    for noisy in [false, true] {
        let session = Session::new(&works, kind, noisy);
        let ends = session.done.iter().zip(&works.makes);
        for (moment, _) in ends.filter(|(_, makes)| !noisy && makes.is_some()) {
            wrong.extend(session.cut(*moment, Loss::All, &mut dice));
            count += 1;
        }
        let end = *session.done.last().unwrap();
        for _ in 0..cuts() {
            let moment = session.began + dice.below(end - session.began);
            let loss = [Loss::All, Loss::None, Loss::Some, Loss::Some][dice.below(4)];
            wrong.extend(session.cut(moment, loss, &mut dice));
            count += 1;
        }
    }
    let line = format!("{}: {count} power cuts\n", kind.name);
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_power_fails_on_ext4() {
    power_fails_on(EXT4);
}

#[test]
fn the_power_fails_on_xfs() {
    power_fails_on(XFS);
}

#[test]
fn the_power_fails_on_btrfs() {
    power_fails_on(BTRFS);
}
