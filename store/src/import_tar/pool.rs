//! Threads that turn small bodies into objects while the archive is read on.
//!
//! Most bodies of an operating system are a few kilobytes, so they are handed over many at a time:
//! waking a thread takes as long as storing one of them.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use crate::error::Result;
use crate::id::ObjectId;
use crate::store::Store;

/// Bytes from which on a batch is handed over.
const BATCH: usize = 256 << 10;
/// Batches that wait at most.
const DEPTH: usize = 8;
/// Bytes after which what was stored so far is written to the disk.
const PART: usize = 64 << 20;
/// Threads at most: file creation does not get faster with more.
const THREADS: usize = 4;

/// Bodies one behind the other.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Number in the archive of each body, and where it ends in `bytes`.
    ends: Vec<(usize, usize)>,
}

/// Objects by the number of their body.
type Done = Vec<(usize, ObjectId)>;

pub(crate) struct Pool<'scope> {
    batch: Batch,
    batches: SyncSender<Batch>,
    threads: Vec<ScopedJoinHandle<'scope, Result<Done>>>,
}

/// A queue that several threads take from.
pub(crate) struct Queue {
    batches: Mutex<Receiver<Batch>>,
    /// Bytes of all batches that were taken.
    taken: AtomicUsize,
}

impl<'scope> Pool<'scope> {
    /// The queue must outlive the scope; it ends when the pool is finished or dropped.
    pub(crate) fn queue() -> (SyncSender<Batch>, Queue) {
        let (batches, receiver) = sync_channel(DEPTH);
        let queue = Queue {
            batches: Mutex::new(receiver),
            taken: AtomicUsize::new(0),
        };
        (batches, queue)
    }

    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        batches: SyncSender<Batch>,
        queue: &'scope Queue,
        store: &'scope Store,
    ) -> Self {
        let count = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(THREADS);
        let threads = (0..count)
            .map(|_| scope.spawn(|| work(queue, store)))
            .collect();
        Self {
            batch: Batch::default(),
            batches,
            threads,
        }
    }

    /// Takes in a body of `size` bytes, which `fill` appends.
    pub(crate) fn put(
        &mut self,
        number: usize,
        size: usize,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let batch = &mut self.batch;
        batch.bytes.reserve(size.max(BATCH - batch.bytes.len()));
        fill(&mut batch.bytes)?;
        batch.ends.push((number, batch.bytes.len()));
        if batch.bytes.len() >= BATCH {
            self.hand_over();
        }
        Ok(())
    }

    /// Waits for everything that was put in.
    pub(crate) fn finish(mut self) -> Result<Done> {
        self.hand_over();
        drop(self.batches);
        let mut done = Vec::new();
        for thread in self.threads {
            match thread.join() {
                Ok(result) => done.append(&mut result?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(done)
    }

    fn hand_over(&mut self) {
        // A thread goes on taking after an error, so somebody takes this.
        let _ = self.batches.send(std::mem::take(&mut self.batch));
    }
}

fn work(queue: &Queue, store: &Store) -> Result<Done> {
    let mut done = Vec::new();
    let mut failed = None;
    loop {
        let batch = queue.batches.lock().map(|batches| batches.recv());
        let Ok(Ok(batch)) = batch else { break };
        let before = queue.taken.fetch_add(batch.bytes.len(), Relaxed);
        let after = before + batch.bytes.len();
        let mut start = 0;
        for (number, end) in batch.ends {
            let body = &batch.bytes[start..end];
            start = end;
            if failed.is_none() {
                match store.put_bytes(body) {
                    Ok(id) => done.push((number, id)),
                    Err(error) => failed = Some(error),
                }
            }
        }
        // The disk would idle until the very end.
        if failed.is_none() && before / PART < after / PART {
            failed = store.sync().err();
        }
    }
    failed.map_or(Ok(done), Err)
}
