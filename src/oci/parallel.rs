//! Several things at once, until the first error.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::error::Result;

/// Does `work` for every number below `count`, up to `jobs` at a time; the results in order, or the
/// first error, after which nothing new is begun.
pub(crate) fn each<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let done: Mutex<Vec<Option<T>>> = Mutex::new((0..count).map(|_| None).collect());
    let failure = Mutex::new(None);
    let worker = || {
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            match work(index) {
                Ok(value) => done.lock().unwrap()[index] = Some(value),
                Err(error) => {
                    if !stop.swap(true, Ordering::Relaxed) {
                        *failure.lock().unwrap() = Some(error);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(count) {
            scope.spawn(worker);
        }
        worker();
    });
    match failure.into_inner().unwrap() {
        Some(error) => Err(error),
        None => Ok(done.into_inner().unwrap().into_iter().flatten().collect()),
    }
}
